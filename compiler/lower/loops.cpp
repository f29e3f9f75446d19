#include "compiler/lower/loops.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "compiler/ir/kernel/merge_reductions.h"
#include "compiler/ir/layout.h"
#include "compiler/lower/access.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/walk.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

/// Indices of the same element in a value of other dimensions.
Indices at(const ir::Value& value, const Indices& indices, const std::vector<std::int64_t>& dims) {
  const std::vector<std::int64_t> own = dims_of(value);
  return own == dims ? indices : kernel::unflatten(kernel::flatten(indices, dims), own);
}

}  // namespace

void store_at(Emitter& emitter, const std::vector<const ir::Value*>& values, const std::vector<Indices>& elements,
              const std::vector<std::int64_t>& dims) {
  std::vector<std::pair<Indices, kernel::Value*>> computed;
  for (const Indices& indices : elements)
    for (const ir::Value* value : values) {
      Indices own = at(*value, indices, dims);
      kernel::Value* element = emitter.element(value, own);
      computed.emplace_back(std::move(own), element);
    }
  for (std::size_t i = 0; i < computed.size(); ++i)
    emitter.store(values[i % values.size()], computed[i].first, computed[i].second);
}

namespace {

/// A first try at the kernel, one loop for each axis, to see what it does.
struct Trial {
  Unit unit;
  Survey seen;
  std::vector<const kernel::LoopVar*> variables;
};

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

/// The innermost of the loops that the trial has for an axis, which may be joined of several.
const kernel::LoopVar& innermost(const Axis& axis, const Trial& trial, const std::vector<Axis>& axes) {
  const auto own =
      std::find_if(axes.begin(), axes.end(), [&](const Axis& a) { return a.dims.back() == axis.dims.back(); });
  return *trial.variables[static_cast<std::size_t>(own - axes.begin())];
}

/// Cuts an axis into blocks when memory is contiguous along it where it is not along the vectors.
void choose_block(Walk& walk, const Trial& trial, const std::vector<Axis>& axes, double work_each) {
  // The body is repeated for each step of a block: along joined axes, which are long, only what is cheap.
  constexpr double kCheap = 24;
  if (walk.vector < 0 || (walk.axes.size() != axes.size() && work_each >= kCheap)) return;
  const kernel::LoopVar& lanes = innermost(walk.axes[static_cast<std::size_t>(walk.vector)], trial, axes);
  for (std::size_t a = 0; a < walk.axes.size(); ++a) {
    if (static_cast<std::ptrdiff_t>(a) == walk.vector) continue;
    const kernel::LoopVar& variable = innermost(walk.axes[a], trial, axes);
    const bool across = std::any_of(trial.seen.accesses.begin(), trial.seen.accesses.end(), [&](const auto& access) {
      return !access.counts_only && access.address.is_contiguous_in(variable) && access.address.depends_on(lanes);
    });
    for (std::int64_t block = 16; across && walk.blocked < 0 && block >= 4; --block)
      if (walk.axes[a].extent % block == 0) {
        walk.blocked = static_cast<std::ptrdiff_t>(a);
        walk.block = block;
      }
  }
}

/// Cuts the vector's axis where conditions change, when that makes few pieces of whole vectors, or long ones.
void choose_cuts(Walk& walk, const Trial& trial, const std::vector<Axis>& axes) {
  const std::size_t most_cuts = walk.blocked < 0 ? 7 : 1;  // each step of a block is repeated in each piece
  if (walk.vector < 0) return;
  const Axis& along = walk.axes[static_cast<std::size_t>(walk.vector)];
  const auto own = std::find_if(axes.begin(), axes.end(), [&](const Axis& axis) { return axis.dims == along.dims; });
  if (own == axes.end()) return;  // joined of several
  const kernel::LoopVar& lanes = *trial.variables[static_cast<std::size_t>(own - axes.begin())];
  std::set<std::int64_t> cuts;
  for (const Survey::Edge& edge : trial.seen.edges) {
    const Index distance = edge.index - Index(lanes);
    if (!distance.is_constant()) continue;
    const std::int64_t cut = edge.at - distance.constant();
    if (cut > 0 && cut < along.extent) cuts.insert(cut);
  }
  if (cuts.empty() || cuts.size() > most_cuts) return;
  std::int64_t begin = 0;
  for (const std::int64_t cut : cuts) {
    if ((cut - begin) % walk.width != 0 && cut - begin < 4 * walk.width) return;
    begin = cut;
  }
  walk.cuts.assign(cuts.begin(), cuts.end());
}

/// What an iteration costs when vectors run along this axis: accesses that are neither contiguous there nor the same
/// are made lane by lane.
double cost_of_accesses(const Trial& trial, std::ptrdiff_t axis) {
  constexpr double kLaneByLane = 4;
  if (axis < 0) return 0;
  const kernel::LoopVar& lanes = *trial.variables[static_cast<std::size_t>(axis)];
  double cost = 0;
  for (const Survey::Access& access : trial.seen.accesses) {
    const bool whole = !access.address.depends_on(lanes) || access.address.is_contiguous_in(lanes);
    if (!access.counts_only) cost += whole ? 1 : kLaneByLane;
  }
  return cost;
}

/// An order in which a kernel may walk: that in which a value lies in memory.
struct Order {
  std::vector<std::int64_t> dims;
  ir::Integers layout;

