#include "compiler/ir/kernel/interpret.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/ir/kernel/print.h"

namespace pullback::kernel {
namespace {

using Environment = std::vector<std::uint64_t>;  // by Value::id

std::uint64_t read(const Environment& values, const Value* v) {
  return v->opcode == Opcode::constant ? v->bits : values[static_cast<std::size_t>(v->id)];
}

std::uint64_t look_up(const Table& table, std::uint64_t bits, DType dtype) {
  const std::int64_t at = dtype == DType::i32 ? static_cast<std::int32_t>(bits) : static_cast<std::int64_t>(bits);
  if (at < 0 || at >= static_cast<std::int64_t>(table.bits.size()))
    throw InternalError(fmt::format("kernel interpreter: lookup {}[{}] is out of range", table.name, at));
  return table.bits[static_cast<std::size_t>(at)];
}

/// Any value that reads no buffer, no index.
std::uint64_t compute(const Environment& values, const Value& v) {
  std::array<std::uint64_t, 8> in{};
  const std::size_t count = v.operands.size();
  if (count > in.size()) throw InternalError("kernel interpreter: too many operands");
  for (std::size_t i = 0; i < count; ++i) in[i] = read(values, v.operands[i]);
  switch (v.opcode) {
    case Opcode::lookup:
      return look_up(*v.table, in[0], v.operands[0]->dtype);
    case Opcode::call:
      return evaluate(*v.function, std::span(in.data(), count));
    case Opcode::call_where:
      return in[0] ? evaluate(*v.function, std::span(in.data() + 1, count - 2)) : in[count - 1];
    default:
      return evaluate(v.opcode, v.operands.back()->dtype, v.dtype, std::span(in.data(), count));
  }
}

class Machine {
 public:
  Machine(const Kernel& kernel, std::span<void* const> parameters)
      : kernel_(kernel),
        values_(kernel.values.size()),
        variables_(static_cast<std::size_t>(kernel.next_variable)),
        scratch_(static_cast<std::size_t>(kernel.scratch_bytes()), std::byte{0xFF}) {  // reads as NaN: undefined
    for (std::size_t i = 0; i < kernel.buffers.size(); ++i) {
      const int position = static_cast<int>(i);
      if (kernel.buffers[i].access == Access::scratch)
        memory_.push_back(scratch_.data() + kernel.scratch_offset(position));
      else
        memory_.push_back(
            static_cast<std::byte*>(parameters[static_cast<std::size_t>(kernel.parameter_index(position))]));
    }
  }

  void run(const Block& block) {
    for (const Statement& s : block.statements) std::visit([this](const auto& x) { execute(x); }, s);
  }

  void iterate(const Loop& loop, std::int64_t begin, std::int64_t end) {
    const auto lanes = static_cast<std::size_t>(loop.lanes());
    std::vector<Environment> partial;  // of each carried value, its lanes
    for (const Carried& c : loop.carried)
      partial.push_back(c.combine == Combine::none ? Environment{get(c.init)}
                                                   : Environment(lanes, identity_bits(c.combine, c.init->dtype)));
    for (std::int64_t e = begin; e < end; ++e) {
      variables_[static_cast<std::size_t>(loop.variable.id)] = e;
      const auto lane_of = [&](std::size_t i) -> std::uint64_t& {
        return partial[i][static_cast<std::size_t>(e) % partial[i].size()];
      };
      for (std::size_t i = 0; i < partial.size(); ++i) set(loop.carried[i].argument, lane_of(i));
      run(loop.body);
      for (std::size_t i = 0; i < partial.size(); ++i) lane_of(i) = get(loop.carried[i].yielded);
    }
    for (std::size_t i = 0; i < partial.size(); ++i) set(loop.carried[i].result, finish(loop.carried[i], partial[i]));
  }

 private:
  std::uint64_t get(const Value* v) const { return read(values_, v); }
  void set(const Value* v, std::uint64_t bits) { values_[static_cast<std::size_t>(v->id)] = bits; }

