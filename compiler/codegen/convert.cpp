// Conversions between dtypes: total, saturating, rounded once to nearest even; bit for bit the same on each target.
#include "compiler/codegen/arithmetic.h"

#include <cmath>
#include <limits>

#include <llvm/IR/Constants.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

namespace pullback::codegen {

llvm::Value* Arithmetic::convert(llvm::Value* x, DType from, DType to) const {
  if (from == to) return x;
  if (from == DType::f16) return convert(half_to_f32(x), DType::f32, to);
  if (from == DType::bf16) {
    llvm::Type* bits = type_like(DType::u32, x);
    llvm::Value* wide = b_.CreateShl(b_.CreateZExt(x, bits), integer(bits, 16));
    return convert(b_.CreateBitCast(wide, type_like(DType::f32, x)), DType::f32, to);
  }
  if (to == DType::boolean) {
    if (is_float(from)) return b_.CreateFCmpUNE(x, number(x->getType(), 0));
    return b_.CreateICmpNE(x, integer(x->getType(), 0));
  }
  if (is_float(to)) return to_float(x, from, to);
  if (is_float(from)) return to_integer(x, to);
  return b_.CreateIntCast(x, type_like(to, x), is_signed(from));
}

llvm::Value* Arithmetic::to_float(llvm::Value* x, DType from, DType to) const {
  if (to == DType::f16 || to == DType::bf16) {
    llvm::Value* single = from == DType::f32   ? x
                          : from == DType::f64 ? f64_to_f32_odd(x)
                                               : to_float(x, from, DType::f32);
    return to == DType::f16 ? f32_to_half(single) : f32_to_bfloat(single);
  }
  llvm::Type* result = type_like(to, x);
  if (from == DType::f32) return b_.CreateFPExt(x, result);
  if (from == DType::f64) return b_.CreateFPTrunc(x, result);
  return is_signed(from) ? b_.CreateSIToFP(x, result) : b_.CreateUIToFP(x, result);
}

// Only values within range are converted; LLVM leaves the others undefined.
llvm::Value* Arithmetic::to_integer(llvm::Value* x, DType to) const {
  llvm::Type* t = x->getType();
  llvm::Type* result = type_like(to, x);
  const int bits = static_cast<int>(size_of(to)) * 8;
  const bool sign = is_signed(to);
  llvm::Value* upper = number(t, std::ldexp(1.0, sign ? bits - 1 : bits));
  llvm::Value* lower = number(t, sign ? -std::ldexp(1.0, bits - 1) : 0.0);
  llvm::Value* below = b_.CreateFCmpOLT(x, upper);
  llvm::Value* within = b_.CreateAnd(below, b_.CreateFCmpOGE(x, lower));
  llvm::Value* safe = b_.CreateSelect(within, x, number(t, 0));
  llvm::Value* converted = sign ? b_.CreateFPToSI(safe, result) : b_.CreateFPToUI(safe, result);
  const auto extreme = [&](bool high) {
    const auto n = static_cast<unsigned>(bits);
    return llvm::ConstantInt::get(result, !high  ? llvm::APInt::getSignedMinValue(n)
                                          : sign ? llvm::APInt::getSignedMaxValue(n)
                                                 : llvm::APInt::getMaxValue(n));
  };
  converted = b_.CreateSelect(b_.CreateFCmpOGE(x, upper), extreme(true), converted);
  // Unsigned: what is below 0 has become 0 already.
  if (sign) converted = b_.CreateSelect(b_.CreateFCmpOLT(x, lower), extreme(false), converted);
  return converted;
}

// f64 -> f32 with the last bit set when inexact: a second rounding, to 16 bits, is then as good as a single one.
llvm::Value* Arithmetic::f64_to_f32_odd(llvm::Value* x) const {
  llvm::Type* single = type_like(DType::f32, x);
  llvm::Type* bits = type_like(DType::u32, x);
  llvm::Value* near = b_.CreateFPTrunc(x, single);
  llvm::Value* back = b_.CreateFPExt(near, x->getType());
  llvm::Value* beyond = b_.CreateFCmpOGT(b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, back),
                                         b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x));
  llvm::Value* pattern = b_.CreateBitCast(near, bits);
  llvm::Value* towards_zero = b_.CreateSub(pattern, b_.CreateZExt(beyond, bits));
  llvm::Value* odd = b_.CreateOr(towards_zero, integer(bits, 1));
  return b_.CreateBitCast(b_.CreateSelect(b_.CreateFCmpONE(back, x), odd, pattern), single);
}