  static Order of(const ir::Value& value) { return {dims_of(value), ir::layout_of(value)}; }
  /// Row-major orders of as many elements are one, however they are cut into axes.
  bool is_same(const Order& other) const {
    const bool row_major = std::is_sorted(layout.begin(), layout.end());
    if (row_major && std::is_sorted(other.layout.begin(), other.layout.end())) return true;
    return dims == other.dims && layout == other.layout;
  }
};

/// The orders of the results, and of what results are a reshape of.
std::vector<Order> orders_of(const Group& group) {
  std::vector<Order> orders;
  const auto add = [&](const ir::Value& value) {
    Order order = Order::of(value);
    if (std::none_of(orders.begin(), orders.end(), [&](const Order& other) { return order.is_same(other); }))
      orders.push_back(std::move(order));
  };
  for (const ir::Value* value : group.stored) {
    add(*value);
    while (value->definer && value->definer->def == &ops::op_reshape) value = value->definer->operand(0);
    add(*value);
  }
  return orders;
}

int accumulators_for(std::int64_t extent, int width, double work_each) {
  return work_each < 12 && extent >= 8 * width ? 2 : 1;
}

/// Chooses how an elementwise group is walked, and writes it: all of it, or what belongs to one index of the results'
/// first dimension.
class ElementwiseWriter {
 public:
  ElementwiseWriter(const Group& group, Placement& placement, const LoopOptions& options, bool in_slabs,
                    PrepareSlab prepare, Band band = {})
      : group_(group),
        placement_(placement),
        options_(options),
        in_slabs_(in_slabs),
        prepare_(std::move(prepare)),
        band_(std::move(band)) {}

  Walk choose() {
    const std::vector<Order> orders = orders_of(group_);
    const Order* best = nullptr;
    Trial trial;
    double least = 0;
    for (const Order& order : orders) {
      if (in_slabs_ && order.layout.front() != 0) continue;
      Trial attempt = try_order(order);
      const int lanes = options_.vector_bytes / static_cast<int>(attempt.seen.largest);
      const double cost = orders.size() == 1 ? 0 : cost_of_accesses(attempt, vector_axis(axes_, lanes));
      if (best && cost >= least) continue;
      best = &order;
      least = cost;
      trial = std::move(attempt);
    }
    use(*best);
    const bool joined = reductions_are_contiguous(trial) && join_reductions(*best, trial);
    Walk walk{join_axes(axes_, trial.variables, trial.seen)};
    walk.width = std::max<int>(1, options_.vector_bytes / static_cast<int>(trial.seen.largest));
    if (!reductions_are_contiguous(trial)) walk.vector = vector_axis(walk.axes, walk.width);
    walk.joined = joined;
    const double work_each = trial.seen.work / static_cast<double>(group_.rows);
    if (walk.vector >= 0)
      walk.accumulators =
          accumulators_for(walk.axes[static_cast<std::size_t>(walk.vector)].extent, walk.width, work_each);
    choose_block(walk, trial, axes_, work_each);
    if (walk.vector >= 0 && walk.blocked < 0)
      walk.width = trial.seen.width(options_.vector_bytes, walk.axes[static_cast<std::size_t>(walk.vector)].extent);
    choose_cuts(walk, trial, axes_);
    walk.parallel = !in_slabs_ && options_.parallel && !walk.axes.empty() && trial.seen.work > kParallelWork;
    if (walk.vector < 0 && !walk.axes.empty() && !in_slabs_)
      walk.together = reductions_together(trial.seen, *trial.variables.back(), trial.seen.work > kParallelWork);
    return walk;
  }

