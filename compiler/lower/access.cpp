#include "compiler/lower/access.h"

#include <algorithm>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/math/math.h"

namespace pullback::lower {
namespace {

using kernel::Index;

/// Records the reads of one element; operands are buffers of the scratch kernel.
class Recorder : public ops::LowerContext {
 public:
  Recorder(const ir::Op& op, OpAccess& access)
      : op_(op), access_(access), build_(*access.scratch, &ops::math_functions()) {
    for (const ir::Value* operand : op.operands)
      build_.buffer("operand", operand->type.dtype, count_of(*operand), kernel::Access::in);
    access.result = {"f", count_of(*op.result()), access.scratch->next_variable++};
    access.reduced = {"k", 0, access.scratch->next_variable++};
    indices_ = kernel::unflatten(access.result_index(), dims_of(*op.result()));
  }

  const ir::Op& op() const override { return op_; }
  kernel::Builder& build() override { return build_; }
  const ops::Indices& indices() const override { return indices_; }

  using LowerContext::read;
  kernel::Value* read(std::size_t operand, const ops::Indices& indices) override {
    if (count_of(*op_.operand(operand)) == 0) return build_.constant(op_.operand(operand)->type.dtype, 0);
    const Index address = kernel::flatten(indices, operand_dims(operand));
    access_.reads.push_back({operand, address});
    return build_.load(static_cast<int>(operand), address);
  }
  kernel::Value* read_if(kernel::Value* condition, std::size_t operand, const ops::Indices& indices,
                         kernel::Value* fallback) override {
    return build_.select(condition, read(operand, indices), fallback);
  }
  kernel::Value* reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                        const std::function<kernel::Value*(const ops::Indices&)>& body) override {
    ++access_.reductions;
    std::int64_t count = 1;
    for (std::int64_t extent : extents) count *= extent;
    if (access_.reductions == 1) access_.reduced.extent = access_.reduced_count = count;
    if (access_.reductions > 1) access_.reduced_count = 0;  // no single pattern
    kernel::LoopVar* variable_of = &access_.reduced;
    if (access_.reductions > 1) {
      access_.others.push_back(
          std::make_unique<kernel::LoopVar>(kernel::LoopVar{"k", count, access_.scratch->next_variable++}));
      variable_of = access_.others.back().get();
    }
    const kernel::LoopVar& variable = *variable_of;
    const Index position = variable.extent <= 1 ? Index(0) : Index(variable);
    kernel::Value* element = body(kernel::unflatten(position, extents));
    return build_.combine(how, build_.constant(dtype, 0), element);
  }

  void outer_loop(std::int64_t, const std::function<void(const Index&)>&) override { not_an_element(); }
  kernel::Value* load(std::size_t, const ops::Indices&) override { not_an_element(); }
  void store(std::size_t, const ops::Indices&, kernel::Value*) override { not_an_element(); }
  ops::Memory operand_memory(std::size_t) override { not_an_element(); }
  ops::Memory result_memory(std::size_t) override { not_an_element(); }
  ops::Registers registers() const override { not_an_element(); }

 private:
  [[noreturn]] void not_an_element() const {
    throw InternalError("lower: the element rule of " + op_.def->name + " writes a kernel");
  }

  const ir::Op& op_;
  OpAccess& access_;
  kernel::Builder build_;
  ops::Indices indices_;
};

int cost_of(const kernel::Block& block, bool& loops) {
  int cost = 0;
  for (const kernel::Statement& statement : block.statements) {
    if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
      loops = true;
      cost += 4 * cost_of((*loop)->body, loops);
    }
    const auto* define = std::get_if<kernel::Define>(&statement);
    if (!define) continue;
    switch (define->value->opcode) {
      case kernel::Opcode::load:
        break;
      case kernel::Opcode::call:
      case kernel::Opcode::call_where:
        cost += 10;
        break;
      case kernel::Opcode::div:
      case kernel::Opcode::rem:
      case kernel::Opcode::sqrt:
        cost += 4;
        break;
      default:
        ++cost;
    }
  }
  return cost;
}

}  // namespace

namespace {

/// Does an address depend on values that are read? Those are the values of one op's scratch kernel.
bool is_dynamic(const OpAccess& access) {
  bool dynamic = false;
  for (const Read& read : access.reads)
    read.address.for_each_atom([&](const kernel::Atom& atom) { dynamic |= atom.kind == kernel::Atom::Kind::dynamic; });
  return dynamic;
}

}  // namespace

const OpAccess& Accesses::find(const ir::Op& op) {
  const std::size_t form = forms_->of(op);
  if (form >= by_form_.size()) by_form_.resize(form + 1);
  if (by_form_[form]) return *(cache_[&op] = by_form_[form]);
  const auto access = std::make_shared<OpAccess>();
  access->scratch = std::make_shared<kernel::Kernel>();
  Recorder recorder(op, *access);
  op.def->element(recorder);
  access->cost = cost_of(access->scratch->body, access->loops);
  if (form > 0 && !is_dynamic(*access)) by_form_[form] = access;
  return *(cache_[&op] = access);
}

std::vector<std::int64_t> dims_of(const ir::Value& value) {
  return ir::static_dims(value.type.shape);
}

std::int64_t count_of(const ir::Value& value) {
  std::int64_t count = 1;
  for (const Dim& d : value.type.shape) {
    if (!d.is_constant()) throw InternalError("shape " + to_string(value.type.shape) + " is not specialized");
    count *= d.constant();
  }
  return count;
}

kernel::Index substitute(const kernel::Index& address, const kernel::LoopVar& variable, const Index& replacement) {
  if (address.is_variable(variable)) return replacement;  // most ops read where they write
  return address.substitute([&](const kernel::LoopVar& v) { return &v == &variable ? replacement : Index(v); });
}

}  // namespace pullback::lower
