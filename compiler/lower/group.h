// Which values share a kernel. An anchor is a value that a kernel computes as such; every other value is computed where
// it is read, inside its readers' kernels. A group is a set of anchors that one kernel computes together.
#pragma once

#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/lower/access.h"
#include "compiler/support/flat_set.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

/// An anchor (or region argument) that an anchor's expression reads.
struct AnchorRead {
  const ir::Value* value = nullptr;
  /// Over the reading anchor's result and reduced variables; the Accesses that were used hold it.
  const kernel::Index* address = nullptr;
};

struct Group {
  enum class Kind : std::uint8_t {
    elementwise,  ///< anchors of `rows` elements each, all computed at the same position
    rows,         ///< rows x inner positions: see Along
    contraction,  ///< `op` is a contraction; the other anchors are computed at its result's positions
    kernel,       ///< `op` has a rule that writes its own kernel
    control       ///< check or cond
  };
  /// What an anchor of a rows group has an element for. The rows are `slabs` runs of equal length when there are folds.
  enum class Along : std::uint8_t {
    full,   ///< each position
    row,    ///< each row: a reduction over its positions, or computed of such
    fold,   ///< each slab's each column: a reduction over the rows of the slab
    column  ///< the same, computed of folds
  };
  Kind kind = Kind::elementwise;
  std::int64_t rows = 0, inner = 1;
  std::int64_t slabs = 0;                  ///< 0: no folds
  FlatMap<const ir::Value*, Along> along;  ///< of each anchor of a rows group
  const ir::Op* op = nullptr;              ///< of contraction, kernel and control
  std::vector<const ir::Value*> anchors;   ///< in the order of the region
  std::vector<const ir::Value*> stored;    ///< those that other groups or the region's results read
  /// Of a convolution: the anchors that are computed image by image as soon as the image's result is there, in a space
  /// of their own (pooling), and those others that they read.
  std::vector<const ir::Value*> behind, passed;
  bool behind_in_step = false;  ///< what is behind has the dimensions of the result, and reads it element by element
  std::size_t first = 0;        ///< position in the region of the earliest anchor's op
};

struct Grouping {
  std::vector<Group> groups;                  ///< each after those it reads from
  PointerMap<std::size_t> group_of;           ///< of anchors
  PointerMap<std::vector<AnchorRead>> reads;  ///< of anchors that are composed
  bool is_anchor(const ir::Value* value) const { return group_of.contains(value); }
};

struct GroupLimits {
  bool fuse = true;
  /// Whether a contraction is joined by what only reads the same as it: both results are there at once then.
  bool join_contractions = true;
  int cone = 64;                         ///< ops an anchor's expression may hold
  int duplicate = 8;                     ///< the cost of an expression that is computed again rather than stored
  int anchors = 12;                      ///< of one group
  int buffers = 24;                      ///< of one kernel
  std::int64_t images = 8;               ///< that a convolution is worth to be cut into
  std::int64_t image_bytes = 256 << 10;  ///< of a convolution's result, to stay in the cache for what is behind it
};

Grouping group(const ir::Region& region, Accesses& accesses, const GroupLimits& limits = {});

/// Constants and region arguments: never computed.
bool is_leaf(const ir::Value& value);

/// The value that lies in memory: behind optimization barriers it lies where it did before.
const ir::Value& origin_of(const ir::Value& value);

}  // namespace pullback::lower
