#include "compiler/ir/kernel/kernel.h"

#include <algorithm>
#include <limits>

#include <pullback/error.h>

namespace pullback::kernel {

std::string_view name_of(Opcode opcode) {
  static constexpr std::string_view names[] = {
      "constant", "argument", "add",    "sub",     "mul",     "div",   "rem",   "neg",        "abs",  "min",
      "max",      "fma",      "scale",  "sqrt",    "floor",   "ceil",  "trunc", "round_even", "and",  "or",
      "xor",      "not",      "shl",    "shr",     "sar",     "mulhi", "eq",    "ne",         "lt",   "le",
      "gt",       "ge",       "select", "convert", "bitcast", "index", "load",  "lookup",     "call", "call_where"};
  static_assert(std::size(names) == static_cast<std::size_t>(Opcode::call_where) + 1);
  return names[static_cast<std::size_t>(opcode)];
}

std::string_view name_of(LoopKind kind) {
  static constexpr std::string_view names[] = {"parallel", "serial", "vector", "unrolled"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Combine combine) {
  static constexpr std::string_view names[] = {"none", "add", "mul", "max", "min"};
  return names[static_cast<std::size_t>(combine)];
}

std::string_view name_of(Access access) {
  static constexpr std::string_view names[] = {"in", "out", "inout", "scratch"};
  return names[static_cast<std::size_t>(access)];
}

namespace {

/// Bit patterns of a dtype's notable numbers.
struct Extremes {
  std::uint64_t one, negative_zero, lowest, highest;  // lowest, highest: infinities where there are such
};

Extremes extremes(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return {1, 0, 0, 1};
    case DType::u8:
      return {1, 0, 0, 0xFF};
    case DType::u32:
      return {1, 0, 0, 0xFFFFFFFF};
    case DType::i32:
      return {1, 0, 0x80000000, 0x7FFFFFFF};
    case DType::i64:
      return {1, 0, std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1};
    case DType::f16:
      return {0x3C00, 0x8000, 0xFC00, 0x7C00};
    case DType::bf16:
      return {0x3F80, 0x8000, 0xFF80, 0x7F80};
    case DType::f32:
      return {0x3F800000, 0x80000000, 0xFF800000, 0x7F800000};
    case DType::f64:
      return {0x3FF0000000000000, 0x8000000000000000, 0xFFF0000000000000, 0x7FF0000000000000};
  }
  throw InternalError("kernel: unknown dtype");
}

}  // namespace

std::uint64_t identity_bits(Combine combine, DType dtype) {
  const Extremes e = extremes(dtype);
  switch (combine) {
    case Combine::add:
      return e.negative_zero;
    case Combine::mul:
      return e.one;
    case Combine::max:
      return e.lowest;
    case Combine::min:
      return e.highest;
    case Combine::none:
      break;
  }
  throw InternalError("kernel: a carried value that is not combined has no identity");
}

Value* ValuePool::create(Opcode opcode, DType dtype, std::vector<Value*> operands) {
  auto value = std::make_unique<Value>();
  value->opcode = opcode;
  value->dtype = dtype;
  value->operands = std::move(operands);
  value->id = static_cast<int>(values_.size());
  values_.push_back(std::move(value));
  return values_.back().get();
}

Block::Block() = default;
Block::~Block() = default;
Block::Block(Block&&) noexcept = default;
Block& Block::operator=(Block&&) noexcept = default;

const Loop* Kernel::parallel_loop() const {
  if (body.statements.size() != 1) return nullptr;
  const auto* loop = std::get_if<std::unique_ptr<Loop>>(&body.statements[0]);
  return loop && (*loop)->kind == LoopKind::parallel ? loop->get() : nullptr;
}

namespace {
constexpr std::int64_t kScratchAlignment = 64;
std::int64_t scratch_end(const std::vector<Buffer>& buffers, std::size_t count) {
  std::int64_t end = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (buffers[i].access != Access::scratch) continue;
    const std::int64_t bytes = buffers[i].elements * static_cast<std::int64_t>(size_of(buffers[i].dtype));
    end += (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  }
  return end;
}
}  // namespace

std::int64_t Kernel::scratch_bytes() const {
  return scratch_end(buffers, buffers.size());
}
std::int64_t Kernel::scratch_offset(int buffer) const {
  return scratch_end(buffers, static_cast<std::size_t>(buffer));
}
int Kernel::parameter_index(int buffer) const {
  return static_cast<int>(std::count_if(buffers.begin(), buffers.begin() + buffer,
                                        [](const Buffer& b) { return b.access != Access::scratch; }));
}

bool is_of_pairs(const Kernel& kernel, const Contract& contract) {
  const auto holds_two = [&](int buffer) {
    return kernel.buffers.at(static_cast<std::size_t>(buffer)).dtype == DType::u32;
  };
  return contract.accumulator->dtype == DType::f32 && holds_two(contract.a.buffer) && holds_two(contract.b.buffer);
}

}  // namespace pullback::kernel
