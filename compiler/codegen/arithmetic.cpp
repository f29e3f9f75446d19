#include "compiler/codegen/arithmetic.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <bit>
#include <numeric>
#include <utility>

#include <pullback/error.h>

namespace pullback::codegen {

using kernel::Combine;
using kernel::Opcode;
using llvm::Intrinsic::ID;

int width_of(const llvm::Value* value) {
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector ? static_cast<int>(vector->getNumElements()) : 1;
}

llvm::Type* Arithmetic::type(DType dtype, int width) const {
  llvm::Type* element = nullptr;
  switch (dtype) {
    case DType::boolean:
      element = b_.getInt1Ty();
      break;
    case DType::u8:
      element = b_.getInt8Ty();
      break;
    case DType::f16:
    case DType::bf16:
      element = b_.getInt16Ty();
      break;
    case DType::u32:
    case DType::i32:
      element = b_.getInt32Ty();
      break;
    case DType::i64:
      element = b_.getInt64Ty();
      break;
    case DType::f32:
      element = b_.getFloatTy();
      break;
    case DType::f64:
      element = b_.getDoubleTy();
      break;
  }
  return width == 1 ? element : llvm::FixedVectorType::get(element, static_cast<unsigned>(width));
}

llvm::Type* Arithmetic::memory_type(DType dtype, int width) const {
  return type(dtype == DType::boolean ? DType::u8 : dtype, width);
}

llvm::Type* Arithmetic::type_like(DType dtype, llvm::Value* like) const {
  return type(dtype, width_of(like));
}

llvm::Value* Arithmetic::constant(DType dtype, std::uint64_t bits, int width) const {
  llvm::Constant* scalar = nullptr;
  if (dtype == DType::f32)
    scalar =
        llvm::ConstantFP::get(b_.getContext(), llvm::APFloat(std::bit_cast<float>(static_cast<std::uint32_t>(bits))));
  else if (dtype == DType::f64)
    scalar = llvm::ConstantFP::get(b_.getContext(), llvm::APFloat(std::bit_cast<double>(bits)));
  else
    scalar = llvm::ConstantInt::get(type(dtype), bits);
  return width == 1
             ? scalar
             : llvm::ConstantVector::getSplat(llvm::ElementCount::getFixed(static_cast<unsigned>(width)), scalar);
}

llvm::Value* Arithmetic::splat(llvm::Value* value, int width) const {
  return width == 1 ? value : b_.CreateVectorSplat(static_cast<unsigned>(width), value);
}

llvm::Value* Arithmetic::number(llvm::Type* type, double value) const {
  return llvm::ConstantFP::get(type, value);
}

llvm::Value* Arithmetic::integer(llvm::Type* type, std::int64_t value) const {
  return llvm::ConstantInt::get(type, static_cast<std::uint64_t>(value), true);
}

llvm::Value* Arithmetic::any(llvm::Value* mask) const {
  return width_of(mask) == 1 ? mask : b_.CreateOrReduce(mask);
}

llvm::Value* Arithmetic::operation(Opcode opcode, DType from, DType to, std::span<llvm::Value* const> v) const {
  switch (opcode) {
    case Opcode::eq:
    case Opcode::ne:
    case Opcode::lt:
    case Opcode::le:
    case Opcode::gt:
    case Opcode::ge:
      return compare(opcode, from, v[0], v[1]);
    case Opcode::select:
      return b_.CreateSelect(v[0], v[1], v[2]);
    case Opcode::convert:
      return convert(v[0], from, to);
    case Opcode::bitcast:
      return b_.CreateBitCast(v[0], type_like(to, v[0]));
    default:
      break;
  }
  if (from == DType::f32 || from == DType::f64) return floating(opcode, v);
  if (from == DType::f16 || from == DType::bf16)
    throw InternalError("codegen: " + std::string(kernel::name_of(opcode)) + " of " + std::string(name_of(from)));
  return integral(opcode, from, v);
}

llvm::Value* Arithmetic::floating(Opcode opcode, std::span<llvm::Value* const> v) const {
  const auto unary = [&](ID id) { return b_.CreateUnaryIntrinsic(id, v[0]); };
  switch (opcode) {
    case Opcode::add:
      return b_.CreateFAdd(v[0], v[1]);
    case Opcode::sub:
      return b_.CreateFSub(v[0], v[1]);
    case Opcode::mul:
      return b_.CreateFMul(v[0], v[1]);
    case Opcode::div:
      return b_.CreateFDiv(v[0], v[1]);
    case Opcode::rem:
      return by_element(v[0]->getType()->getScalarType()->isFloatTy() ? "pullback_fmod_f32" : "pullback_fmod_f64", v);
    case Opcode::neg:
      return b_.CreateFNeg(v[0]);
    case Opcode::abs:
      return unary(llvm::Intrinsic::fabs);
    case Opcode::min:
    case Opcode::max:
      if (target_.has_masks && width_of(v[0]) > 1 && !llvm::isa<llvm::Constant>(v[0]) &&
          !llvm::isa<llvm::Constant>(v[1]))
        return extreme_by_instruction(opcode, v);
      return b_.CreateBinaryIntrinsic(opcode == Opcode::min ? llvm::Intrinsic::minimum : llvm::Intrinsic::maximum, v[0],
                                      v[1]);
    case Opcode::fma:
      return fma(v[0], v[1], v[2]);
    case Opcode::scale:
      return target_.has_masks ? scale_by_instruction(v[0], v[1]) : scale_by_products(v[0], v[1]);
    case Opcode::sqrt:
      return unary(llvm::Intrinsic::sqrt);
    case Opcode::floor:
      return unary(llvm::Intrinsic::floor);
    case Opcode::ceil:
      return unary(llvm::Intrinsic::ceil);
    case Opcode::trunc:
      return unary(llvm::Intrinsic::trunc);
    case Opcode::round_even:
      return unary(llvm::Intrinsic::roundeven);
    default:
      throw InternalError("codegen: " + std::string(kernel::name_of(opcode)) + " of floats");
  }
}

llvm::Value* Arithmetic::integral(Opcode opcode, DType dtype, std::span<llvm::Value* const> v) const {
  const bool is_signed_type = is_signed(dtype);
  switch (opcode) {
    case Opcode::add:
      return b_.CreateAdd(v[0], v[1]);
    case Opcode::sub:
      return b_.CreateSub(v[0], v[1]);
    case Opcode::mul:
      return b_.CreateMul(v[0], v[1]);
    case Opcode::div:
    case Opcode::rem:
      return divide(opcode, dtype, v[0], v[1]);
    case Opcode::neg:
      return b_.CreateNeg(v[0]);
    case Opcode::abs:
      return is_signed_type ? b_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, v[0], b_.getFalse()) : v[0];
    case Opcode::min:
      return b_.CreateBinaryIntrinsic(is_signed_type ? llvm::Intrinsic::smin : llvm::Intrinsic::umin, v[0], v[1]);
    case Opcode::max:
      return b_.CreateBinaryIntrinsic(is_signed_type ? llvm::Intrinsic::smax : llvm::Intrinsic::umax, v[0], v[1]);
    case Opcode::bit_and:
      return b_.CreateAnd(v[0], v[1]);
    case Opcode::bit_or:
      return b_.CreateOr(v[0], v[1]);
    case Opcode::bit_xor:
      return b_.CreateXor(v[0], v[1]);
    case Opcode::bit_not:
      return b_.CreateNot(v[0]);
    case Opcode::shl:
    case Opcode::shr:
    case Opcode::sar:
      return shift(opcode, v[0], v[1]);
    case Opcode::mulhi: {
      llvm::Type* wide = type_like(DType::i64, v[0]);
      llvm::Value* product = b_.CreateMul(b_.CreateZExt(v[0], wide), b_.CreateZExt(v[1], wide));
      return b_.CreateTrunc(b_.CreateLShr(product, integer(wide, 32)), v[0]->getType());
    }
    default:
      throw InternalError("codegen: " + std::string(kernel::name_of(opcode)) + " of integers");
  }
}