// The bits that go are rounded into those that stay. (Not vcvtneps2bf16: it flushes subnormal numbers.)
llvm::Value* Arithmetic::f32_to_bfloat(llvm::Value* x) const {
  llvm::Type* bits = type_like(DType::u32, x);
  llvm::Value* pattern = b_.CreateBitCast(x, bits);
  llvm::Value* upper = b_.CreateLShr(pattern, integer(bits, 16));
  llvm::Value* last = b_.CreateAnd(upper, integer(bits, 1));
  llvm::Value* rounded =
      b_.CreateLShr(b_.CreateAdd(b_.CreateAdd(pattern, integer(bits, 0x7fff)), last), integer(bits, 16));
  llvm::Value* quiet = b_.CreateOr(upper, integer(bits, 0x40));
  llvm::Value* chosen = b_.CreateSelect(b_.CreateFCmpUNO(x, x), quiet, rounded);
  return b_.CreateTrunc(chosen, type_like(DType::bf16, x));
}

llvm::Value* Arithmetic::fma_of_pairs(llvm::Value* x, llvm::Value* y, llvm::Value* z) const {
  if (target_.has_bf16_dot) return dot_of_pairs(x, y, z);
  llvm::Type* single = z->getType();
  const auto upper = [&](llvm::Value* two) {
    return b_.CreateBitCast(b_.CreateAnd(two, integer(two->getType(), 0xffff0000)), single);
  };
  const auto lower = [&](llvm::Value* two) {
    return b_.CreateBitCast(b_.CreateShl(two, integer(two->getType(), 16)), single);
  };
  return fma(lower(x), lower(y), fma(upper(x), upper(y), z));
}

// vdpbf16ps, for at least four lanes.
llvm::Value* Arithmetic::dot_of_pairs(llvm::Value* x, llvm::Value* y, llvm::Value* z) const {
  constexpr int kLeast = 4;
  const int width = width_of(z);
  if (width < kLeast) {
    llvm::Value* operands[] = {x, y, z};
    return on_lanes(kLeast, operands, [&](auto wider) { return dot_of_pairs(wider[0], wider[1], wider[2]); });
  }
  const llvm::Intrinsic::ID id = width == 16  ? llvm::Intrinsic::x86_avx512bf16_dpbf16ps_512
                                 : width == 8 ? llvm::Intrinsic::x86_avx512bf16_dpbf16ps_256
                                              : llvm::Intrinsic::x86_avx512bf16_dpbf16ps_128;
  llvm::Function* dot = llvm::Intrinsic::getDeclaration(b_.GetInsertBlock()->getModule(), id);
  llvm::Type* pairs = dot->getFunctionType()->getParamType(1);
  return b_.CreateCall(dot, {z, b_.CreateBitCast(x, pairs), b_.CreateBitCast(y, pairs)});
}