  /// The tree over the lanes, then the initial value.
  std::uint64_t finish(const Carried& carried, Environment& lanes) const {
    if (carried.combine == Combine::none) return lanes[0];
    static constexpr Opcode opcodes[] = {Opcode::add, Opcode::add, Opcode::mul, Opcode::max, Opcode::min};
    const DType dtype = carried.init->dtype;
    const auto meet = [&](std::uint64_t x, std::uint64_t y) {
      const std::uint64_t operands[] = {x, y};
      return evaluate(opcodes[static_cast<std::size_t>(carried.combine)], dtype, dtype, operands);
    };
    for (std::size_t n = lanes.size(); n > 1; n /= 2)
      for (std::size_t i = 0; i < n / 2; ++i) lanes[i] = meet(lanes[i], lanes[i + n / 2]);
    return meet(get(carried.init), lanes[0]);
  }

  std::int64_t address(const Index& index) const {
    return index.evaluate([this](const LoopVar& v) { return variables_[static_cast<std::size_t>(v.id)]; },
                          [this](const Value& v) { return static_cast<std::int64_t>(get(&v)); });
  }

  std::byte* element(int buffer, std::int64_t at) {
    const Buffer& b = kernel_.buffers[static_cast<std::size_t>(buffer)];
    if (at < 0 || at >= b.elements)
      throw InternalError(fmt::format("kernel interpreter: {}[{}] is outside the buffer of {} elements\n{}", b.name, at,
                                      b.elements, print(kernel_)));
    return memory_[static_cast<std::size_t>(buffer)] + at * static_cast<std::int64_t>(size_of(b.dtype));
  }
  DType dtype_of_buffer(int buffer) const { return kernel_.buffers[static_cast<std::size_t>(buffer)].dtype; }
  std::uint64_t load(int buffer, std::int64_t at) {
    std::uint64_t bits = 0;  // little-endian: the low bytes
    std::memcpy(&bits, element(buffer, at), size_of(dtype_of_buffer(buffer)));
    return bits;
  }

  void execute(const Define& define) {
    const Value& v = *define.value;
    if (v.opcode == Opcode::index_value)
      set(&v, static_cast<std::uint64_t>(address(v.index)));
    else if (v.opcode == Opcode::load)
      set(&v, v.operands.empty() || get(v.operands[0]) ? load(v.buffer, address(v.index)) : get(v.operands[1]));
    else
      set(&v, compute(values_, v));
  }
  void execute(const Store& store) {
    if (store.predicate && !get(store.predicate)) return;
    const std::uint64_t bits = get(store.value);
    std::memcpy(element(store.buffer, address(store.index)), &bits, size_of(store.value->dtype));
  }
  void execute(const std::unique_ptr<Loop>& loop) { iterate(*loop, 0, loop->variable.extent); }
  void execute(const std::unique_ptr<If>& branch) {
    run(get(branch->condition) ? branch->then_block : branch->else_block);
  }

