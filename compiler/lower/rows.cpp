// The kernels of rows groups: row by row, with what is folded over rows in scratch that stays in the first cache.
#include <algorithm>
#include <iterator>
#include <numeric>

#include "compiler/ir/kernel/merge_reductions.h"
#include "compiler/ir/kernel/repeated_loads.h"
#include "compiler/lower/access.h"
#include "compiler/lower/loops.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/walk.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using Along = Group::Along;

/// Fewer rows than this are not worth several threads.
constexpr std::int64_t kFewRowsInParallel = 8;
/// Values along a row stay in scratch up to this many elements, and so do the columns of one fold.
constexpr std::int64_t kScratchElements = 16384;
/// All folds of a piece together: what leaves room in the first cache for what streams by.
constexpr std::int64_t kFoldedElements = 4096;

/// The columns [first, first + count) of the slab's rows.
struct Piece {
  Index slab, first;
  std::int64_t count = 0;
};

/// How the columns are walked: by vectors of `width` within runs, along which every address moves evenly.
struct Columns {
  int width = 1;
  std::int64_t run = 1;  ///< divides the row
};

/// Is it of the same elements, whatever the loops around?
bool is_repeated(const Survey::Access& access) {
  bool is_alike = true;
  access.address.for_each_atom([&](const kernel::Atom& atom) {
    is_alike =
        is_alike && atom.kind != kernel::Atom::Kind::dynamic && (!atom.variable || atom.variable == access.vector);
  });
  return is_alike;
}

/// The runs that transposes and reshapes leave of a row: addresses divide by them. Short ones are not worth vectors.
/// `keeps_repeated`: what each row reads alike lies side by side in the end, and is no reason for runs of less than
/// whole vectors.
std::int64_t run_of(const Survey& seen, std::int64_t inner, int width, bool keeps_repeated) {
  std::int64_t run = inner;
  for (const Survey::Access& access : seen.accesses) {
    if (!access.vector || access.counts_only) continue;
    const bool is_kept = keeps_repeated && is_repeated(access);
    access.address.for_each_atom([&](const kernel::Atom& atom) {
      const bool divides = atom.kind == kernel::Atom::Kind::floordiv || atom.kind == kernel::Atom::Kind::mod;
      if (!divides || !atom.inner->depends_on(*access.vector) || inner % atom.divisor != 0) return;
      if (!is_kept || atom.divisor % width == 0) run = std::gcd(run, atom.divisor);
    });
  }
  return 2 * run >= width ? run : inner;
}

Columns columns_of(const Survey& seen, std::int64_t inner, int vector_bytes, bool keeps_repeated) {
  const std::int64_t run = run_of(seen, inner, seen.width(vector_bytes, inner), keeps_repeated);
  return {seen.width(vector_bytes, run), run};
}

/// Rows of a slab that one iteration takes: `steps` times `beside`, those side by side as one longer row, each with
/// partial results of its own.
struct Together {
  std::int64_t steps = 1, beside = 1;
};

/// Writes rows: everything that the group has for a row, or for some rows of a slab and what is folded over them.
class RowWriter {
 public:
  RowWriter(const Group& group, Emitter& emitter, const Columns& columns, const Together& together)
      : group_(group),
        emitter_(emitter),
        columns_(columns),
        together_(together),
        rows_of_slab_(group.rows / std::max<std::int64_t>(group.slabs, 1)) {
    for (const ir::Value* anchor : group.anchors) {
      const Along along = group.along.at(anchor);
      if (along == Along::fold) folds_.push_back(anchor);
      if (!is_stored(anchor)) continue;
      if (along == Along::full) stored_full_.push_back(anchor);
      if (along == Along::fold || along == Along::column) stored_columns_.push_back(anchor);
    }
    choose_kept();
  }

  /// All rows of the slab, and what is folded over them.
  void write_slab(const Piece& piece) {
    start_folds(piece);
    const std::int64_t beside = together_.beside, rows = together_.steps * beside, whole = rows_of_slab_ / rows * rows;
    const std::int64_t rest = (rows_of_slab_ - whole) / beside, behind = whole + rest * beside;
    loop("r", whole / rows, [&](const Index& i) { write_rows(piece, i * rows, together_); });
    loop("r", rest, [&](const Index& i) { write_rows(piece, i * beside + whole, {1, beside}); });
    if (behind < rows_of_slab_) emitter_.scoped([&] { write_rows(piece, Index(behind), {1, rows_of_slab_ - behind}); });
    finish_folds(piece);
  }