// x/0 = -1, x%0 = x, MIN/-1 = MIN, MIN%-1 = 0: the divisor that would trap is replaced by 1.
llvm::Value* Arithmetic::divide(Opcode opcode, DType dtype, llvm::Value* x, llvm::Value* y) const {
  llvm::Type* t = x->getType();
  llvm::Value* zero = b_.CreateICmpEQ(y, integer(t, 0));
  llvm::Value* traps = zero;
  if (is_signed(dtype)) {
    const auto minimum = llvm::APInt::getSignedMinValue(t->getScalarSizeInBits());
    llvm::Value* overflows =
        b_.CreateAnd(b_.CreateICmpEQ(x, llvm::ConstantInt::get(t, minimum)), b_.CreateICmpEQ(y, integer(t, -1)));
    traps = b_.CreateOr(zero, overflows);
  }
  llvm::Value* safe = b_.CreateSelect(traps, integer(t, 1), y);
  if (opcode == Opcode::div) {
    llvm::Value* quotient = is_signed(dtype) ? b_.CreateSDiv(x, safe) : b_.CreateUDiv(x, safe);
    return b_.CreateSelect(zero, integer(t, -1), quotient);
  }
  llvm::Value* remainder = is_signed(dtype) ? b_.CreateSRem(x, safe) : b_.CreateURem(x, safe);
  return b_.CreateSelect(zero, x, remainder);
}