  /// All of the tile first, then the epilogue: its stores may overwrite the start.
  void execute(const std::unique_ptr<Contract>& c) {
    std::vector<std::uint64_t> tile;
    for (std::int64_t row = 0; row < c->rows; ++row)
      for (std::int64_t column = 0; column < c->columns; ++column) tile.push_back(chain(*c, row, column));
    if (c->copy.buffer >= 0)
      for (std::int64_t k = 0; k < c->depth; ++k)
        for (std::int64_t column = 0; column < c->columns; ++column) {
          const DType to = dtype_of_buffer(c->copy.buffer);
          const std::uint64_t bits = load_as(to, c->b.buffer, address(c->b.base) + k * c->b.stride_depth + column);
          std::memcpy(element(c->copy.buffer, address(c->copy.base) + k * c->copy.stride_depth + column), &bits,
                      size_of(to));
        }
    for (std::int64_t row = 0; row < c->rows; ++row)
      for (std::int64_t column = 0; column < c->columns; ++column) {
        variables_[static_cast<std::size_t>(c->row.id)] = row;
        variables_[static_cast<std::size_t>(c->column.id)] = column;
        set(c->accumulator, tile[static_cast<std::size_t>(row * c->columns + column)]);
        run(c->epilogue);
      }
  }
  std::uint64_t load_as(DType dtype, int buffer, std::int64_t at) {
    const std::uint64_t bits = load(buffer, at);
    return evaluate(Opcode::convert, dtype_of_buffer(buffer), dtype, std::span(&bits, 1));
  }
  std::uint64_t chain(const Contract& c, std::int64_t row, std::int64_t column) {
    const DType dtype = c.accumulator->dtype;
    const bool pairs = is_of_pairs(kernel_, c);
    std::uint64_t sum = 0;
    if (c.start.buffer >= 0 && (!c.start.condition || get(c.start.condition)))
      sum = load_as(dtype, c.start.buffer, address(c.start.base) + row * c.start.stride_row + column);
    const auto add_product = [&](std::uint64_t a, std::uint64_t b) {
      const std::uint64_t operands[] = {a, b, sum};
      sum = evaluate(Opcode::fma, dtype, dtype, operands);
    };
    std::vector<std::int64_t> at(c.around.size() + 1);
    const auto inside = [&] {
      return std::all_of(c.bounds.begin(), c.bounds.end(), [&](const Contract::Bound& bound) {
        std::int64_t coordinate = address(bound.base) + c.a.in_run(row) * bound.step_row;
        for (std::size_t l = 0; l < at.size(); ++l) coordinate += bound.steps[l] * at[l];
        return coordinate >= 0 && coordinate < bound.size;
      });
    };
    const auto run = [&](const auto& self, std::size_t level, std::int64_t a, std::int64_t b) -> void {
      if (level < c.around.size()) {
        const Contract::Around& loop = c.around[level];
        for (at[level] = 0; at[level] < loop.extent; ++at[level])
          self(self, level + 1, a + at[level] * loop.stride_a, b + at[level] * loop.stride_b);
        return;
      }
      for (std::int64_t k = 0; k < c.depth; ++k) {
        at[level] = k;
        if (!inside()) continue;
        const std::int64_t at_a = a + k * c.a.stride_depth, at_b = b + k * c.b.stride_depth;
        if (!pairs) {
          add_product(load_as(dtype, c.a.buffer, at_a), load_as(dtype, c.b.buffer, at_b));
          continue;
        }
        // A bf16 number is the upper half of the f32 of the same value.
        const std::uint64_t two_a = load(c.a.buffer, at_a), two_b = load(c.b.buffer, at_b);
        add_product(two_a & 0xffff0000, two_b & 0xffff0000);
        add_product(two_a << 16 & 0xffff0000, two_b << 16 & 0xffff0000);
      }
    };
    run(run, 0, address(c.a.base) + c.a.of_row(row) + column * c.a.stride_column,
        address(c.b.base) + column * c.b.stride_column);
    return sum;
  }

  const Kernel& kernel_;
  Environment values_;
  std::vector<std::int64_t> variables_;  // by LoopVar::id
  std::vector<std::byte> scratch_;
  std::vector<std::byte*> memory_;  // by position in Kernel::buffers
};

}  // namespace

void interpret(const Kernel& kernel, std::span<void* const> parameters) {
  Machine(kernel, parameters).run(kernel.body);
}

void interpret(const Kernel& kernel, std::span<void* const> parameters, std::int64_t begin, std::int64_t end) {
  const Loop* loop = kernel.parallel_loop();
  if (!loop)
    throw InternalError("kernel interpreter: kernel " + kernel.name + " has no parallel loop to run a part of");
  Machine(kernel, parameters).iterate(*loop, begin, end);
}

std::uint64_t evaluate(const Function& function, std::span<const std::uint64_t> arguments) {
  Environment values(function.values.size());
  for (std::size_t i = 0; i < function.parameters.size(); ++i)
    values[static_cast<std::size_t>(function.parameters[i]->id)] = arguments[i];
  for (const Statement& s : function.body.statements) {
    const Value& v = *std::get<Define>(s).value;
    values[static_cast<std::size_t>(v.id)] = compute(values, v);
  }
  return read(values, function.result);
}

}  // namespace pullback::kernel
