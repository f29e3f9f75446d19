// Translator: loads and stores. How lanes move through a buffer decides the instruction: nothing, a scalar; by one, a
// vector; near each other, a vector or two (load_near.cpp); by a stride, an element each; irregularly, a gather or
// scatter.
#include <bit>
#include <numeric>

#include <llvm/IR/Intrinsics.h>

#include <pullback/error.h>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Access;
using kernel::Index;

llvm::Align Translator::alignment(int buffer) const {
  return llvm::Align(size_of(dtype_of(buffer)));
}

llvm::Value* Translator::to_memory(llvm::Value* value) const {
  if (!value->getType()->getScalarType()->isIntegerTy(1)) return value;
  return const_cast<llvm::IRBuilder<>&>(b_).CreateZExt(value, arithmetic_.memory_type(DType::boolean, width_of(value)));
}

llvm::Value* Translator::from_memory(llvm::Value* value, DType dtype) const {
  if (dtype != DType::boolean) return value;
  return const_cast<llvm::IRBuilder<>&>(b_).CreateICmpNE(value, llvm::Constant::getNullValue(value->getType()));
}

llvm::Value* Translator::tail_mask(int width, int active) const {
  llvm::SmallVector<llvm::Constant*, 16> lanes;
  for (int lane = 0; lane < width; ++lane) lanes.push_back(llvm::ConstantInt::getBool(context_.llvm(), lane < active));
  return llvm::ConstantVector::get(lanes);
}

llvm::Value* Translator::mask(llvm::Value* predicate) {
  llvm::Value* result = lanes_.active < lanes_.width ? tail_mask(lanes_.width, lanes_.active) : nullptr;
  for (llvm::Value* part : {lanes_.mask, predicate}) {
    if (!part) continue;
    part = at_width(part, lanes_.width);
    result = result ? b_.CreateAnd(part, result) : part;
  }
  return result;
}

Translator::Bound Translator::load(const kernel::Value& value) {
  const Index index = resolve(value.index);
  const int width = lanes_.width;
  const Bound predicate = value.operands.empty() ? Bound{} : get(value.operands[0]);
  const Bound fallback = value.operands.empty() ? Bound{} : get(value.operands[1]);
  const bool hoistable =
      kernel_->buffers[static_cast<std::size_t>(value.buffer)].access == Access::in && !predicate.value && !lanes_.mask;
  int at = hoistable ? conditional_depth() : depth();
  if (!varies(index)) {
    llvm::Value* loaded = load_uniform(value.buffer, index, predicate, fallback, at);
    return {loaded, at};
  }
  llvm::Value* stored_fallback = nullptr;
  if (fallback.value) stored_fallback = to_memory(at_width(fallback.value, width));
  const std::optional<std::int64_t> stride = lane_stride(index);
  if (stride && stride != 1)
    if (const auto transposed = load_transposed(value)) return *transposed;
  llvm::Value* result = nullptr;
  const bool fixed_lanes = !predicate.value && !lanes_.mask;
  if (stride == 1) {
    result = load_contiguous(value.buffer, index, predicate, stored_fallback, at);
  } else if (const auto near = near_lanes(index);
             near && (result = load_near(value.buffer, *near, predicate, stored_fallback, at))) {
  } else if (stride && fixed_lanes) {
    result = load_strided(value.buffer, index, *stride, at);
  } else {
    at = depth();
    result = gather(value.buffer, index, mask(predicate.value), stored_fallback);
  }
  AtDepth insert(*this, at);
  return {from_memory(result, value.dtype), at};
}

// A load that must not happen reads zeros of the module's instead: no branch.
llvm::Value* Translator::load_uniform(int buffer, const Index& index, Bound predicate, Bound fallback, int& depth) {
  const Bound where = address(buffer, index);
  depth = std::max(depth, where.depth);
  AtDepth insert(*this, depth);
  const DType dtype = dtype_of(buffer);
  llvm::Value* pointer = where.value;
  llvm::Value* condition = nullptr;
  if (predicate.varies() || (lanes_.mask && lanes_.width > 1))
    condition = arithmetic_.any(mask(predicate.value));
  else if (predicate.value)
    condition = predicate.value;
  if (condition) pointer = b_.CreateSelect(condition, pointer, context_.blank());
  llvm::Value* loaded = b_.CreateAlignedLoad(arithmetic_.memory_type(dtype), pointer, alignment(buffer));
  loaded = from_memory(loaded, dtype);
  if (!predicate.value) return loaded;
  const int width = predicate.varies() || fallback.varies() ? lanes_.width : 1;
  return b_.CreateSelect(at_width(predicate.value, width), at_width(loaded, width), at_width(fallback.value, width));
}

