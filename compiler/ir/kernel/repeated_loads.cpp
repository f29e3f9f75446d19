#include "compiler/ir/kernel/repeated_loads.h"

#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

namespace pullback::kernel {
namespace {

/// Copies that stay in the first level of the cache, and iterations that pay for one.
constexpr std::int64_t kMostElements = 1024, kFewestIterations = 4;

/// Elements that one vector loop reads, and where they are copied to.
struct Copy {
  int from = -1, to = -1;
  Index index;
  const LoopVar* variable = nullptr;
};

class Keeper {
 public:
  explicit Keeper(Kernel& kernel) : kernel_(kernel) {}

  void within(Block& block) {
    for (std::size_t i = 0; i < block.statements.size(); ++i) {
      if (auto* branch = std::get_if<std::unique_ptr<If>>(&block.statements[i])) {
        within((*branch)->then_block);
        within((*branch)->else_block);
      }
      auto* found = std::get_if<std::unique_ptr<Loop>>(&block.statements[i]);
      if (!found || (*found)->kind == LoopKind::vector) continue;
      within((*found)->body);
      if ((*found)->kind != LoopKind::serial) continue;
      std::vector<Statement> ahead = copies_for(**found);
      const auto count = static_cast<std::ptrdiff_t>(ahead.size());
      block.statements.insert(block.statements.begin() + static_cast<std::ptrdiff_t>(i),
                              std::make_move_iterator(ahead.begin()), std::make_move_iterator(ahead.end()));
      i += static_cast<std::size_t>(count);
    }
  }

 private:
  /// What comes ahead of the loop: copies, those that were to be made within it among them.
  std::vector<Statement> copies_for(Loop& around) {
    std::vector<Statement> ahead;
    std::vector<Statement>& body = around.body.statements;
    for (Statement& statement : body) {
      const auto* copying = std::get_if<std::unique_ptr<Loop>>(&statement);
      if (copying && made_.contains(copying->get()) && !depends_on(**copying, around.variable))
        ahead.push_back(std::move(statement));
    }
    std::erase_if(body, [](const Statement& statement) {
      const auto* loop = std::get_if<std::unique_ptr<Loop>>(&statement);
      return loop && !*loop;
    });
    for (Statement& statement : body) {
      auto* found = std::get_if<std::unique_ptr<Loop>>(&statement);
      if (!found || (*found)->kind != LoopKind::vector || made_.contains(found->get())) continue;
      Loop& loop = **found;
      if (!keeps_repeated_loads(around.variable.extent, loop.variable.extent)) continue;
      std::vector<Copy> copies;
      for (Statement& each : loop.body.statements) {
        auto* define = std::get_if<Define>(&each);
        if (!define || !is_repeated(*define->value, loop, around)) continue;
        Value& load = *define->value;
        const Copy* copy = nullptr;
        for (const Copy& known : copies)
          if (known.from == load.buffer && known.index == load.index) copy = &known;
        if (!copy) {
          copies.push_back({load.buffer, scratch_for(load, loop), load.index, &loop.variable});
          copy = &copies.back();
          ahead.emplace_back(copying(*copy, load.dtype, loop));
        }
        load.buffer = copy->to;
        load.index = Index(loop.variable);
      }
    }
    return ahead;
  }

  /// Does a loop that copies read elements that depend on the variable?
  static bool depends_on(const Loop& copying, const LoopVar& variable) {
    return std::get<Define>(copying.body.statements.front()).value->index.depends_on(variable);
  }

  bool is_repeated(const Value& value, const Loop& loop, const Loop& around) const {
    if (value.opcode != Opcode::load || !value.operands.empty()) return false;
    if (kernel_.buffers[static_cast<std::size_t>(value.buffer)].access != Access::in) return false;
    bool is_known = true;  // before the loop around
    value.index.for_each_atom([&](const Atom& atom) { is_known = is_known && atom.kind != Atom::Kind::dynamic; });
    return is_known && !value.index.depends_on(around.variable) && value.index.depends_on(loop.variable) &&
           !value.index.is_contiguous_in(loop.variable);
  }

  int scratch_for(const Value& load, const Loop& loop) {
    kernel_.buffers.push_back({"repeated", load.dtype, loop.variable.extent, Access::scratch});
    return static_cast<int>(kernel_.buffers.size()) - 1;
  }

  std::unique_ptr<Loop> copying(const Copy& copy, DType dtype, const Loop& like) {
    auto loop = std::make_unique<Loop>();
    loop->variable = {like.variable.name, like.variable.extent, kernel_.next_variable++};
    loop->kind = LoopKind::vector;
    loop->width = like.width;
    Value* load = kernel_.values.create(Opcode::load, dtype);
    load->buffer = copy.from;
    load->index =
        copy.index.substitute([&](const LoopVar& v) { return Index(&v == copy.variable ? loop->variable : v); });
    loop->body.statements.emplace_back(Define{load});
    loop->body.statements.emplace_back(Store{copy.to, Index(loop->variable), load});
    made_.insert(loop.get());
    return loop;
  }

  Kernel& kernel_;
  std::unordered_set<const Loop*> made_;
};

}  // namespace

bool keeps_repeated_loads(std::int64_t iterations, std::int64_t elements) {
  return iterations >= kFewestIterations && elements <= kMostElements;
}

void keep_repeated_loads(Kernel& kernel) {
  Keeper(kernel).within(kernel.body);
}

}  // namespace pullback::kernel