// LLVM leaves shifts by the width or more undefined; here they give 0, or the sign for sar.
llvm::Value* Arithmetic::shift(Opcode opcode, llvm::Value* x, llvm::Value* amount) const {
  llvm::Type* t = x->getType();
  const int bits = static_cast<int>(t->getScalarSizeInBits());
  if (opcode == Opcode::sar)
    return b_.CreateAShr(x, b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, amount, integer(t, bits - 1)));
  llvm::Value* within = b_.CreateICmpULT(amount, integer(t, bits));
  llvm::Value* safe = b_.CreateSelect(within, amount, integer(t, 0));
  llvm::Value* shifted = opcode == Opcode::shl ? b_.CreateShl(x, safe) : b_.CreateLShr(x, safe);
  return b_.CreateSelect(within, shifted, integer(t, 0));
}

namespace {

/// A number that was extended, and a constant that it is compared with: in the type that it had, if that holds both.
std::pair<llvm::Value*, llvm::Value*> without_extension(llvm::Value* x, llvm::Value* y) {
  const auto* extended = llvm::dyn_cast<llvm::SExtInst>(x);
  const auto* constant = llvm::dyn_cast<llvm::Constant>(y);
  if (!extended || !constant) return {x, y};
  if (constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  const auto* number = llvm::dyn_cast_or_null<llvm::ConstantInt>(constant);
  llvm::Type* type = extended->getSrcTy();
  if (!number || !number->getValue().isSignedIntN(type->getScalarSizeInBits())) return {x, y};
  return {extended->getOperand(0),
          llvm::ConstantInt::get(type, static_cast<std::uint64_t>(number->getSExtValue()), /*IsSigned=*/true)};
}

}  // namespace

llvm::Value* Arithmetic::compare(Opcode opcode, DType dtype, llvm::Value* x, llvm::Value* y) const {
  using P = llvm::CmpInst::Predicate;
  struct Row {
    Opcode opcode;
    P floating, with_sign, without_sign;
  };
  static constexpr Row rows[] = {
      {Opcode::eq, P::FCMP_OEQ, P::ICMP_EQ, P::ICMP_EQ},   {Opcode::ne, P::FCMP_UNE, P::ICMP_NE, P::ICMP_NE},
      {Opcode::lt, P::FCMP_OLT, P::ICMP_SLT, P::ICMP_ULT}, {Opcode::le, P::FCMP_OLE, P::ICMP_SLE, P::ICMP_ULE},
      {Opcode::gt, P::FCMP_OGT, P::ICMP_SGT, P::ICMP_UGT}, {Opcode::ge, P::FCMP_OGE, P::ICMP_SGE, P::ICMP_UGE},
  };
  for (const Row& row : rows) {
    if (row.opcode != opcode) continue;
    if (is_float(dtype)) return b_.CreateFCmp(row.floating, x, y);
    if (!is_signed(dtype)) return b_.CreateICmp(row.without_sign, x, y);
    const auto [narrow, constant] = without_extension(x, y);
    return b_.CreateICmp(row.with_sign, narrow, constant);
  }
  throw InternalError("codegen: not a comparison");
}

llvm::Value* Arithmetic::combine(Combine how, DType dtype, llvm::Value* x, llvm::Value* y) const {
  llvm::Value* operands[] = {x, y};
  switch (how) {
    case Combine::add:
      return operation(Opcode::add, dtype, dtype, operands);
    case Combine::mul:
      return operation(Opcode::mul, dtype, dtype, operands);
    case Combine::max:
      return operation(Opcode::max, dtype, dtype, operands);
    case Combine::min:
      return operation(Opcode::min, dtype, dtype, operands);
    case Combine::none:
      break;
  }
  throw InternalError("codegen: a carried value without a combination");
}

llvm::Value* Arithmetic::on_lanes(int least, std::span<llvm::Value* const> operands,
                                  const std::function<llvm::Value*(std::span<llvm::Value* const>)>& operation) const {
  const int width = width_of(operands.front());
  if (width >= least) return operation(operands);
  llvm::SmallVector<llvm::Value*, 3> wider;
  for (llvm::Value* value : operands) {
    llvm::Type* type = llvm::FixedVectorType::get(value->getType()->getScalarType(), static_cast<unsigned>(least));
    wider.push_back(width == 1 ? b_.CreateInsertElement(llvm::PoisonValue::get(type), value, std::uint64_t{0})
                               : b_.CreateShuffleVector(value, llvm::ArrayRef<int>{0, 1, -1, -1}));
  }
  llvm::Value* result = operation(wider);
  if (width == 1) return b_.CreateExtractElement(result, std::uint64_t{0});
  return b_.CreateShuffleVector(result, llvm::ArrayRef<int>{0, 1});
}

llvm::Value* Arithmetic::in_registers(
    std::span<llvm::Value* const> operands,
    const std::function<llvm::Value*(std::span<llvm::Value* const>)>& operation) const {
  const bool wide = operands.front()->getType()->getScalarType()->isDoubleTy();
  const int width = width_of(operands.front()), most = target_.vector_bytes / (wide ? 8 : 4);
  if (width <= most) return on_lanes(wide ? 2 : 4, operands, operation);
  llvm::SmallVector<int, 32> lanes(static_cast<std::size_t>(width));
  std::iota(lanes.begin(), lanes.end(), 0);
  const auto part = [&](llvm::ArrayRef<int> which) {
    llvm::SmallVector<llvm::Value*, 3> parts;
    for (llvm::Value* operand : operands) parts.push_back(b_.CreateShuffleVector(operand, which));
    return in_registers(parts, operation);
  };
  llvm::Value* low = part(llvm::ArrayRef(lanes).take_front(lanes.size() / 2));
  return b_.CreateShuffleVector(low, part(llvm::ArrayRef(lanes).drop_front(lanes.size() / 2)), lanes);
}

// The instruction takes a mask, here of all lanes; the widest also says how to round, here as the thread is set.
llvm::Value* Arithmetic::by_instruction(const Instructions& of_widths, llvm::ArrayRef<llvm::Value*> operands) const {
  constexpr int kRoundAsSet = 4;
  llvm::Type* type = operands.front()->getType();
  const bool wide = type->getScalarType()->isDoubleTy();
  const int width = width_of(operands.front()), bytes = width * (wide ? 8 : 4);
  llvm::SmallVector<llvm::Value*, 6> arguments(operands);
  arguments.push_back(llvm::PoisonValue::get(type));
  arguments.push_back(llvm::Constant::getAllOnesValue(b_.getIntNTy(static_cast<unsigned>(std::max(width, 8)))));
  if (bytes == 64) arguments.push_back(b_.getInt32(kRoundAsSet));
  return b_.CreateIntrinsic((wide ? of_widths.f64 : of_widths.f32)[bytes == 64 ? 2 : bytes / 32], {}, arguments);
}

llvm::Value* Arithmetic::scale_by_instruction(llvm::Value* x, llvm::Value* n) const {
  using namespace llvm::Intrinsic;
  static constexpr Instructions kScale{
      {x86_avx512_mask_scalef_ps_128, x86_avx512_mask_scalef_ps_256, x86_avx512_mask_scalef_ps_512},
      {x86_avx512_mask_scalef_pd_128, x86_avx512_mask_scalef_pd_256, x86_avx512_mask_scalef_pd_512}};
  llvm::Value* operands[] = {x, n};
  return in_registers(operands, [&](auto v) { return by_instruction(kScale, {v[0], v[1]}); });
}

// vrange tells -0 from 0, as max and min of IEEE 754 do, but of a NaN and a number it takes the number: where there is
// one, the sum is taken instead. LLVM's own way around maxps' order of operands has twice as many instructions, unless
// one operand is known.
llvm::Value* Arithmetic::extreme_by_instruction(Opcode opcode, std::span<llvm::Value* const> operands) const {
  using namespace llvm::Intrinsic;
  static constexpr Instructions kRange{
      {x86_avx512_mask_range_ps_128, x86_avx512_mask_range_ps_256, x86_avx512_mask_range_ps_512},
      {x86_avx512_mask_range_pd_128, x86_avx512_mask_range_pd_256, x86_avx512_mask_range_pd_512}};
  constexpr int kMin = 0, kMax = 1, kSignOfResult = 1 << 2;
  llvm::Value* which = b_.getInt32(kSignOfResult | (opcode == Opcode::max ? kMax : kMin));
  return in_registers(operands, [&](auto v) {
    llvm::Value* number = by_instruction(kRange, {v[0], v[1], which});
    return b_.CreateSelect(b_.CreateFCmpUNO(v[0], v[1]), b_.CreateFAdd(v[0], v[1]), number);
  });
}

// Twice by a power of half the size, which is exact the first time: so subnormal results are rounded once.
llvm::Value* Arithmetic::scale_by_products(llvm::Value* x, llvm::Value* n) const {
  const bool wide = x->getType()->getScalarType()->isDoubleTy();
  llvm::Type* t = x->getType();
  llvm::Type* bits = type_like(wide ? DType::i64 : DType::i32, x);
  // n stands in the low bits of its sum with 1.5 * 2^mantissa, whose other bits go where an exponent is shifted to its
  // place; and where n was taken from such a sum, that is still there.
  llvm::Constant* shifter = llvm::cast<llvm::Constant>(number(t, wide ? 0x1.8p52 : 0x1.8p23));
  const auto* difference = llvm::dyn_cast<llvm::BinaryOperator>(n);
  const bool is_rounded =
      difference && difference->getOpcode() == llvm::Instruction::FSub && difference->getOperand(1) == shifter;
  llvm::Value* whole = b_.CreateBitCast(is_rounded ? difference->getOperand(0) : b_.CreateFAdd(n, shifter), bits);
  llvm::Value* half = b_.CreateLShr(whole, integer(bits, 1));
  const auto power = [&](llvm::Value* exponent) {
    llvm::Value* shifted = b_.CreateShl(exponent, integer(bits, wide ? 52 : 23));
    return b_.CreateBitCast(b_.CreateAdd(shifted, integer(bits, wide ? 1023LL << 52 : 127 << 23)), t);
  };
  return b_.CreateFMul(b_.CreateFMul(x, power(half)), power(b_.CreateSub(whole, half)));
}

llvm::Value* Arithmetic::fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) const {
  if (target_.has_fma) return b_.CreateIntrinsic(llvm::Intrinsic::fma, {x->getType()}, {x, y, z});
  if (x->getType()->getScalarType()->isFloatTy()) return fma_f32_by_f64(x, y, z);
  llvm::Value* operands[] = {x, y, z};
  return by_element("pullback_fma_f64", operands);
}