llvm::Value* Translator::load_contiguous(int buffer, const Index& index, Bound predicate, llvm::Value* fallback,
                                         int& depth) {
  const Bound where = address(buffer, without_lane(index));
  depth = std::max(depth, where.depth);
  AtDepth insert(*this, depth);
  const DType dtype = dtype_of(buffer);
  llvm::Type* type = arithmetic_.memory_type(dtype, lanes_.width);
  const bool whole = lanes_.active == lanes_.width && !lanes_.mask;
  const auto bytes = size_of(dtype) * static_cast<std::size_t>(lanes_.width);
  if (predicate.value && !predicate.varies() && whole && bytes <= ModuleContext::kBlankBytes) {
    llvm::Value* pointer = b_.CreateSelect(predicate.value, where.value, context_.blank());
    llvm::Value* loaded = b_.CreateAlignedLoad(type, pointer, alignment(buffer));
    return b_.CreateSelect(predicate.value, loaded, fallback);
  }
  llvm::Value* lanes = mask(predicate.value);
  if (!lanes) return b_.CreateAlignedLoad(type, where.value, alignment(buffer));
  if (!fallback) fallback = llvm::Constant::getNullValue(type);
  return b_.CreateMaskedLoad(type, where.value, alignment(buffer), lanes, fallback);
}

// One element after the other: as fast as the hardware's gathers, and on each target. Backwards is a vector, reversed.
llvm::Value* Translator::load_strided(int buffer, const Index& index, std::int64_t stride, int& depth) {
  const bool reversed = stride == -1 && lanes_.active == lanes_.width;
  const Index first = without_lane(index) - (reversed ? lanes_.width - 1 : 0);
  const Bound where = address(buffer, first);
  depth = std::max(depth, where.depth);
  AtDepth insert(*this, depth);
  const DType dtype = dtype_of(buffer);
  if (reversed) {
    llvm::Type* type = arithmetic_.memory_type(dtype, lanes_.width);
    return b_.CreateVectorReverse(b_.CreateAlignedLoad(type, where.value, alignment(buffer)));
  }
  llvm::Type* element = arithmetic_.memory_type(dtype);
  llvm::Value* result = llvm::Constant::getNullValue(arithmetic_.memory_type(dtype, lanes_.width));
  for (int lane = 0; lane < lanes_.active; ++lane) {
    llvm::Value* pointer = b_.CreateConstGEP1_64(element, where.value, static_cast<std::uint64_t>(lane * stride));
    result = b_.CreateInsertElement(result, b_.CreateAlignedLoad(element, pointer, alignment(buffer)),
                                    static_cast<std::uint64_t>(lane));
  }
  return result;
}

llvm::Value* Translator::gather(int buffer, const Index& index, llvm::Value* mask, llvm::Value* fallback) {
  const kernel::Buffer& source = kernel_->buffers[static_cast<std::size_t>(buffer)];
  llvm::Type* element = arithmetic_.memory_type(source.dtype);
  llvm::Type* type = arithmetic_.memory_type(source.dtype, lanes_.width);
  // Offsets of 31 bits are enough for most buffers, and half as wide.
  llvm::Type* integer = source.elements < (std::int64_t{1} << 31) ? b_.getInt32Ty() : b_.getInt64Ty();
  llvm::Value* pointers = b_.CreateGEP(element, buffers_[static_cast<std::size_t>(buffer)], lane_index(index, integer));
  llvm::Value* all = llvm::Constant::getAllOnesValue(arithmetic_.type(DType::boolean, lanes_.width));
  if (!mask || context_.target().has_masks) {
    if (!fallback) fallback = llvm::Constant::getNullValue(type);
    return b_.CreateMaskedGather(type, pointers, alignment(buffer), mask ? mask : all, fallback);
  }
  // Without AVX-512 LLVM would write a branch for each lane: those that must not read, read zeros of the module's.
  llvm::Value* blank = b_.CreateVectorSplat(static_cast<unsigned>(lanes_.width), context_.blank());
  pointers = b_.CreateSelect(mask, pointers, blank);
  llvm::Value* loaded = b_.CreateMaskedGather(type, pointers, alignment(buffer), all);
  return fallback ? b_.CreateSelect(mask, loaded, fallback) : loaded;
}