  /// Does every row consist of values of its own, with nothing along it?
  bool has_only_row_values() const { return stored_full_.empty() && folds_.empty() && kept_.empty(); }

  /// Rows that have nothing along them, all at once.
  void write_row_values(const std::vector<Index>& rows) {
    std::vector<const ir::Value*> stored;
    std::copy_if(group_.anchors.begin(), group_.anchors.end(), std::back_inserter(stored),
                 [&](const ir::Value* anchor) { return is_stored(anchor); });
    std::vector<ops::Indices> elements;
    for (const Index& row : rows) elements.push_back({row});
    store_at(emitter_, stored, elements, {group_.rows});
  }

  /// Rows k, k + 1, ... of the slab.
  void write_rows(const Piece& piece, const Index& k, const Together& together) {
    const Index row = piece.slab * rows_of_slab_ + k;
    std::size_t next_kept = 0;
    for (const ir::Value* anchor : group_.anchors) {
      if (next_kept < kept_.size() && kept_[next_kept] == anchor) keep(piece, anchor, row), ++next_kept;
      if (group_.along.at(anchor) != Along::row) continue;
      const ops::Indices indices = kernel::unflatten(row, dims_of(*anchor));
      kernel::Value* computed = emitter_.element(anchor, indices);
      if (is_stored(anchor)) emitter_.store(anchor, indices, computed);
    }
    if (stored_full_.empty() && folds_.empty()) return;
    along(piece, together.beside, [&](const Index& column) { write_position(piece, k, together.steps, column); });
  }

 private:
  bool is_stored(const ir::Value* value) const {
    return std::find(group_.stored.begin(), group_.stored.end(), value) != group_.stored.end();
  }
  kernel::Builder& build() { return emitter_.build(); }

  void loop(const char* name, std::int64_t extent, const std::function<void(const Index&)>& body) {
    if (extent == 1) return emitter_.scoped([&] { body(Index(0)); });
    if (extent > 1) build().serial_loop(name, extent, [&](const Index& i) { emitter_.scoped([&] { body(i); }); });
  }

  /// Loops along the piece's columns, of rows side by side.
  void along(const Piece& piece, std::int64_t beside, const std::function<void(const Index& column)>& body) {
    if (beside > 1 && piece.count != group_.inner) throw InternalError("lower: parts of rows lie side by side");
    const std::int64_t count = beside * piece.count;
    const std::int64_t run = beside > 1 ? count : std::min(columns_.run, count), runs = count / run;
    Walk walk{{Axis{run, {0}, {run}}}, 0, columns_.width};
    if (runs > 1) walk = {{Axis{runs, {0}, {runs}}, Axis{run, {1}, {run}}}, 1, columns_.width};
    emitter_.scoped([&] {
      walk_space(emitter_, walk, [&](const std::vector<Positions>& places) {
        const Positions& positions = places.front();
        body(piece.first + positions.back() + (runs > 1 ? positions.front() * run : Index(0)));
      });
    });
  }

  /// Values along the row that a reduction of the row reads are computed once and kept in scratch.
  void choose_kept() {
    if (group_.inner > kScratchElements) return;
    std::ptrdiff_t last_reduction = -1;
    for (std::size_t i = 0; i < group_.anchors.size(); ++i)
      if (group_.along.at(group_.anchors[i]) == Along::row) last_reduction = static_cast<std::ptrdiff_t>(i);
    for (std::ptrdiff_t i = 0; i < last_reduction; ++i)
      if (group_.along.at(group_.anchors[static_cast<std::size_t>(i)]) == Along::full)
        kept_.push_back(group_.anchors[static_cast<std::size_t>(i)]);
  }

  int scratch_of(const ir::Value* anchor, const char* name, std::int64_t elements) {
    const auto [entry, fresh] = scratch_.try_emplace(anchor, -1);
    if (fresh) entry->second = build().buffer(name, anchor->type.dtype, elements, kernel::Access::scratch);
    return entry->second;
  }

  void keep(const Piece& piece, const ir::Value* anchor, const Index& row) {
    const int scratch = scratch_of(anchor, "row", group_.inner);
    const std::vector<std::int64_t> dims = dims_of(*anchor);
    along(piece, 1, [&](const Index& column) {
      kernel::Value* computed = emitter_.element(anchor, kernel::unflatten(row * group_.inner + column, dims));
      build().store(scratch, column, computed);
    });
    emitter_.keep(anchor, scratch, row * group_.inner);
  }

  ops::Indices fold_indices(const ir::Value* fold, const Piece& piece, const Index& column) const {
    return kernel::unflatten(piece.slab * group_.inner + column, dims_of(*fold));
  }

