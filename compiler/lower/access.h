// What an op reads, found by running its `element` rule once on a scratch kernel: no pass needs to know the ops.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/lower/form_numbers.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

/// One element read for result element `f` (a row-major position).
struct Read {
  std::size_t operand = 0;
  kernel::Index address;  ///< row-major position in the operand, over `result` and `reduced` of the OpAccess
};

/// The access pattern of an op with an `element` rule. Owns the scratch kernel whose variables the addresses mention.
struct OpAccess {
  std::vector<Read> reads;
  kernel::LoopVar result;          ///< position in result 0; extent 1 reads as the constant 0
  kernel::LoopVar reduced;         ///< position in the reduced extents, when there is exactly one reduction
  std::int64_t reduced_count = 0;  ///< their product; 0: the op reduces nothing, or not in the one plain way
  int reductions = 0;              ///< calls of LowerContext::reduce
  bool loops = false;              ///< the rule wrote loops of its own
  int cost = 0;                    ///< about how many instructions an element takes, a function call being 10
  std::shared_ptr<kernel::Kernel> scratch;
  std::vector<std::unique_ptr<kernel::LoopVar>> others;  ///< variables of further reductions

  kernel::Index result_index() const { return result.extent == 1 ? kernel::Index(0) : kernel::Index(result); }
  kernel::Index reduced_index() const { return reduced.extent <= 1 ? kernel::Index(0) : kernel::Index(reduced); }
};

/// Element (i0, i1, ...) of a value is at offset + sum of strides[d] * i_d in the memory of `base`.
struct View {
  const ir::Value* base = nullptr;
  std::int64_t offset = 0;
  std::vector<std::int64_t> strides;
};

/// The view that a value was found to be of `base`, if it is one.
struct KnownView {
  const ir::Value* base = nullptr;
  std::optional<View> view;
};

struct Expression;

/// Looks ops up, analyzing each form once.
class Accesses {
 public:
  /// `forms`: those that others have numbered already.
  explicit Accesses(std::shared_ptr<FormNumbers> forms = std::make_shared<FormNumbers>()) : forms_(std::move(forms)) {}

  /// `op` has an `element` rule and a result that is not empty. Reads of empty operands do not count. Ops of one form
  /// have one access.
  const OpAccess& of(const ir::Op& op) {
    const std::shared_ptr<const OpAccess>* known = cache_.find(&op);
    return known ? **known : find(op);
  }
  const std::shared_ptr<FormNumbers>& forms() const { return forms_; }
  /// A place for what is_contraction() found of the op.
  std::optional<bool>& contraction(const ir::Op& op) { return contractions_[&op]; }
  /// The same of all ops whose expressions have a key.
  ByText<bool>& contractions_by_key() { return contractions_by_key_; }
  /// A place for what view_of() found of the value last: what is stored may have changed since then.
  KnownView& view(const ir::Value& value) { return views_[&value]; }
  /// What is known of expressions by their keys.
  ByText<std::shared_ptr<const Expression>>& expressions() { return expressions_; }

 private:
  const OpAccess& find(const ir::Op& op);

  std::shared_ptr<FormNumbers> forms_;
  PointerMap<KnownView> views_;
  PointerMap<std::shared_ptr<const OpAccess>> cache_;
  std::vector<std::shared_ptr<const OpAccess>> by_form_;  ///< by number
  PointerMap<std::optional<bool>> contractions_;
  ByText<bool> contractions_by_key_;
  ByText<std::shared_ptr<const Expression>> expressions_;
};

/// The number of elements of a value of known shape.
std::int64_t count_of(const ir::Value& value);
std::vector<std::int64_t> dims_of(const ir::Value& value);

/// address(variable := replacement)
kernel::Index substitute(const kernel::Index& address, const kernel::LoopVar& variable,
                         const kernel::Index& replacement);

}  // namespace pullback::lower
