// Appends ops to a region, running each op's shape rule, and copies ops between regions.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/ir/value_map.h"

namespace pullback::ir {

class KnownOps;

class Builder {
 public:
  /// Appends to `region` from its end on.
  explicit Builder(Region& region) : region_(&region) {}

  /// Appends the op after running its shape rule, which throws Error with the op, the shapes and location.line. With
  /// `known`, an equal op that is there already is returned instead.
  Op* create(const ops::OpDef& def, std::vector<Value*> operands, Attributes attributes = {},
             std::vector<std::unique_ptr<Region>> regions = {});
  /// Same, with result(0).
  Value* value(const ops::OpDef& def, std::vector<Value*> operands, Attributes attributes = {}) {
    return create(def, std::move(operands), std::move(attributes))->result(0);
  }
  /// Appends a copy of `op` whose operands are looked up in `map` (an operand that is not there stays), and adds its
  /// results to `map`. Types are inferred anew where an operand or a shape may differ from the original's.
  Op* copy(const Op& op, ValueMap& map);
  /// Copies all ops of `from` and returns what its results became.
  std::vector<Value*> copy_body(const Region& from, ValueMap& map);
  /// Makes the (so far empty) region a copy of `from`: arguments, ops and results. Returns where its values went.
  ValueMap copy_region(const Region& from);

  Region& region() const { return *region_; }
  /// Given to every op created from now on (copies keep their own).
  LocationRef location;
  /// Substituted in the shape attributes and in the nested regions of ops that are copied from now on.
  Bindings bindings;
  /// Ops of the region that need not be created a second time; null: each is created.
  KnownOps* known = nullptr;

 private:
  /// Appends the op, or finds it among the known ones; its results have the types of `original`, or those inferred.
  Op* append(std::unique_ptr<Op> op, const Op* original);

  Region* region_;
};

/// A deep copy of an (isolated) region.
std::unique_ptr<Region> clone_region(const Region& from);

}  // namespace pullback::ir