  void start_folds(const Piece& piece) {
    for (const ir::Value* fold : folds_) scratch_of(fold, "folded", together_.beside * piece.count);
    along(piece, together_.beside, [&](const Index& column) {
      for (const ir::Value* fold : folds_)
        build().store(scratch_.at(fold), column - piece.first,
                      emitter_.fold(fold, fold_indices(fold, piece, own_column(column)), Index(0), nullptr));
    });
  }

  /// A place among rows side by side: its column, and how many rows further it is.
  Index own_column(const Index& column) const {
    return together_.beside == 1 ? column : kernel::mod(column, group_.inner);
  }
  Index further_row(const Index& column) const {
    return together_.beside == 1 ? Index(0) : kernel::floordiv(column, group_.inner);
  }

  /// Everything is computed before anything is stored: see store_at.
  void write_position(const Piece& piece, const Index& k, std::int64_t steps, const Index& column) {
    std::vector<kernel::Value*> folded;
    for (const ir::Value* fold : folds_) folded.push_back(build().load(scratch_.at(fold), column - piece.first));
    std::vector<std::pair<ops::Indices, kernel::Value*>> full;
    for (std::int64_t i = 0; i < steps; ++i) {
      const Index row = k + i * together_.beside;
      const Index position = (piece.slab * rows_of_slab_ + row) * group_.inner + column;
      for (const ir::Value* value : stored_full_) {
        ops::Indices indices = kernel::unflatten(position, dims_of(*value));
        kernel::Value* computed = emitter_.element(value, indices);
        full.emplace_back(std::move(indices), computed);
      }
      for (std::size_t f = 0; f < folds_.size(); ++f)
        folded[f] = emitter_.fold(folds_[f], fold_indices(folds_[f], piece, own_column(column)),
                                  row + further_row(column), folded[f]);
    }
    for (std::size_t i = 0; i < full.size(); ++i)
      emitter_.store(stored_full_[i % stored_full_.size()], full[i].first, full[i].second);
    for (std::size_t f = 0; f < folds_.size(); ++f)
      build().store(scratch_.at(folds_[f]), column - piece.first, folded[f]);
  }

  void finish_folds(const Piece& piece) {
    if (together_.beside > 1) combine_beside(piece);
    for (const ir::Value* fold : folds_)
      emitter_.keep(fold, scratch_.at(fold), piece.slab * group_.inner + piece.first);
    along(piece, 1, [&](const Index& column) {
      store_at(emitter_, stored_columns_, {{piece.slab * group_.inner + column}}, {group_.slabs * group_.inner});
    });
  }

  /// The partial results of rows side by side, one after the other.
  void combine_beside(const Piece& piece) {
    along(piece, 1, [&](const Index& column) {
      for (const ir::Value* fold : folds_) {
        const int scratch = scratch_.at(fold);
        kernel::Value* first = build().load(scratch, column);
        kernel::Value* all =
            build().loop("b", together_.beside - 1, {kernel::LoopKind::serial}, {{first, kernel::Combine::none}},
                         [&](const Index& i, const std::vector<kernel::Value*>& so_far) {
                           kernel::Value* next = build().load(scratch, (i + 1) * group_.inner + column);
                           return std::vector<kernel::Value*>{
                               emitter_.combine(fold, fold_indices(fold, piece, column), so_far[0], next)};
                         })[0];
        build().store(scratch, column, all);
      }
    });
  }

  const Group& group_;
  Emitter& emitter_;
  const Columns columns_;
  const Together together_;
  const std::int64_t rows_of_slab_;
  std::vector<const ir::Value*> stored_full_, stored_columns_, folds_, kept_;
  std::unordered_map<const ir::Value*, int> scratch_;
};

bool has_row_values(const Group& group) {
  return std::any_of(group.along.begin(), group.along.end(), [](const auto& a) { return a.second == Along::row; });
}

/// How many columns a piece has: all, unless their folds are too many for the first cache, or slabs alone are too few
/// to run in parallel. What is computed for whole rows keeps them whole.
std::int64_t columns_of_piece(const Group& group, const Columns& columns, bool parallel) {
  if (has_row_values(group)) return group.inner;
  const std::int64_t folds =
      std::count_if(group.along.begin(), group.along.end(), [](const auto& a) { return a.second == Along::fold; });
  std::int64_t pieces = (group.inner * folds + kFoldedElements - 1) / kFoldedElements;
  constexpr std::int64_t kWanted = 16, kFewColumns = 64;
  if (parallel && group.slabs < kFewRowsInParallel)
    pieces = std::max(pieces, std::min(kWanted / group.slabs, group.inner / kFewColumns));
  pieces = std::max<std::int64_t>(pieces, 1);
  const std::int64_t each = (group.inner + pieces - 1) / pieces;
  const std::int64_t unit = columns.run < group.inner ? columns.run : columns.width;
  return std::min((each + unit - 1) / unit * unit, group.inner);
}