void Translator::store(const kernel::Store& store) {
  const Index index = resolve(store.index);
  const Bound predicate = store.predicate ? get(store.predicate) : Bound{};
  llvm::Value* value = get(store.value).value;
  if (lanes_.width == 1) {
    llvm::Value* pointer = address(store.buffer, index).value;
    if (!predicate.value) {
      b_.CreateAlignedStore(to_memory(value), pointer, alignment(store.buffer));
      return;
    }
    llvm::BasicBlock* then = new_block("store");
    llvm::BasicBlock* after = new_block("after");
    b_.CreateCondBr(predicate.value, then, after);
    b_.SetInsertPoint(then);
    b_.CreateAlignedStore(to_memory(value), pointer, alignment(store.buffer));
    b_.CreateBr(after);
    b_.SetInsertPoint(after);
    return;
  }
  store_lanes(store, index, to_memory(at_width(value, lanes_.width)), mask(predicate.value));
}

// Without AVX-512 a masked store takes as long as tens of plain ones: powers of two of lanes instead. With it, a load
// that meets lanes which the store leaves out waits as if they were written, as where the next of narrow rows follows.
void Translator::store_first(llvm::Value* value, int active, llvm::Value* pointer, llvm::Align align,
                             bool is_read_beside) {
  constexpr int kFewPieces = 2;
  const int width = width_of(value), pieces = std::popcount(static_cast<unsigned>(active));
  if (active == width) {
    b_.CreateAlignedStore(value, pointer, align);
  } else if (context_.target().has_masks && pieces > kFewPieces && !is_read_beside) {
    b_.CreateMaskedStore(value, pointer, align, tail_mask(width, active));
  } else {
    for (int done = 0; done < active;) {
      const int lanes = static_cast<int>(std::bit_floor(static_cast<unsigned>(active - done)));
      llvm::SmallVector<int, 16> piece(static_cast<std::size_t>(lanes));
      std::iota(piece.begin(), piece.end(), done);
      llvm::Value* to =
          b_.CreateConstGEP1_64(value->getType()->getScalarType(), pointer, static_cast<std::uint64_t>(done));
      b_.CreateAlignedStore(b_.CreateShuffleVector(value, piece), to, align);
      done += lanes;
    }
  }
}

void Translator::store_lanes(const kernel::Store& store, const Index& index, llvm::Value* value, llvm::Value* mask) {
  const kernel::Buffer& target = kernel_->buffers[static_cast<std::size_t>(store.buffer)];
  const llvm::Align align = alignment(store.buffer);
  llvm::Type* element = arithmetic_.memory_type(target.dtype);
  const std::optional<std::int64_t> stride = lane_stride(index);
  if (stride == 1) {
    llvm::Value* pointer = address(store.buffer, without_lane(index)).value;
    if (mask && (lanes_.mask || store.predicate))
      b_.CreateMaskedStore(value, pointer, align, mask);
    else
      store_first(value, lanes_.active, pointer, align, target.access != kernel::Access::out);
    return;
  }
  if (stride && !lanes_.mask && !store.predicate) {
    llvm::Value* pointer = address(store.buffer, without_lane(index)).value;
    for (int lane = 0; lane < lanes_.active; ++lane)
      b_.CreateAlignedStore(b_.CreateExtractElement(value, static_cast<std::uint64_t>(lane)),
                            b_.CreateConstGEP1_64(element, pointer, static_cast<std::uint64_t>(lane * *stride)), align);
    return;
  }
  llvm::Type* integer = target.elements < (std::int64_t{1} << 31) ? b_.getInt32Ty() : b_.getInt64Ty();
  llvm::Value* pointers =
      b_.CreateGEP(element, buffers_[static_cast<std::size_t>(store.buffer)], lane_index(index, integer));
  if (!mask) mask = llvm::Constant::getAllOnesValue(arithmetic_.type(DType::boolean, lanes_.width));
  b_.CreateMaskedScatter(value, pointers, align, mask);
}

}  // namespace pullback::codegen
