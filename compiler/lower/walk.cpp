#include "compiler/lower/walk.h"

#include <algorithm>

namespace pullback::lower {
namespace {

using kernel::Index;

/// The iterations of all axes but the vector's, then those. Positions are given in the order of walk.axes.
class Walker {
 public:
  Walker(Emitter& emitter, const Walk& walk, const WalkBody& body) : emitter_(emitter), walk_(walk), body_(body) {
    positions_.resize(walk.axes.size());
  }

  void run() {
    std::int64_t outer = 1;
    for (std::size_t a = 0; a < walk_.axes.size(); ++a)
      if (static_cast<std::ptrdiff_t>(a) != walk_.vector) outer *= outer_extent(a);
    if (!walk_.parallel)
      serial(0);
    else if (outer >= 8 || walk_.vector < 0)
      parallel_outer(outer);
    else
      parallel_pieces(outer);
  }

 private:
  kernel::Builder& build() { return emitter_.build(); }

  bool is_blocked(std::size_t axis) const { return static_cast<std::ptrdiff_t>(axis) == walk_.blocked; }
  /// Iterations outside the vector loop, and the position where one of them starts.
  std::int64_t outer_extent(std::size_t axis) const {
    return walk_.axes[axis].extent / (is_blocked(axis) ? walk_.block : 1);
  }
  Index outer_position(std::size_t axis, const Index& i) const { return is_blocked(axis) ? i * walk_.block : i; }

  void serial(std::size_t axis) {
    if (axis == walk_.axes.size()) return vector_loop();
    if (static_cast<std::ptrdiff_t>(axis) == walk_.vector) return serial(axis + 1);
    build().serial_loop("i", outer_extent(axis), [&](const Index& i) {
      positions_[axis] = outer_position(axis, i);
      emitter_.scoped([&] { serial(axis + 1); });
    });
  }

  /// Sets the positions of all axes but the vector's from one variable over all of them.
  void place_outer(const Index& position) {
    std::vector<std::int64_t> extents;
    for (std::size_t a = 0; a < walk_.axes.size(); ++a)
      if (static_cast<std::ptrdiff_t>(a) != walk_.vector) extents.push_back(outer_extent(a));
    const std::vector<Index> along = kernel::unflatten(position, extents);
    std::size_t next = 0;
    for (std::size_t a = 0; a < walk_.axes.size(); ++a)
      if (static_cast<std::ptrdiff_t>(a) != walk_.vector) positions_[a] = outer_position(a, along[next++]);
  }

  void parallel_outer(std::int64_t outer) {
    build().parallel_loop("p", outer, [&](const Index& p) {
      emitter_.scoped([&] {
        place_outer(p);
        vector_loop();
      });
    });
  }

  /// Few outer iterations: the vector axis is cut into pieces of whole vectors, all alike but the last.
  void parallel_pieces(std::int64_t outer) {
    const std::int64_t extent = walk_.axes[static_cast<std::size_t>(walk_.vector)].extent;
    const std::int64_t lanes = static_cast<std::int64_t>(walk_.width) * walk_.accumulators;
    const std::int64_t vectors = (extent + lanes - 1) / lanes;
    const std::int64_t wanted = std::min<std::int64_t>(vectors, 32 / outer + 1);
    const std::int64_t piece = (vectors + wanted - 1) / wanted * lanes;
    const std::int64_t pieces = (extent + piece - 1) / piece, last = extent - (pieces - 1) * piece;
    build().parallel_loop("p", outer * pieces, [&](const Index& p) {
      const Index part = kernel::mod(p, pieces);
      const auto run = [&](std::int64_t length) {
        emitter_.scoped([&] {
          place_outer(kernel::floordiv(p, pieces));
          vector_loop(part * piece, length);
        });
      };
      if (last == piece) return run(piece);
      kernel::Value* whole = build().lt(build().index_value(part), build().integer(DType::i64, pieces - 1));
      build().if_then_else(whole, [&] { run(piece); }, [&] { run(last); });
    });
  }

  void vector_loop() {
    if (walk_.vector < 0) return body_(positions_);
    std::int64_t begin = 0;
    for (const std::int64_t cut : walk_.cuts) {
      vector_loop(Index(begin), cut - begin);
      begin = cut;
    }
    vector_loop(Index(begin), walk_.axes[static_cast<std::size_t>(walk_.vector)].extent - begin);
  }

  void vector_loop(const Index& start, std::int64_t extent) {
    build().vector_loop("j", extent, walk_.width, walk_.accumulators, [&](const Index& j) {
      positions_[static_cast<std::size_t>(walk_.vector)] = start + j;
      emitter_.in_vector([&] { walk_.blocked < 0 ? body_(positions_) : block_loop(); });
    });
  }

  void block_loop() {
    const auto axis = static_cast<std::size_t>(walk_.blocked);
    const Index start = positions_[axis];
    build().unrolled_loop("t", walk_.block, [&](const Index& t) {
      positions_[axis] = start + t;
      emitter_.scoped([&] { body_(positions_); });
    });
  }

  Emitter& emitter_;
  const Walk& walk_;
  const WalkBody& body_;
  std::vector<Index> positions_;
};

}  // namespace

void walk_space(Emitter& emitter, const Walk& walk, const WalkBody& body) {
  Walker(emitter, walk, body).run();
}

}  // namespace pullback::lower
