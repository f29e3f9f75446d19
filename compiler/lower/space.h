// The iteration spaces of groups: when two groups can share one, and where an anchor is when it reads another.
#pragma once

#include <optional>
#include <vector>

#include "compiler/lower/group.h"

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
/// Is that position `address`?
bool is_in_step(const Group& space, const ir::Value& anchor, const OpAccess& access, Group::Along along,
                const kernel::Index& address);

}  // namespace pullback::lower
