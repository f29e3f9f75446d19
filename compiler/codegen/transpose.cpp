// Translator: loads that transpose. In a vector loop around an unrolled loop, `x[lane*stride + u]` is a strided load
// for each u; a square of them is read as contiguous vectors along u instead, one for each lane, and transposed in
// registers: several times faster. How panels of contractions are packed from transposed operands, and tiles stored
// transposed.
#include <llvm/IR/InlineAsm.h>

#include <algorithm>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Index;
using kernel::LoopVar;

namespace {

constexpr int kSmallestSquare = 4;  // narrower vectors gain nothing

}  // namespace

// What only holds definitions and stores tells where it stores.
bool Translator::may_store_to(const kernel::Block& block, int buffer) {
  return std::any_of(block.statements.begin(), block.statements.end(), [&](const kernel::Statement& statement) {
    const auto* store = std::get_if<kernel::Store>(&statement);
    return store ? store->buffer == buffer : !std::holds_alternative<kernel::Define>(statement);
  });
}

std::optional<Translator::Bound> Translator::load_transposed(const kernel::Value& value) {
  // Within a branch of the body, what one iteration loads another could not use.
  if (!unrolled_ || unrolled_->depth != depth()) return std::nullopt;
  if (lanes_.width < kSmallestSquare || lanes_.mask || !value.operands.empty()) return std::nullopt;
  // All iterations load together: none may store what another one loads.
  if (kernel_->buffers[static_cast<std::size_t>(value.buffer)].access != kernel::Access::in &&
      may_store_to(unrolled_->loop->body, value.buffer))
    return std::nullopt;
  const LoopVar& variable = unrolled_->loop->variable;
  const std::int64_t square = unrolled_->current / lanes_.width;
  const auto key = std::pair(&value, square);
  auto found = unrolled_->transposed.find(key);
  if (found == unrolled_->transposed.end()) {
    // The index with the unrolled variable left in it.
    const Variable current = variables_.at(&variable);
    variables_.erase(&variable);
    const Index index = resolve(value.index);
    variables_[&variable] = current;
    if (!index.is_contiguous_in(variable) || !varies(index) || !lane_stride(index)) return std::nullopt;
    const std::int64_t first = square * lanes_.width;
    const Index start =
        without_lane(index).substitute([&](const LoopVar& v) { return &v == &variable ? Index(first) : Index(v); });
    const auto count = static_cast<int>(std::min<std::int64_t>(lanes_.width, variable.extent - first));
    found = unrolled_->transposed.emplace(key, load_square(value.buffer, start, *lane_stride(index), count)).first;
  }
  llvm::Value* column = found->second[static_cast<std::size_t>(unrolled_->current % lanes_.width)];
  return here(from_memory(column, value.dtype));
}

// Lane l reads `count` elements from start + l*stride; result u holds element u of each lane.
std::vector<llvm::Value*> Translator::load_square(int buffer, const Index& start, std::int64_t stride, int count) {
  const DType dtype = dtype_of(buffer);
  const int width = lanes_.width;
  llvm::Type* element = arithmetic_.memory_type(dtype);
  llvm::Type* type = arithmetic_.memory_type(dtype, width);
  llvm::Value* pointer = address(buffer, start).value;
  std::vector<llvm::Value*> rows;
  for (int lane = 0; lane < width; ++lane) {
    if (lane >= lanes_.active) {
      rows.push_back(llvm::Constant::getNullValue(type));
      continue;
    }
    llvm::Value* from = b_.CreateConstGEP1_64(element, pointer, static_cast<std::uint64_t>(lane * stride));
    if (count == width)
      rows.push_back(b_.CreateAlignedLoad(type, from, alignment(buffer)));
    else
      rows.push_back(b_.CreateMaskedLoad(type, from, alignment(buffer), tail_mask(width, count),
                                         llvm::Constant::getNullValue(type)));
  }
  transpose_square(rows);
  return rows;
}

// Lane l of row i becomes lane i of row l.
void Translator::transpose_square(std::vector<llvm::Value*>& rows) {
  const auto width = static_cast<int>(rows.size());
  // Off-diagonal blocks are exchanged, from halves of the square down to single elements.
  for (int half = width / 2; half > 0; half /= 2) {
    llvm::SmallVector<int, 32> upper, lower;
    for (int c = 0; c < width; ++c) {
      upper.push_back(c & half ? width + c - half : c);
      lower.push_back(c & half ? width + c : c + half);
    }
    for (int i = 0; i < width; ++i) {
      if (i & half) continue;
      llvm::Value *x = rows[static_cast<std::size_t>(i)], *y = rows[static_cast<std::size_t>(i + half)];
      rows[static_cast<std::size_t>(i)] = b_.CreateShuffleVector(x, y, upper);
      rows[static_cast<std::size_t>(i + half)] = b_.CreateShuffleVector(x, y, lower);
    }
    if (half > 1) keep_apart(rows);
  }
}

// LLVM's instruction selection looks for shorter ways through several rounds of such exchanges, does not find any, and
// needs more time for it than for the rest of a kernel. It does not look through an empty assembly statement.
void Translator::keep_apart(std::vector<llvm::Value*>& values) {
  constexpr unsigned kSmallestRegister = 16, kMostValues = 8;  // bytes, values
  llvm::Type* type = values.front()->getType();
  const std::uint64_t bytes = type->getPrimitiveSizeInBits() / 8;
  const bool fits = kSmallestRegister <= bytes && bytes <= static_cast<std::uint64_t>(context_.target().vector_bytes);
  if (type->getScalarSizeInBits() < 32 || !fits) return;
  const std::string any_register = context_.target().has_masks ? "v" : "x";
  for (std::size_t begin = 0; begin < values.size(); begin += kMostValues) {
    const std::size_t count = std::min<std::size_t>(kMostValues, values.size() - begin);
    std::string outputs, inputs;
    for (std::size_t i = 0; i < count; ++i) {
      outputs += "=" + any_register + ",";
      inputs += std::to_string(i) + (i + 1 < count ? "," : "");
    }
    const llvm::SmallVector<llvm::Type*, kMostValues> types(count, type);
    llvm::Type* result = count == 1 ? type : llvm::StructType::get(context_.llvm(), types);
    const llvm::ArrayRef<llvm::Value*> arguments(&values[begin], count);
    llvm::Value* same = b_.CreateCall(
        llvm::InlineAsm::get(llvm::FunctionType::get(result, types, false), "", outputs + inputs, false), arguments);
    for (unsigned i = 0; i < count; ++i) values[begin + i] = count == 1 ? same : b_.CreateExtractValue(same, i);
  }
}

}  // namespace pullback::codegen