llvm::Value* Arithmetic::half_to_f32(llvm::Value* x) const {
  llvm::Type* single = type_like(DType::f32, x);
  llvm::Type* bits = type_like(DType::u32, x);
  if (target_.has_f16c) {
    llvm::Type* half = b_.getHalfTy();
    if (const int width = width_of(x); width > 1) half = llvm::FixedVectorType::get(half, static_cast<unsigned>(width));
    return b_.CreateFPExt(b_.CreateBitCast(x, half), single);
  }
  // The exponent moves to f32's place and gets its bias (112 more); infinities and NaN get it once more. Subnormal
  // halves become normal numbers by subtracting the hidden bit that they lack.
  llvm::Value* pattern = b_.CreateZExt(x, bits);
  llvm::Value* magnitude = b_.CreateShl(b_.CreateAnd(pattern, integer(bits, 0x7fff)), integer(bits, 13));
  llvm::Value* normal = b_.CreateAdd(magnitude, integer(bits, 112 << 23));
  llvm::Value* special = b_.CreateAdd(normal, integer(bits, 112 << 23));
  llvm::Value* hidden = integer(bits, 113 << 23);
  llvm::Value* subnormal = b_.CreateBitCast(
      b_.CreateFSub(b_.CreateBitCast(b_.CreateAdd(magnitude, hidden), single), b_.CreateBitCast(hidden, single)), bits);
  llvm::Value* result = b_.CreateSelect(b_.CreateICmpULT(magnitude, integer(bits, 1 << 23)), subnormal, normal);
  result = b_.CreateSelect(b_.CreateICmpUGE(magnitude, integer(bits, 31 << 23)), special, result);
  llvm::Value* sign = b_.CreateShl(b_.CreateAnd(pattern, integer(bits, 0x8000)), integer(bits, 16));
  return b_.CreateBitCast(b_.CreateOr(result, sign), single);
}

llvm::Value* Arithmetic::f32_to_half(llvm::Value* x) const {
  llvm::Type* single = type_like(DType::f32, x);
  llvm::Type* bits = type_like(DType::u32, x);
  llvm::Type* result = type_like(DType::f16, x);
  if (target_.has_f16c) {
    llvm::Type* half = b_.getHalfTy();
    if (const int width = width_of(x); width > 1) half = llvm::FixedVectorType::get(half, static_cast<unsigned>(width));
    return b_.CreateBitCast(b_.CreateFPTrunc(x, half), result);
  }
  llvm::Value* pattern = b_.CreateBitCast(x, bits);
  llvm::Value* sign = b_.CreateAnd(b_.CreateLShr(pattern, integer(bits, 16)), integer(bits, 0x8000));
  llvm::Value* magnitude = b_.CreateAnd(pattern, integer(bits, 0x7fffffff));
  // Normal halves: bias changed, the 13 bits that go rounded into those that stay; a carry reaches the exponent.
  llvm::Value* last = b_.CreateAnd(b_.CreateLShr(magnitude, integer(bits, 13)), integer(bits, 1));
  llvm::Value* biased = b_.CreateAdd(b_.CreateSub(magnitude, integer(bits, 112 << 23)), integer(bits, 0xfff));
  llvm::Value* normal = b_.CreateLShr(b_.CreateAdd(biased, last), integer(bits, 13));
  // Subnormal halves: adding 0.5 aligns the last bit of the sum with 2^-24, and the addition rounds.
  llvm::Value* half_one = integer(bits, 126 << 23);
  llvm::Value* aligned = b_.CreateFAdd(b_.CreateBitCast(magnitude, single), b_.CreateBitCast(half_one, single));
  llvm::Value* subnormal = b_.CreateSub(b_.CreateBitCast(aligned, bits), half_one);
  llvm::Value* value = b_.CreateSelect(b_.CreateICmpULT(magnitude, integer(bits, 113 << 23)), subnormal, normal);
  value = b_.CreateSelect(b_.CreateICmpUGE(magnitude, integer(bits, 143LL << 23)), integer(bits, 0x7c00), value);
  value = b_.CreateSelect(b_.CreateICmpUGT(magnitude, integer(bits, 255LL << 23)), integer(bits, 0x7e00), value);
  return b_.CreateTrunc(b_.CreateOr(value, sign), result);
}

}  // namespace pullback::codegen
