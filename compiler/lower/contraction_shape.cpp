#include "compiler/lower/contraction_shape.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/lower/contraction_phases.h"
#include "compiler/lower/direct_convolution.h"
#include "compiler/lower/expression.h"
#include "compiler/ops/op_def.h"

namespace pullback::lower {
namespace {

using Role = ops::ContractionSpec::Role;

/// How far dimension `d` moves through a tensor with these strides.
std::int64_t stride_of(std::size_t d, const ops::ContractionSpec::Map& map, const std::vector<std::int64_t>& strides) {
  std::int64_t stride = 0;
  for (std::size_t axis = 0; axis < map.coordinates.size(); ++axis)
    for (const auto& term : map.coordinates[axis].terms)
      if (term.dimension == d) stride += term.coefficient * strides[axis];
  return stride;
}

std::int64_t offset_of(const ops::ContractionSpec::Map& map, const View& view) {
  std::int64_t offset = view.offset;
  for (std::size_t axis = 0; axis < map.coordinates.size(); ++axis)
    offset += map.coordinates[axis].offset * view.strides[axis];
  return offset;
}

/// The coordinates that leave their axis for some index.
std::vector<CoordinateBound> bounds_of(const ops::ContractionSpec& spec) {
  std::vector<CoordinateBound> bounds;
  if (!spec.b.bounded) return bounds;
  for (std::size_t axis = 0; axis < spec.b.coordinates.size(); ++axis) {
    const auto& coordinate = spec.b.coordinates[axis];
    std::int64_t low = coordinate.offset, high = coordinate.offset;
    for (const auto& term : coordinate.terms)
      (term.coefficient < 0 ? low : high) += term.coefficient * (spec.dimensions[term.dimension].size - 1);
    if (low < 0 || high >= spec.b.sizes[axis])
      bounds.push_back({coordinate.offset, spec.b.sizes[axis], coordinate.terms});
  }
  return bounds;
}

/// The terms of a coordinate that walks its whole axis as several nested loops do, outermost first; otherwise nothing.
std::vector<ops::ContractionSpec::Coordinate::Term> nested_terms(const ops::ContractionSpec& spec,
                                                                 const ops::ContractionSpec::Coordinate& coordinate,
                                                                 std::int64_t size) {
  auto terms = coordinate.terms;
  if (terms.size() < 2 || coordinate.offset != 0 || coordinate.spread != 1) return {};
  std::sort(terms.begin(), terms.end(), [](const auto& x, const auto& y) { return x.coefficient > y.coefficient; });
  for (const auto& term : terms) {
    const std::int64_t extent = spec.dimensions[term.dimension].size;
    if (extent == 0 || term.coefficient * extent != size) return {};
    size = term.coefficient;
  }
  return size == 1 ? terms : decltype(terms){};
}

/// An operand with an axis for each loop of those axes that are walked by several: groups, and channels in them, say.
ops::ContractionSpec::Map with_split_axes(const ops::ContractionSpec& spec, const ops::ContractionSpec::Map& map) {
  ops::ContractionSpec::Map split{{}, {}, map.bounded};
  for (std::size_t axis = 0; axis < map.sizes.size(); ++axis) {
    const auto terms = nested_terms(spec, map.coordinates[axis], map.sizes[axis]);
    for (const auto& term : terms) {
      split.sizes.push_back(spec.dimensions[term.dimension].size);
      split.coordinates.push_back({0, {{term.dimension, 1}}});
    }
    if (!terms.empty()) continue;
    split.sizes.push_back(map.sizes[axis]);
    split.coordinates.push_back(map.coordinates[axis]);
  }
  return split;
}

/// The operand in place, if it lies in strides along the axes of `map` or, which replaces them then, along those.
std::optional<View> operand_view(const ir::Value& operand, const ops::ContractionSpec& spec,
                                 ops::ContractionSpec::Map& map, Accesses& accesses,
                                 const std::function<bool(const ir::Value&)>& stored) {
  if (std::optional<View> view = view_of(operand, accesses, stored)) return view;
  ops::ContractionSpec::Map split = with_split_axes(spec, map);
  if (split.sizes.size() == map.sizes.size()) return std::nullopt;
  std::optional<View> view = view_of(operand, split.sizes, accesses, stored);
  if (view) map = std::move(split);
  return view;
}

std::vector<Loop> loops_of(Role role, const ContractionShape& shape, const ir::Integers& c_strides, bool join = true) {
  std::vector<Loop> loops;
  const auto bounded = [&](const Loop& loop) {
    return std::any_of(shape.bounds.begin(), shape.bounds.end(),
                       [&](const CoordinateBound& bound) { return bound.step(loop) != 0; });
  };
  for (std::size_t d = 0; d < shape.spec.dimensions.size(); ++d) {
    const auto& dimension = shape.spec.dimensions[d];
    if (dimension.role != role) continue;
    Loop loop{dimension.size,
              stride_of(d, shape.spec.a, shape.a.strides),
              stride_of(d, shape.spec.b, shape.b.strides),
              stride_of(d, shape.spec.c, c_strides),
              {d}};
    // A tap that lies alone may still be out of bounds.
    if (loop.size == 1 && !(role == Role::k && bounded(loop))) continue;
    const auto surrounds = [](const Loop& outer, const Loop& inner) {
      return outer.a == inner.a * inner.size && outer.b == inner.b * inner.size && outer.c == inner.c * inner.size;
    };
    if (join && !loops.empty() && !bounded(loop) && !bounded(loops.back()) && surrounds(loops.back(), loop)) {
      Loop& outer = loops.back();
      outer = {outer.size * loop.size, loop.a, loop.b, loop.c, outer.dimensions};
      outer.dimensions.push_back(d);
      continue;
    }
    // Later dimensions may lie outside of earlier ones, as taps do of channels.
    const auto inner = std::find_if(loops.begin(), loops.end(), [&](const Loop& candidate) {
      return join && role == Role::n && !bounded(loop) && !bounded(candidate) && surrounds(loop, candidate);
    });
    if (inner != loops.end()) {
      inner->size *= loop.size;
      inner->dimensions.insert(inner->dimensions.begin(), d);
      continue;
    }
    loops.push_back(std::move(loop));
  }
  return loops;
}

}  // namespace

std::vector<ContractionShape> contraction_shapes(const ir::Op& op, Accesses& accesses,
                                                 const std::function<bool(const ir::Value&)>& stored) {
  ops::ContractionSpec whole = op.def->contraction(op);
  if (whole.a.bounded) return {};
  const std::optional<View> a = operand_view(*op.operand(whole.lhs), whole, whole.a, accesses, stored);
  const std::optional<View> b = operand_view(*op.operand(whole.rhs), whole, whole.b, accesses, stored);
  if (!a || !b) return {};
  const ir::Integers c_strides = ir::strides_of(*op.result());
  std::vector<ContractionShape> shapes;
  std::vector<ops::ContractionSpec> phases = phases_of(whole);
  for (ops::ContractionSpec& spec : phases) {
    ContractionShape& shape = shapes.emplace_back();
    shape.spec = std::move(spec);
    shape.a = *a;
    shape.b = *b;
    shape.a_offset = offset_of(shape.spec.a, shape.a);
    shape.b_offset = offset_of(shape.spec.b, shape.b);
    shape.bounds = bounds_of(shape.spec);
    shape.batch = loops_of(Role::batch, shape, c_strides);
    shape.m = loops_of(Role::m, shape, c_strides);
    shape.n = loops_of(Role::n, shape, c_strides, phases.size() == 1);  // phases have the same loop over images
    shape.k = loops_of(Role::k, shape, c_strides);
  }
  return shapes;
}

bool is_read_in_place(const ir::Op& op, std::size_t i, Accesses& accesses,
                      const std::function<bool(const ir::Value&)>& stored) {
  if (view_of(*op.operand(i), accesses, stored)) return true;
  ops::ContractionSpec spec = op.def->contraction(op);
  return operand_view(*op.operand(i), spec, i == spec.lhs ? spec.a : spec.b, accesses, stored).has_value();
}

std::optional<ContractionShape> contraction_shape(const ir::Op& op, Accesses& accesses,
                                                  const std::function<bool(const ir::Value&)>& stored) {
  std::vector<ContractionShape> shapes = contraction_shapes(op, accesses, stored);
  if (shapes.empty() || (shapes.size() > 1 && !is_direct_convolution(op, shapes.front()))) return std::nullopt;
  return std::move(shapes.front());
}

std::vector<kernel::Index> positions_in(const std::vector<Loop>& loops, const kernel::Index& position) {
  std::vector<std::int64_t> sizes;
  for (const Loop& loop : loops) sizes.push_back(loop.size);
  return kernel::unflatten(position, sizes);
}

kernel::Index walked(const std::vector<Loop>& loops, const std::vector<kernel::Index>& at,
                     std::int64_t Loop::* stride) {
  kernel::Index position;
  for (std::size_t i = 0; i < at.size(); ++i) position += at[i] * (loops[i].*stride);
  return position;
}

const Loop* image_loop(const ContractionShape& shape) {
  const auto& images = shape.spec.c.coordinates.front();
  if (images.offset != 0 || images.terms.size() != 1 || images.terms.front().coefficient != 1) return nullptr;
  const std::vector<std::size_t> dimensions{images.terms.front().dimension};
  const auto loop = std::find_if(shape.n.begin(), shape.n.end(),
                                 [&](const Loop& candidate) { return candidate.dimensions == dimensions; });
  return loop == shape.n.end() ? nullptr : &*loop;
}

ops::Indices indices_in_c(const ops::ContractionSpec& spec, const std::vector<LoopPosition>& positions) {
  std::vector<kernel::Index> at(spec.dimensions.size());
  for (const LoopPosition& position : positions) {
    std::vector<std::int64_t> sizes;
    for (const std::size_t d : position.loop->dimensions) sizes.push_back(spec.dimensions[d].size);
    const std::vector<kernel::Index> along = kernel::unflatten(position.at, sizes);
    for (std::size_t i = 0; i < along.size(); ++i) at[position.loop->dimensions[i]] = along[i];
  }
  ops::Indices indices;
  for (const auto& coordinate : spec.c.coordinates) {
    kernel::Index index(coordinate.offset);
    for (const auto& term : coordinate.terms) index += at[term.dimension] * term.coefficient;
    indices.push_back(index);
  }
  return indices;
}

bool only_moves(const ir::Value& value) {
  return value.definer && value.definer->def->element && value.definer->def->traits.moves_data;
}

namespace {

/// Has it loops that are better tiled than summed along k?
bool has_loops_for_tiles(const ir::Op& op, Accesses& accesses) {
  std::optional<ContractionShape> shape =
      contraction_shape(op, accesses, [](const ir::Value& v) { return !only_moves(v); });
  if (!shape)  // what moves it cannot be read in place: it will be stored first
    shape = contraction_shape(op, accesses, [](const ir::Value&) { return true; });
  if (!shape || shape->k.empty()) return false;
  constexpr std::int64_t kFewRows = 2;
  const std::int64_t m = ContractionShape::product(shape->m), n = ContractionShape::product(shape->n);
  const bool along_k = shape->k.back().a == 1 && shape->k.back().b == 1 && shape->k.back().size >= 16;
  if (m <= kFewRows && n <= kFewRows) return false;
  return !(along_k && (m <= kFewRows || n <= kFewRows));
}

bool is_worth_tiles(const ir::Op& op, Accesses& accesses) {
  if (!is_float(op.operand(0)->type.dtype)) return false;
  for (const ir::Value* operand : op.operands)
    if (count_of(*operand) == 0) return false;
  if (count_of(*op.result()) == 0) return false;
  if (!op.def->element) return true;
  ExpressionWriter writer(accesses);
  writer.write(op, [](const ir::Value& v) { return !only_moves(v); }, true);
  auto& known = accesses.contractions_by_key();
  auto entry = known.find(writer.key().text());
  if (entry == known.end()) entry = known.emplace(writer.key().text(), has_loops_for_tiles(op, accesses)).first;
  return entry->second;
}

}  // namespace

bool is_contraction(const ir::Op& op, Accesses& accesses) {
  if (!op.def->contraction) return false;
  std::optional<bool> known = accesses.contraction(op);
  if (!known) accesses.contraction(op) = known = is_worth_tiles(op, accesses);
  return *known;
}

}  // namespace pullback::lower
