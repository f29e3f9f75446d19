#include "compiler/lower/loops.h"

#include <algorithm>
#include <numeric>

#include "compiler/ir/layout.h"
#include "compiler/lower/access.h"
#include "compiler/lower/axes.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

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
};

/// Fewer rows than this are not worth several threads.
constexpr std::int64_t kFewRowsInParallel = 8;

using Body = std::function<void(const std::vector<Index>& positions)>;

/// The iterations of all axes but the vector's, then those. Positions are given in the order of walk.axes.
class Walker {
 public:
  Walker(Emitter& emitter, const Walk& walk, const Body& body) : emitter_(emitter), walk_(walk), body_(body) {
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
    vector_loop(Index(0), walk_.axes[static_cast<std::size_t>(walk_.vector)].extent);
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
  const Body& body_;
  std::vector<Index> positions_;
};

/// Indices of the same element in a value of other dimensions.
Indices at(const ir::Value& value, const Indices& indices, const std::vector<std::int64_t>& dims) {
  const std::vector<std::int64_t> own = dims_of(value);
  return own == dims ? indices : kernel::unflatten(kernel::flatten(indices, dims), own);
}

}  // namespace

void store_at(Emitter& emitter, const std::vector<const ir::Value*>& values, const Indices& indices,
              const std::vector<std::int64_t>& dims) {
  std::vector<std::pair<Indices, kernel::Value*>> computed;
  for (const ir::Value* value : values) {
    Indices own = at(*value, indices, dims);
    kernel::Value* element = emitter.element(value, own);
    computed.emplace_back(std::move(own), element);
  }
  for (std::size_t i = 0; i < values.size(); ++i) emitter.store(values[i], computed[i].first, computed[i].second);
}

namespace {

/// A first try at the kernel, one loop for each axis, to see what it does.
struct Trial {
  Unit unit;
  Survey seen;
  std::vector<const kernel::LoopVar*> variables;
};

/// The variables of the outermost loops, one inside the other.
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

/// Are the reductions inside contiguous where they run, so that vectors belong to them?
bool reductions_are_contiguous(const Trial& trial) {
  int along = 0, across = 0;
  for (const Survey::Access& access : trial.seen.accesses) {
    if (!access.vector || access.counts_only) continue;
    if (access.address.is_contiguous_in(*access.vector)) ++along;
    if (!trial.variables.empty() && access.address.is_contiguous_in(*trial.variables.back())) ++across;
  }
  return along > across || (along > 0 && trial.variables.empty());
}

/// The axis for the vectors: the last, unless it is short and another is not.
std::ptrdiff_t vector_axis(const std::vector<Axis>& axes, int width) {
  if (axes.empty()) return -1;
  std::size_t best = axes.size() - 1;
  if (axes[best].extent * 2 < width)
    for (std::size_t a = 0; a + 1 < axes.size(); ++a)
      if (axes[a].extent > 2 * axes[best].extent) best = a;
  return static_cast<std::ptrdiff_t>(best);
}

/// Cuts an axis into blocks when memory is contiguous along it where it is not along the vectors.
void choose_block(Walk& walk, const Trial& trial, const std::vector<Axis>& axes) {
  if (walk.vector < 0 || walk.axes.size() != axes.size()) return;
  const kernel::LoopVar& lanes = *trial.variables[static_cast<std::size_t>(walk.vector)];
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (static_cast<std::ptrdiff_t>(a) == walk.vector) continue;
    const bool across = std::any_of(trial.seen.accesses.begin(), trial.seen.accesses.end(), [&](const auto& access) {
      return !access.counts_only && access.address.is_contiguous_in(*trial.variables[a]) &&
             access.address.depends_on(lanes);
    });
    for (std::int64_t block = 16; across && walk.blocked < 0 && block >= 4; --block)
      if (axes[a].extent % block == 0) {
        walk.blocked = static_cast<std::ptrdiff_t>(a);
        walk.block = block;
      }
  }
}

int accumulators_for(std::int64_t extent, int width, double work_each) {
  return work_each < 12 && extent >= 8 * width ? 2 : 1;
}

}  // namespace

void write_elementwise(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options) {
  const ir::Value& root = *group.stored.front();
  const std::vector<std::int64_t> dims = dims_of(root);
  const std::vector<Axis> axes = axes_of(dims, ir::layout_of(root));

  const auto write = [&](Unit& into, const Walk& walk) {
    Emitter emitter(into, placement, options.vector_bytes, group.anchors);
    const Body body = [&](const std::vector<Index>& positions) {
      store_at(emitter, group.stored, dims_at(walk.axes, positions, dims.size()), dims);
    };
    Walker(emitter, walk, body).run();
  };

  Trial trial;
  write(trial.unit, {axes});
  trial.seen = survey(trial.unit.kernel);
  trial.variables = nest_variables(trial.unit.kernel.body, axes.size());

  Walk walk{join_axes(axes, trial.variables, trial.seen)};
  walk.width = std::max<int>(1, options.vector_bytes / static_cast<int>(trial.seen.largest));
  if (!reductions_are_contiguous(trial)) walk.vector = vector_axis(walk.axes, walk.width);
  if (walk.vector >= 0)
    walk.accumulators = accumulators_for(walk.axes[static_cast<std::size_t>(walk.vector)].extent, walk.width,
                                         trial.seen.work / static_cast<double>(group.rows));
  choose_block(walk, trial, axes);
  walk.parallel = options.parallel && !walk.axes.empty() && trial.seen.work > kParallelWork;
  write(unit, walk);
}