  /// `slab`: the index of the first dimension, when the group is written in slabs.
  void write(Emitter& emitter, const Walk& walk, const Index& slab = {}, const Index& start = {}) const {
    const WalkBody body = [&](const std::vector<Positions>& places) {
      std::vector<Indices> elements;
      for (const Positions& place : places) {
        elements.push_back(dims_at(walk.axes, place, dims_.size()));
        if (in_slabs_) elements.back().front() = slab;
        if (band_.size > 0) elements.back()[band_.dimension] += start;
      }
      store_at(emitter, group_.stored, elements, dims_);
    };
    emitter.reduce_together(static_cast<int>(walk.together));
    emitter.join_reductions(walk.joined);
    walk_space(emitter, walk, body);
  }

 private:
  void use(const Order& order) {
    dims_ = order.dims;
    std::vector<std::int64_t> walked = dims_;
    if (band_.size > 0) walked[band_.dimension] = band_.size;
    axes_ = axes_of(walked, order.layout);
    if (in_slabs_) std::erase_if(axes_, [](const Axis& axis) { return axis.dims.front() == 0; });
  }

  /// Replaces the trial by one in which reductions are over one axis each, where they gain by that.
  bool join_reductions(const Order& order, Trial& nested) {
    Trial joined = try_order(order, true);
    if (!gains_by_joining(nested.seen, joined.seen, options_.vector_bytes)) return false;
    nested = std::move(joined);
    return true;
  }

  Trial try_order(const Order& order, bool joined = false) {
    use(order);
    Walk walk{axes_};
    walk.joined = joined;
    Trial trial;
    Emitter emitter(trial.unit, placement_, options_.vector_bytes, group_.anchors);
    if (in_slabs_)
      emitter.build().serial_loop("n", dims_.front(), [&](const Index& slab) {
        prepare_(emitter, slab);
        emitter.scoped([&] { write(emitter, walk, slab); });
      });
    else
      write(emitter, walk);
    trial.seen = survey(*trial.unit.kernel);
    trial.variables = nest_variables(trial.unit.kernel->body, axes_.size() + (in_slabs_ ? 1 : 0));
    if (in_slabs_) trial.variables.erase(trial.variables.begin());
    return trial;
  }

  const Group& group_;
  Placement& placement_;
  const LoopOptions& options_;
  const bool in_slabs_;
  const PrepareSlab prepare_;
  const Band band_;
  std::vector<std::int64_t> dims_;
  std::vector<Axis> axes_;
};

}  // namespace

void write_elementwise(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options) {
  ElementwiseWriter writer(group, placement, options, false, {});
  const Walk walk = writer.choose();
  Emitter emitter(unit, placement, options.vector_bytes, group.anchors);
  writer.write(emitter, walk);
  if (walk.together > 1) kernel::merge_reductions(*unit.kernel, Emitter::kVectorsInFlight);
}

void write_slab(const Group& group, Emitter& emitter, const Index& slab, const Band& band, Placement& placement,
                const LoopOptions& options, const PrepareSlab& prepare) {
  ElementwiseWriter writer(group, placement, options, true, prepare, band);
  const Walk walk = writer.choose();
  prepare(emitter, slab);
  emitter.scoped([&] { writer.write(emitter, walk, slab, band.start); });
}

}  // namespace pullback::lower