/// The pieces of all slabs, in parallel or one after the other.
class PieceWriter {
 public:
  PieceWriter(const Group& group, Emitter& emitter, RowWriter& rows, std::int64_t columns)
      : group_(group),
        emitter_(emitter),
        rows_(rows),
        columns_(columns),
        pieces_((group.inner + columns - 1) / columns) {}

  void write(bool parallel) {
    const std::int64_t all = group_.slabs * pieces_;
    const auto each = [&](const Index& p) {
      emitter_.scoped([&] { write_piece(kernel::floordiv(p, pieces_), kernel::mod(p, pieces_)); });
    };
    if (parallel)
      emitter_.build().parallel_loop("p", all, each);
    else if (all == 1)
      each(Index(0));
    else
      emitter_.build().serial_loop("p", all, each);
  }

 private:
  /// The last piece may be narrower.
  void write_piece(const Index& slab, const Index& part) {
    const std::int64_t last = group_.inner - (pieces_ - 1) * columns_;
    if (last == columns_) return rows_.write_slab({slab, part * columns_, columns_});
    kernel::Builder& b = emitter_.build();
    kernel::Value* number = b.index_value(part);
    kernel::Value* last_whole = b.integer(DType::i64, pieces_ - 2);
    b.if_then_else(
        b.le(number, last_whole),
        [&] {
          // The bound lets addresses simplify: no piece but the last reaches over the end of a row.
          const Index whole = Index::dynamic(b.min(number, last_whole), {0, pieces_ - 2});
          emitter_.scoped([&] { rows_.write_slab({slab, whole * columns_, columns_}); });
        },
        [&] { emitter_.scoped([&] { rows_.write_slab({slab, Index((pieces_ - 1) * columns_), last}); }); });
  }

  const Group& group_;
  Emitter& emitter_;
  RowWriter& rows_;
  const std::int64_t columns_, pieces_;
};

/// What folding rows side by side takes, in cycles.
class CostBeside {
 public:
  /// `jumps`: accesses of a step whose vectors do not lie side by side in memory, `repeated` of them alike in each
  /// step.
  CostBeside(const Group& group, int width, double jumps = 0, double repeated = 0)
      : group_(group), width_(width), jumps_(jumps), repeated_(repeated) {}

  double operator()(std::int64_t beside) const {
    constexpr double kVector = 2, kMasked = 0.5, kJump = 24;
    constexpr double kStep = 6.5;  // partial results wait for those of the step before
    // Not by the cache of the machine: the order of sums depends on this.
    constexpr std::int64_t kFarBytes = 1 << 20, kBytes = 4;
    constexpr double kFarElement = 1.0 / 6;
    const std::int64_t count = beside * group_.inner, rows = group_.rows / group_.slabs;
    const auto vectors = static_cast<double>((count + width_ - 1) / width_);
    double each = std::max(kStep, kVector * (vectors + (count % width_ == 0 ? 0 : kMasked)));
    if (group_.rows * group_.inner * kBytes > kFarBytes)
      each = std::max(each, kFarElement * static_cast<double>(count));
    const auto steps = static_cast<double>(rows) / static_cast<double>(beside);
    if (beside == 1) return steps * each;
    return steps * (each + (jumps_ - repeated_) * vectors * kJump) + repeated_ * vectors * kJump +
           static_cast<double>(beside) * kStep;
  }

 private:
  const Group& group_;
  const int width_;
  const double jumps_, repeated_;
};

/// A kernel with so many rows side by side, and what it does.
using LookBeside = std::function<std::pair<Survey, std::shared_ptr<kernel::Kernel>>(std::int64_t beside)>;

