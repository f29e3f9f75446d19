// The iteration spaces of groups: when two groups can share one, and where an anchor is when it reads another.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/lower/group.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

/// Makes `group`, of the result of `op` alone, a rows group if the op reduces as those can: along rows, or over the
/// rows of each slab. `reads` are what it reads in the end.
void find_rows(const ir::Op& op, const OpAccess& access, const std::vector<AnchorRead>& reads, Group& group);

/// The spaces that both groups could have together, each with the anchors of both.
std::vector<Group> joint_spaces(const Group& a, const Group& b);

/// The position in a member that lies `along` the space where the loops are when they compute the element of `anchor`,
/// over the variables of `access`. None: that member is not known there.
std::optional<kernel::Index> position_in_step(const Group& space, const ir::Value& anchor, const OpAccess& access,
                                              Group::Along along);

/// Compares positions, finding each once for all ops of a form.
class Steps {
 public:
  /// Is position_in_step() `address`?
  bool is_in_step(const Group& space, const ir::Value& anchor, const OpAccess& access, Group::Along along,
                  const kernel::Index& address);

 private:
  /// In spaces of rows with as many elements, of which a slab has so many.
  struct Position {
    Group::Along own, along;
    std::int64_t inner, rows;
    std::optional<kernel::Index> position;
  };
  PointerMap<std::vector<Position>> positions_;  ///< by the OpAccess
};

}  // namespace pullback::lower
