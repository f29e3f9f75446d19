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
  bool is_grouped(std::size_t axis) const { return walk_.together > 1 && axis + 1 == walk_.axes.size(); }
  /// How many positions of an axis one iteration outside the vector loop is for.
  std::int64_t step(std::size_t axis) const {
    return is_blocked(axis) ? walk_.block : is_grouped(axis) ? walk_.together : 1;
  }
  std::int64_t outer_extent(std::size_t axis) const { return (walk_.axes[axis].extent + step(axis) - 1) / step(axis); }
  /// What is left of the last axis behind its whole groups.
  std::int64_t rest() const { return walk_.together > 1 ? walk_.axes.back().extent % walk_.together : 0; }

  void serial(std::size_t axis) {
    if (axis == walk_.axes.size()) return vector_loop();
    if (static_cast<std::ptrdiff_t>(axis) == walk_.vector) return serial(axis + 1);
    const bool cut = is_grouped(axis) && rest() > 0;
    const std::int64_t whole = outer_extent(axis) - (cut ? 1 : 0);
    if (whole > 0)
      build().serial_loop("i", whole, [&](const Index& i) {
        positions_[axis] = i * step(axis);
        emitter_.scoped([&] { serial(axis + 1); });
      });
    if (!cut) return;
    positions_[axis] = Index(whole * step(axis));
    emitter_.scoped([&] { at_places(rest()); });
  }

  /// Sets the positions of all axes but the vector's from one variable over all of them.
  void place_outer(const Index& position) {
    std::vector<std::int64_t> extents;
    for (std::size_t a = 0; a < walk_.axes.size(); ++a)
      if (static_cast<std::ptrdiff_t>(a) != walk_.vector) extents.push_back(outer_extent(a));
    const std::vector<Index> along = kernel::unflatten(position, extents);
    std::size_t next = 0;
    for (std::size_t a = 0; a < walk_.axes.size(); ++a)
      if (static_cast<std::ptrdiff_t>(a) != walk_.vector) positions_[a] = along[next++] * step(a);
  }

  void parallel_outer(std::int64_t outer) {
    build().parallel_loop("p", outer, [&](const Index& p) {
      emitter_.scoped([&] {
        place_outer(p);
        if (rest() == 0) return vector_loop();
        const std::int64_t groups = outer_extent(walk_.axes.size() - 1);
        kernel::Value* whole =
            build().lt(build().index_value(kernel::mod(p, groups)), build().integer(DType::i64, groups - 1));
        build().if_then_else(
            whole, [&] { emitter_.scoped([&] { vector_loop(); }); },
            [&] {
              positions_.back() = Index((groups - 1) * walk_.together);
              emitter_.scoped([&] { at_places(rest()); });
            });
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
    if (walk_.vector < 0) return at_places(walk_.together);
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
      emitter_.in_vector([&] { walk_.blocked < 0 ? body_({positions_}) : block_loop(); });
    });
  }

  void block_loop() {
    const auto axis = static_cast<std::size_t>(walk_.blocked);
    const Index start = positions_[axis];
    build().unrolled_loop("t", walk_.block, [&](const Index& t) {
      positions_[axis] = start + t;
      emitter_.scoped([&] { body_({positions_}); });
    });
    positions_[axis] = start;  // for the next cut
  }

  /// The body, for neighbours on the last axis.
  void at_places(std::int64_t count) {
    std::vector<Positions> places(static_cast<std::size_t>(count), positions_);
    for (std::int64_t i = 1; i < count; ++i) places[static_cast<std::size_t>(i)].back() += Index(i);
    body_(places);
  }

  Emitter& emitter_;
  const Walk& walk_;
  const WalkBody& body_;
  Positions positions_;
};

}  // namespace

std::vector<const kernel::LoopVar*> nest_variables(const kernel::Block& body, std::size_t count) {
  std::vector<const kernel::LoopVar*> variables;
  const kernel::Block* block = &body;
  while (variables.size() < count) {
    const kernel::Loop* inner = nullptr;
    for (const kernel::Statement& statement : block->statements)
      if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) inner = loop->get();
    if (!inner) throw InternalError("lower: a loop of the trial kernel is missing");
    variables.push_back(&inner->variable);
    block = &inner->body;
  }
  return variables;
}

bool gains_by_joining(const Survey& nested, const Survey& joined, int vector_bytes) {
  constexpr std::int64_t kShortVectors = 8;
  const std::int64_t short_axis = kShortVectors * vector_bytes / nested.largest;
  const auto reduces_short = [&](const Survey::Access& access) {
    return access.vector && access.vector->extent < short_axis;
  };
  const auto is_whole = [](const Survey::Access& access) {
    return !access.vector || access.counts_only || !access.address.depends_on(*access.vector) ||
           access.address.is_contiguous_in(*access.vector);
  };
  return std::any_of(nested.accesses.begin(), nested.accesses.end(), reduces_short) &&
         std::all_of(joined.accesses.begin(), joined.accesses.end(), is_whole);
}

std::int64_t reductions_together(const Survey& seen, const kernel::LoopVar& rows, bool large) {
  constexpr std::int64_t kMostStreams = 8, kShortest = 16, kEnoughTasks = 8;
  const kernel::LoopVar* along = nullptr;
  std::int64_t streams = 0;
  for (const Survey::Access& access : seen.accesses) {
    if (!access.vector) continue;
    if (along && access.vector != along) return 1;
    along = access.vector;
    if (access.counts_only || !access.address.is_contiguous_in(*along)) return 1;
    if (access.address.depends_on(rows)) ++streams;
  }
  if (streams == 0 || seen.calls || along->extent < kShortest) return 1;
  std::int64_t together = kMostStreams / streams;
  while (together > 1 && together > rows.extent / (large ? kEnoughTasks : 1)) together /= 2;
  return std::max<std::int64_t>(together, 1);
}

void walk_space(Emitter& emitter, const Walk& walk, const WalkBody& body) {
  Walker(emitter, walk, body).run();
}

}  // namespace pullback::lower
