// Walks an iteration space: loops over its axes, one of them by vectors, the outer ones in parallel when that is asked
// for.
#pragma once

#include <functional>
#include <vector>

#include "compiler/lower/axes.h"
#include "compiler/lower/emitter.h"

namespace pullback::lower {

/// How a space is walked: the axes from outermost to innermost, one of them by vectors.
struct Walk {
  std::vector<Axis> axes;
  std::ptrdiff_t vector = -1;  ///< position in axes; -1: none, reductions inside use vectors
  int width = 1, accumulators = 1;
  bool parallel = false;
  /// An axis that is cut into blocks, each of which runs inside the vector loop: what is read across its memory order
  /// (a transpose) then uses up the cache lines that a vector touches. -1: none.
  std::ptrdiff_t blocked = -1;
  std::int64_t block = 1;
  /// Neighbours on the last axis that are given to the body at once; not where an axis is walked by vectors.
  std::int64_t together = 1;
  bool joined = false;  ///< reductions over several axes inside are over one
  /// Where the vector's axis is cut into loops of their own: at the edges of what is padded or put together, so that
  /// each piece computes only what it is made of.
  std::vector<std::int64_t> cuts;
};

/// A position on each of walk.axes.
using Positions = std::vector<kernel::Index>;
/// What happens at a place, or at walk.together of them (the last ones of an axis may be fewer).
using WalkBody = std::function<void(const std::vector<Positions>& places)>;

/// The variables of the outermost loops, one inside the other. Throws InternalError where there are fewer.
std::vector<const kernel::LoopVar*> nest_variables(const kernel::Block& body, std::size_t count);

/// How many iterations of `rows` reduce in one loop, where each reduces along memory: what they all read is read once,
/// and memory comes in as many streams, of which a core follows more than one row's.
/// `large`: the work is worth several threads, and is left in parts enough. Whether there are several must not matter:
/// sums depend on it. 1: they are written one by one.
std::int64_t reductions_together(const Survey& seen, const kernel::LoopVar& rows, bool large);

/// Do reductions inside gain by being over one axis each, rather than over several of which the last is short? `nested`
/// and `joined` are what is done in either case.
bool gains_by_joining(const Survey& nested, const Survey& joined, int vector_bytes);

/// Writes the loops: all axes but the vector's, then that, with `body` innermost.
void walk_space(Emitter& emitter, const Walk& walk, const WalkBody& body);

}  // namespace pullback::lower
