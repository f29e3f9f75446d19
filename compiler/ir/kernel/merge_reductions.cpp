#include "compiler/ir/kernel/merge_reductions.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace pullback::kernel {
namespace {

/// Does it reduce, and nothing else: definitions alone, no store, no loop inside?
bool only_reduces(const Loop& loop) {
  return loop.kind == LoopKind::vector && !loop.carried.empty() &&
         std::all_of(loop.body.statements.begin(), loop.body.statements.end(),
                     [](const Statement& s) { return std::holds_alternative<Define>(s); });
}

bool are_alike(const Loop& a, const Loop& b) {
  return a.variable.extent == b.variable.extent && a.width == b.width && a.accumulators == b.accumulators;
}

bool is_same(const Value& a, const Value& b) {
  return a.opcode == b.opcode && a.dtype == b.dtype && a.bits == b.bits && a.operands == b.operands &&
         a.buffer == b.buffer && a.index == b.index && a.table == b.table && a.function == b.function;
}

/// Merges what follows a loop in its block into that loop.
class Merger {
 public:
  Merger(Block& block, std::size_t first, int most_vectors)
      : statements_(block.statements), first_(first), into_(loop_at(first)), most_vectors_(most_vectors) {
    note_results(*into_);
  }

  void run() {
    for (std::size_t next = first_ + 1; next < statements_.size();) {
      Statement& statement = statements_[next];
      if (const auto* define = std::get_if<Define>(&statement)) {
        if (needs_results(*define->value)) later_.insert(define->value);
        ++next;
        continue;
      }
      auto* loop = std::get_if<std::unique_ptr<Loop>>(&statement);
      if (!loop || !only_reduces(**loop)) return;
      if (!fits(**loop)) {
        note_results(**loop);
        ++next;
        continue;
      }
      next = merge(next);
    }
  }

 private:
  Loop* loop_at(std::size_t i) { return std::get<std::unique_ptr<Loop>>(statements_[i]).get(); }

  void note_results(const Loop& loop) {
    for (const Carried& carried : loop.carried) later_.insert(carried.result);
  }

  /// Is it known only after the loop?
  bool needs_results(const Value& value) const {
    bool needs = std::any_of(value.operands.begin(), value.operands.end(), [&](Value* v) { return later_.count(v); });
    value.index.for_each_atom(
        [&](const Atom& atom) { needs = needs || (atom.kind == Atom::Kind::dynamic && later_.count(atom.value)); });
    return needs;
  }

  bool fits(const Loop& loop) const {
    const int vectors = static_cast<int>(into_->carried.size() + loop.carried.size()) * into_->accumulators;
    if (!are_alike(*into_, loop) || vectors > most_vectors_) return false;
    const auto is_later = [&](const Carried& carried) { return later_.count(carried.init) != 0; };
    if (std::any_of(loop.carried.begin(), loop.carried.end(), is_later)) return false;
    return std::none_of(loop.body.statements.begin(), loop.body.statements.end(),
                        [&](const Statement& s) { return needs_results(*std::get<Define>(s).value); });
  }

  /// What the loop at `next` may need comes before the merged one. Returns where to go on.
  std::size_t merge(std::size_t next) {
    std::unique_ptr<Loop> loop = std::move(std::get<std::unique_ptr<Loop>>(statements_[next]));
    statements_.erase(statements_.begin() + static_cast<std::ptrdiff_t>(next));
    const auto between = statements_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto end = statements_.begin() + static_cast<std::ptrdiff_t>(next);
    const auto is_earlier = [&](const Statement& s) {
      const auto* define = std::get_if<Define>(&s);
      return define && !later_.count(define->value);
    };
    first_ += static_cast<std::size_t>(std::stable_partition(between, end, is_earlier) - between);
    append(*loop);
    return next;
  }

  void append(Loop& loop) {
    std::unordered_map<const Value*, Value*> known;
    const auto now = [&](Value* value) {
      const auto found = known.find(value);
      return found == known.end() ? value : found->second;
    };
    for (Statement& statement : loop.body.statements) {
      Value* value = std::get<Define>(statement).value;
      for (Value*& operand : value->operands) operand = now(operand);
      value->index =
          value->index.substitute([&](const LoopVar& v) { return Index(&v == &loop.variable ? into_->variable : v); });
      if (Value* same = find_same(*value))
        known[value] = same;
      else
        into_->body.statements.emplace_back(Define{value});
    }
    for (Carried& carried : loop.carried) {
      carried.yielded = now(carried.yielded);
      into_->carried.push_back(carried);
    }
    note_results(loop);
  }

  /// A value of the loop that is equal. Integers that addresses may depend on stay what they are.
  Value* find_same(const Value& value) const {
    if (value.dtype == DType::i64) return nullptr;
    for (const Statement& statement : into_->body.statements) {
      Value* other = std::get<Define>(statement).value;
      if (is_same(*other, value)) return other;
    }
    return nullptr;
  }

  std::vector<Statement>& statements_;
  std::size_t first_;  ///< where the loop stands that the others are merged into
  Loop* into_;
  const int most_vectors_;
  std::unordered_set<const Value*> later_;
};

void merge_within(Block& block, int most_vectors) {
  for (std::size_t i = 0; i < block.statements.size(); ++i) {
    if (auto* branch = std::get_if<std::unique_ptr<If>>(&block.statements[i])) {
      merge_within((*branch)->then_block, most_vectors);
      merge_within((*branch)->else_block, most_vectors);
    }
    auto* loop = std::get_if<std::unique_ptr<Loop>>(&block.statements[i]);
    if (!loop) continue;
    if (only_reduces(**loop))
      Merger(block, i, most_vectors).run();
    else
      merge_within((*loop)->body, most_vectors);
  }
}

}  // namespace

void merge_reductions(Kernel& kernel, int most_vectors) {
  merge_within(kernel.body, most_vectors);
}

}  // namespace pullback::kernel