/// How many rows are folded side by side, as one longer row, so that its vectors are full or nearly so. Partial results
/// are combined in the end: they must be few beside the rows.
std::int64_t rows_beside(const Group& group, int width, const LookBeside& look) {
  constexpr std::int64_t kMostVectors = 8, kRowsOfEach = 8;
  constexpr double kGain = 0.85;
  const std::int64_t rows = group.rows / group.slabs;
  std::int64_t best = 1;
  if (has_row_values(group)) return best;
  const CostBeside at_most(group, width);
  for (std::int64_t beside = 2; beside * group.inner <= kMostVectors * width && beside * kRowsOfEach <= rows; ++beside)
    if (at_most(beside) < at_most(best)) best = beside;
  if (at_most(best) >= kGain * at_most(1)) return 1;
  double jumps = 0, repeated = 0;
  const auto [seen, kernel] = look(best);
  for (const Survey::Access& access : seen.accesses) {
    if (access.counts_only || !access.vector || access.vector->extent != best * group.inner) continue;
    if (!access.address.depends_on(*access.vector) || access.address.is_contiguous_in(*access.vector)) continue;
    ++jumps;
    repeated += is_repeated(access) ? 1 : 0;
  }
  const CostBeside cost(group, width, jumps, repeated);
  return cost(best) < kGain * cost(1) ? best : 1;
}

void write_folds(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options) {
  const auto look = [&](std::int64_t beside) {
    Unit trial;
    Emitter emitter(trial, placement, options.vector_bytes, group.anchors);
    RowWriter rows(group, emitter, {1, group.inner}, {1, beside});
    PieceWriter(group, emitter, rows, group.inner).write(false);
    return std::pair(survey(*trial.kernel), std::move(trial.kernel));  // accesses refer to the kernel's variables
  };
  constexpr std::int64_t kTogether = 4;
  const auto [seen, kernel] = look(1);
  const std::int64_t beside = rows_beside(group, seen.width(options.vector_bytes, 1), look);
  const bool keeps_repeated =
      kernel::keeps_repeated_loads(group.rows / group.slabs / (kTogether * beside), beside * group.inner);
  const Columns along = columns_of(seen, beside * group.inner, options.vector_bytes, keeps_repeated);
  const double positions = static_cast<double>(group.rows) * static_cast<double>(group.inner);
  // Several rows at a time, where a row is little work beside reading and writing the partial results.
  constexpr double kLittleWork = 24;
  const bool together = !has_row_values(group) && seen.work / positions < kLittleWork;
  const bool large = options.parallel && seen.work > kParallelWork;
  const std::int64_t columns = columns_of_piece(group, along, large);
  const bool parallel = large && group.slabs * ((group.inner + columns - 1) / columns) > 1;

  Emitter emitter(unit, placement, options.vector_bytes, group.anchors);
  RowWriter rows(group, emitter, along, {together ? kTogether : 1, beside});
  PieceWriter(group, emitter, rows, columns).write(parallel);
  kernel::keep_repeated_loads(*unit.kernel);
}

}  // namespace

void write_rows(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options) {
  if (group.slabs > 0) return write_folds(group, unit, placement, options);
  std::vector<Axis> rows;
  if (group.rows != 1) rows.push_back({group.rows, {0}, {group.rows}});
  bool joined = false;
  const auto write = [&](Unit& into, const Columns& columns, std::int64_t together, bool parallel) {
    Emitter emitter(into, placement, options.vector_bytes, group.anchors);
    emitter.join_reductions(joined);
    RowWriter writer(group, emitter, columns, {});
    emitter.reduce_together(static_cast<int>(together));
    const Walk walk{.axes = rows, .parallel = parallel, .together = together};
    walk_space(emitter, walk, [&](const std::vector<Positions>& places) {
      std::vector<Index> at;
      for (const Positions& place : places) at.push_back(place.empty() ? Index(0) : place.front());
      if (together > 1) return writer.write_row_values(at);
      writer.write_rows({Index(0), Index(0), group.inner}, at.front(), {});
    });
    return writer.has_only_row_values();
  };
  Unit trial;
  const bool only_row_values = write(trial, {1, group.inner}, 1, false);
  Survey seen = survey(*trial.kernel);
  joined = true;
  Unit other_trial;
  write(other_trial, {1, group.inner}, 1, false);
  if (Survey other = survey(*other_trial.kernel); gains_by_joining(seen, other, options.vector_bytes)) {
    trial = std::move(other_trial);
    seen = std::move(other);
  } else {
    joined = false;
  }
  const bool parallel = options.parallel && group.rows >= kFewRowsInParallel && seen.work > kParallelWork;
  std::int64_t together = 1;
  if (only_row_values && group.rows > 1)
    together = reductions_together(seen, *nest_variables(trial.kernel->body, 1).front(), seen.work > kParallelWork);
  write(unit, columns_of(seen, group.inner, options.vector_bytes, false), together, parallel);
  if (together > 1) kernel::merge_reductions(*unit.kernel, Emitter::kVectorsInFlight);
}

}  // namespace pullback::lower