// The product is exact in f64. The sum is rounded to odd there (its last bit is set when it was inexact), so that
// rounding once more to f32 gives what one rounding would have given (Boldo and Melquiond, 2008).
llvm::Value* Arithmetic::fma_f32_by_f64(llvm::Value* x, llvm::Value* y, llvm::Value* z) const {
  llvm::Type* wide = type_like(DType::f64, x);
  llvm::Type* bits = type_like(DType::i64, x);
  llvm::Value* product = b_.CreateFMul(b_.CreateFPExt(x, wide), b_.CreateFPExt(y, wide));
  llvm::Value* addend = b_.CreateFPExt(z, wide);
  llvm::Value* sum = b_.CreateFAdd(product, addend);
  // Knuth's two-sum: the error of the addition, exactly.
  llvm::Value* part = b_.CreateFSub(sum, product);
  llvm::Value* error = b_.CreateFAdd(b_.CreateFSub(product, b_.CreateFSub(sum, part)), b_.CreateFSub(addend, part));
  llvm::Value* inexact = b_.CreateFCmpONE(error, number(wide, 0));
  llvm::Value* pattern = b_.CreateBitCast(sum, bits);
  llvm::Value* even = b_.CreateICmpEQ(b_.CreateAnd(pattern, integer(bits, 1)), integer(bits, 0));
  llvm::Value* away = b_.CreateICmpEQ(b_.CreateFCmpOGT(error, number(wide, 0)), b_.CreateFCmpOGT(sum, number(wide, 0)));
  llvm::Value* step = b_.CreateSelect(away, integer(bits, 1), integer(bits, -1));
  llvm::Value* odd = b_.CreateSelect(b_.CreateAnd(inexact, even), b_.CreateAdd(pattern, step), pattern);
  return b_.CreateFPTrunc(b_.CreateBitCast(odd, wide), x->getType());
}

// A function of the runtime, called for one element after the other.
llvm::Value* Arithmetic::by_element(const char* symbol, std::span<llvm::Value* const> operands) const {
  llvm::Type* t = operands[0]->getType();
  llvm::SmallVector<llvm::Type*, 3> parameters(operands.size(), t->getScalarType());
  llvm::Module* module = b_.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee =
      module->getOrInsertFunction(symbol, llvm::FunctionType::get(t->getScalarType(), parameters, false));
  const int width = width_of(operands[0]);
  if (width == 1) return b_.CreateCall(callee, llvm::ArrayRef(operands.data(), operands.size()));
  llvm::Value* result = llvm::PoisonValue::get(t);
  for (int lane = 0; lane < width; ++lane) {
    llvm::SmallVector<llvm::Value*, 3> arguments;
    for (llvm::Value* operand : operands)
      arguments.push_back(b_.CreateExtractElement(operand, static_cast<std::uint64_t>(lane)));
    result = b_.CreateInsertElement(result, b_.CreateCall(callee, arguments), static_cast<std::uint64_t>(lane));
  }
  return result;
}

}  // namespace pullback::codegen
