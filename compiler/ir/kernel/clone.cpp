#include "compiler/ir/kernel/clone.h"

#include <unordered_map>

namespace pullback::kernel {
namespace {

/// Walks the statements in order: what they read was copied when it was defined.
class Cloner {
 public:
  std::shared_ptr<Kernel> run(const Kernel& kernel) {
    auto copy = std::make_shared<Kernel>();
    copy->name = kernel.name;
    copy->buffers = kernel.buffers;
    copy->next_variable = kernel.next_variable;
    copy->contraction = kernel.contraction;
    copy->schedule = kernel.schedule;
    // All values, also those that no statement defines: ids are positions.
    for (std::size_t i = 0; i < kernel.values.size(); ++i) {
      const Value& value = kernel.values.at(i);
      Value* made = copy->values.create(value.opcode, value.dtype);
      values_.emplace(&value, made);
      made->name = value.name;
      made->bits = value.bits;
      made->buffer = value.buffer;
      made->table = value.table;
      made->function = value.function;
    }
    for (const auto& [value, made] : values_)
      for (const Value* operand : value->operands) made->operands.push_back(values_.at(operand));
    block(kernel.body, copy->body);
    return copy;
  }

 private:
  Value* value(const Value* v) const { return v ? values_.at(v) : nullptr; }
  Index index(const Index& i) const {
    return i.transferred([this](const LoopVar& v) { return variables_.at(&v); },
                         [this](const Value& v) { return values_.at(&v); });
  }
  void variable(const LoopVar& from, LoopVar& to) {
    to = from;
    variables_.emplace(&from, &to);
  }

  void block(const Block& from, Block& to) {
    for (const Statement& s : from.statements)
      std::visit([&](const auto& x) { to.statements.push_back(statement(x)); }, s);
  }
  Statement statement(const Define& define) {
    Value* made = value(define.value);
    made->index = index(define.value->index);
    return Define{made};
  }
  Statement statement(const Store& store) {
    return Store{store.buffer, index(store.index), value(store.value), value(store.predicate)};
  }
  Statement statement(const std::unique_ptr<Loop>& loop) {
    auto copy = std::make_unique<Loop>();
    variable(loop->variable, copy->variable);
    copy->kind = loop->kind;
    copy->width = loop->width;
    copy->accumulators = loop->accumulators;
    for (const Carried& c : loop->carried)
      copy->carried.push_back({value(c.init), c.combine, value(c.argument), value(c.yielded), value(c.result)});
    block(loop->body, copy->body);
    return copy;
  }
  Statement statement(const std::unique_ptr<If>& branch) {
    auto copy = std::make_unique<If>();
    copy->condition = value(branch->condition);
    block(branch->then_block, copy->then_block);
    block(branch->else_block, copy->else_block);
    return copy;
  }
  Statement statement(const std::unique_ptr<Contract>& tile) {
    auto copy = std::make_unique<Contract>();
    copy->rows = tile->rows;
    copy->columns = tile->columns;
    copy->depth = tile->depth;
    copy->around = tile->around;
    copy->bounds = tile->bounds;
    for (Contract::Bound& bound : copy->bounds) bound.base = index(bound.base);
    copy->a = tile->a;
    copy->a.base = index(tile->a.base);
    copy->b = tile->b;
    copy->b.base = index(tile->b.base);
    copy->copy = tile->copy;
    copy->copy.base = index(tile->copy.base);
    copy->fetches = tile->fetches;
    for (Contract::Fetch& fetch : copy->fetches) fetch.base = index(fetch.base);
    copy->start = tile->start;
    copy->start.base = index(tile->start.base);
    if (tile->start.condition) copy->start.condition = value(tile->start.condition);
    variable(tile->row, copy->row);
    variable(tile->column, copy->column);
    copy->accumulator = value(tile->accumulator);
    block(tile->epilogue, copy->epilogue);
    return copy;
  }

  std::unordered_map<const Value*, Value*> values_;
  std::unordered_map<const LoopVar*, const LoopVar*> variables_;
};

}  // namespace

std::shared_ptr<Kernel> clone(const Kernel& kernel) {
  return Cloner().run(kernel);
}

}  // namespace pullback::kernel
