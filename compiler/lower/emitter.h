// Writes the values of one kernel: an element is composed by running its op's rule, which reads operands through here,
// down to what lies in memory. Each element is composed once within a scope.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/builder.h"
#include "compiler/lower/access.h"
#include "compiler/lower/draft.h"
#include "compiler/ops/contexts.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

/// Where values lie: shared by all kernels of a region.
class Placement {
 public:
  explicit Placement(Draft& draft) : draft_(&draft) {}
  void place(const ir::Value* value, std::size_t storage) { storages_[value] = storage; }
  bool has(const ir::Value* value) const { return storages_.contains(value); }
  /// Does the value lie in memory? Constants do, too.
  bool is_stored(const ir::Value& value) const;
  /// The storage of a value that has one; makes one for a constant.
  std::size_t of(const ir::Value* value);
  /// The same, but makes none.
  std::optional<std::size_t> find(const ir::Value& value) const;
  Draft& draft() { return *draft_; }
  const Draft& draft() const { return *draft_; }

 private:
  Draft* draft_;
  PointerMap<std::size_t> storages_;
  std::vector<std::size_t> constants_;  ///< the storages of constants
};

class Emitter {
 public:
  /// `vector_bytes` is the width of a register. Values of `members` are computed even when they have a storage.
  Emitter(Unit& unit, Placement& placement, int vector_bytes, std::vector<const ir::Value*> members);

  kernel::Builder& build() { return build_; }
  int width_of(DType dtype) const;

  /// Partial vectors that reductions keep in flight, so that sums need not wait for each other.
  static constexpr int kVectorsInFlight = 8;
  /// From now on so many reductions over vectors will be merged into one loop and share what may be in flight.
  void reduce_together(int count) { reductions_together_ = count; }
  /// From now on reductions over several axes are over one, as long as all of these.
  void join_reductions(bool join) { joins_reductions_ = join; }

  /// The element of `value` at `indices`, composed at the current place.
  kernel::Value* element(const ir::Value* value, const ops::Indices& indices);
  /// One step of `anchor`, the result of an op that reduces: its partial result at `indices` combined with what the op
  /// reduces at position k. `so_far` null: what it starts from.
  kernel::Value* fold(const ir::Value* anchor, const ops::Indices& indices, const kernel::Index& k,
                      kernel::Value* so_far);
  /// Partial results of `anchor` at `indices`, `x` and then `y`, combined.
  kernel::Value* combine(const ir::Value* anchor, const ops::Indices& indices, kernel::Value* x, kernel::Value* y);
  /// Makes `computed` what element(value, indices) gives within the current scope.
  void provide(const ir::Value* value, const ops::Indices& indices, kernel::Value* computed);
  /// From now on `value` is read from `scratch`, where its element at row-major position `base` + i is element i.
  void keep(const ir::Value* value, int scratch, const kernel::Index& base) { kept_[value] = {scratch, base, false}; }
  /// The same by its position in memory.
  void keep_in_layout(const ir::Value* value, int scratch, const kernel::Index& base) {
    kept_[value] = {scratch, base, true};
  }
  /// From now on a member is read from its storage.
  void settle(const ir::Value* value) { std::erase(members_, value); }
  /// Stores into the value's own storage.
  void store(const ir::Value* value, const ops::Indices& indices, kernel::Value* computed);

  /// Runs `write` with a scope of its own: for the bodies of loops.
  template <class Write>
  auto scoped(const Write& write) {
    scopes_.emplace_back();
    struct Leave {
      Emitter* emitter;
      ~Leave() { emitter->scopes_.pop_back(); }
    } leave{this};
    return write();
  }
  /// Within it, reductions must not open vector loops.
  template <class Write>
  auto in_vector(const Write& write) {
    ++vector_depth_;
    struct Leave {
      Emitter* emitter;
      ~Leave() { --emitter->vector_depth_; }
    } leave{this};
    return scoped(write);
  }

  /// Notes that the kernel computes `op`.
  void note(const ir::Op& op);
  /// The kernel's buffer for a value in memory; added when first asked for.
  int buffer_of(const ir::Value* value, kernel::Access access);
  /// Position in memory of an element, by the value's layout.
  kernel::Index address(const ir::Value& value, const ops::Indices& indices) const;

 private:
  friend class ElementContext;
  friend class KernelContext;
  struct Key {
    const ir::Value* value;
    const kernel::Value* predicate;
    ops::Indices indices;
    bool operator==(const Key& other) const;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  using Scope = std::unordered_map<Key, kernel::Value*, KeyHash>;
  struct Kept {
    int scratch = -1;
    kernel::Index base;
    bool in_layout = false;
  };

  bool is_member(const ir::Value* value) const;
  Key key(const ir::Value* value, const kernel::Value* predicate, const ops::Indices& indices) const;
  kernel::Value* find(const Key& key) const;
  kernel::Value* element_if(kernel::Value* condition, const ir::Value* value, const ops::Indices& indices,
                            kernel::Value* fallback);
  kernel::Value* compose(const ir::Value* value, const ops::Indices& indices);
  kernel::Value* load(const ir::Value* value, const ops::Indices& indices);
  kernel::Value* start_of(kernel::Combine how, DType dtype);
  kernel::Value* reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                        const std::function<kernel::Value*(const ops::Indices&)>& body);
  kernel::Value* reduce_from(std::size_t axis, const std::vector<std::int64_t>& extents, kernel::Combine how,
                             kernel::Value* init, ops::Indices& indices,
                             const std::function<kernel::Value*(const ops::Indices&)>& body);

  Unit& unit_;
  Placement& placement_;
  int vector_bytes_;
  std::vector<const ir::Value*> members_;
  std::unordered_set<const ir::Op*> noted_;
  kernel::Builder build_;
  std::vector<Scope> scopes_;
  std::unordered_map<const ir::Value*, int> buffers_;
  std::unordered_map<const ir::Value*, Kept> kept_;
  kernel::Value* predicate_ = nullptr;  ///< under which loads happen; null: always
  int unread_ = 0;                      ///< what a load gives where its predicate does not hold
  int vector_depth_ = 0;
  int reductions_together_ = 1;
  bool joins_reductions_ = false;
};

/// Runs the op's own `kernel` rule: it reads operands (composed) and writes results (storages).
void write_kernel(const ir::Op& op, Emitter& emitter, Accesses& accesses, const ops::Registers& registers);

}  // namespace pullback::lower