namespace {

/// One row of a rows group at a time.
class RowWriter {
 public:
  RowWriter(const Group& group, Emitter& emitter, const Walk& inner) : group_(group), emitter_(emitter), inner_(inner) {
    for (const ir::Value* anchor : group.anchors) (is_full(*anchor) ? full_ : rows_).push_back(anchor);
    choose_kept();
  }

  /// Everything of the row at position `row`.
  void write(const Index& row) {
    std::size_t next_kept = 0;
    for (const ir::Value* anchor : group_.anchors) {
      if (is_full(*anchor)) {
        if (next_kept < kept_.size() && kept_[next_kept] == anchor) keep(anchor, row), ++next_kept;
        continue;
      }
      kernel::Value* computed = emitter_.element(anchor, kernel::unflatten(row, dims_of(*anchor)));
      if (is_stored(anchor)) emitter_.store(anchor, kernel::unflatten(row, dims_of(*anchor)), computed);
    }
    std::vector<const ir::Value*> stored;
    std::copy_if(full_.begin(), full_.end(), std::back_inserter(stored),
                 [&](const ir::Value* v) { return is_stored(v); });
    if (stored.empty()) return;
    along(row, [&](const Index& position, const Index&) {
      store_at(emitter_, stored, {position}, {group_.rows * group_.inner});
    });
  }

 private:
  bool is_full(const ir::Value& value) const { return count_of(value) != group_.rows; }
  bool is_stored(const ir::Value* value) const {
    return std::find(group_.stored.begin(), group_.stored.end(), value) != group_.stored.end();
  }

  /// Values along the row that a reduction of the group reads are computed once and kept in scratch.
  void choose_kept() {
    constexpr std::int64_t kScratchElements = 16384;
    if (group_.inner > kScratchElements) return;
    std::ptrdiff_t last_reduction = -1;
    for (std::size_t i = 0; i < group_.anchors.size(); ++i)
      if (!is_full(*group_.anchors[i])) last_reduction = static_cast<std::ptrdiff_t>(i);
    for (std::ptrdiff_t i = 0; i < last_reduction; ++i)
      if (is_full(*group_.anchors[static_cast<std::size_t>(i)]))
        kept_.push_back(group_.anchors[static_cast<std::size_t>(i)]);
  }

  void keep(const ir::Value* anchor, const Index& row) {
    const auto [entry, fresh] = scratch_.try_emplace(anchor, -1);
    if (fresh)
      entry->second = emitter_.build().buffer("row", anchor->type.dtype, group_.inner, kernel::Access::scratch);
    const std::vector<std::int64_t> dims = dims_of(*anchor);
    along(row, [&](const Index& position, const Index& inner) {
      kernel::Value* computed = emitter_.element(anchor, kernel::unflatten(position, dims));
      emitter_.build().store(entry->second, inner, computed);
    });
    emitter_.keep(anchor, entry->second, row * group_.inner);
  }

  /// Loops along the row: body(position in the whole, position in the row).
  void along(const Index& row, const std::function<void(const Index&, const Index&)>& body) {
    std::vector<std::int64_t> extents;
    for (const Axis& axis : inner_.axes) extents.push_back(axis.extent);
    const Body each = [&](const std::vector<Index>& positions) {
      const Index inner = kernel::flatten(positions, extents);
      body(row * group_.inner + inner, inner);
    };
    emitter_.scoped([&] { Walker(emitter_, inner_, each).run(); });
  }

  const Group& group_;
  Emitter& emitter_;
  const Walk& inner_;
  std::vector<const ir::Value*> rows_, full_, kept_;
  std::unordered_map<const ir::Value*, int> scratch_;
};

}  // namespace

void write_rows(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options) {
  const auto write = [&](Unit& into, const Walk& inner, bool parallel) {
    Emitter emitter(into, placement, options.vector_bytes, group.anchors);
    RowWriter writer(group, emitter, inner);
    const auto row = [&](const Index& r) { emitter.scoped([&] { writer.write(r); }); };
    if (group.rows == 1)
      row(Index(0));
    else if (parallel)
      emitter.build().parallel_loop("r", group.rows, row);
    else
      emitter.build().serial_loop("r", group.rows, row);
  };
  Walk inner{{Axis{group.inner, {0}, {group.inner}}}, 0};
  Unit trial;
  write(trial, inner, false);
  const Survey seen = survey(trial.kernel);
  inner.width = std::max<int>(1, options.vector_bytes / static_cast<int>(seen.largest));
  write(unit, inner, options.parallel && group.rows >= kFewRowsInParallel && seen.work > kParallelWork);
}

}  // namespace pullback::lower
