// scan: a loop over the leading axis of its operands, with values carried from one iteration to the next.
#include "compiler/ops/scan.h"

#include <fmt/format.h>

#include <cstring>

#include "compiler/ops/evaluate.h"
#include "compiler/ops/regions.h"

namespace pullback::ops {

ScanLayout::ScanLayout(const ir::Op& op)
    : carries(static_cast<std::size_t>(op.attributes.integer("carries"))),
      slices(static_cast<std::size_t>(op.attributes.integer("slices"))),
      invariants(op.operands.size() - carries - slices),
      stacked(op.regions.front()->results.size() - carries),
      length(op.attributes.shape("length").front()),
      reverse(op.attributes.get<bool>("reverse")) {}

ir::Type stacked_type(const ir::Type& type, const Dim& length) {
  ir::Type result{type.dtype, {length}};
  result.shape.insert(result.shape.end(), type.shape.begin(), type.shape.end());
  return result;
}

namespace {

// The attributes must be checked before a ScanLayout may be made of them.
void check_attributes(const InferContext& c) {
  if (c.attribute<Shape>("length").size() != 1) c.fail("length must be one dimension");
  c.attribute<bool>("reverse");
  const std::int64_t carries = c.attribute<std::int64_t>("carries"), slices = c.attribute<std::int64_t>("slices");
  if (carries < 0 || slices < 0 || carries + slices > static_cast<std::int64_t>(c.operand_count()))
    c.fail(fmt::format("{} carries and {} slices need as many operands", carries, slices));
  if (c.op().regions.size() != 1) c.fail(fmt::format("needs one region, not {}", c.op().regions.size()));
  if (static_cast<std::int64_t>(c.op().regions.front()->results.size()) < carries)
    c.fail(fmt::format("the body gives {} results for {} carries", c.op().regions.front()->results.size(), carries));
}

// What the body must take for operand i.
ir::Type argument_type(const InferContext& c, const ScanLayout& layout, std::size_t i) {
  if (!layout.is_slice(i)) return c.type(i);
  const Shape& shape = c.shape(i);
  if (shape.empty() || !(shape.front() == layout.length))
    c.fail(fmt::format("operand {} is sliced {} times along its leading axis", i, layout.length.to_string()));
  return {c.dtype(i), Shape(shape.begin() + 1, shape.end())};
}

std::vector<ir::Type> infer_scan(const InferContext& c) {
  check_attributes(c);
  const ScanLayout layout(c.op());
  const ir::Region& body = *c.op().regions.front();
  if (body.arguments.size() != c.operand_count())
    c.fail(fmt::format("the body takes {} arguments for {} operands", body.arguments.size(), c.operand_count()));
  for (std::size_t i = 0; i < c.operand_count(); ++i) {
    const ir::Type expected = argument_type(c, layout, i);
    if (body.arguments[i]->type != expected)
      c.fail(fmt::format("argument {} of the body is {} instead of {}", i, ir::to_string(body.arguments[i]->type),
                         ir::to_string(expected)));
  }
  std::vector<ir::Type> types = result_types(body);
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i >= layout.carries)
      types[i] = stacked_type(types[i], layout.length);
    else if (types[i] != c.type(i))
      c.fail(fmt::format("carry {} begins as {} and becomes {}", i, ir::to_string(c.type(i)), ir::to_string(types[i])));
  }
  return types;
}

std::size_t slice_bytes(const ir::Literal& stacked) {
  return stacked.dims.front() == 0 ? 0 : stacked.bytes.size() / static_cast<std::size_t>(stacked.dims.front());
}

void eval_scan(EvalContext& c) {
  const ScanLayout layout(c.op());
  const ir::Region& body = *c.op().regions.front();
  std::vector<ir::Literal> arguments;
  for (std::size_t i = 0; i < c.operand_count(); ++i) {
    const ir::Type& type = body.arguments[i]->type;
    arguments.push_back(layout.is_slice(i) ? ir::Literal(type.dtype, ir::static_dims(type.shape)) : c.operand(i));
  }
  const std::int64_t length = layout.length.constant();
  for (std::int64_t step = 0; step < length; ++step) {
    const auto at = static_cast<std::size_t>(layout.reverse ? length - 1 - step : step);
    for (std::size_t i = layout.carries; i < layout.first_invariant(); ++i) {
      const std::size_t size = slice_bytes(c.operand(i));
      if (size > 0) std::memcpy(arguments[i].bytes.data(), c.operand(i).bytes.data() + at * size, size);
    }
    std::vector<ir::Literal> results = evaluate(body, arguments);
    for (std::size_t i = layout.carries; i < results.size(); ++i) {
      const std::size_t size = slice_bytes(c.result(i));
      if (size > 0) std::memcpy(c.result(i).bytes.data() + at * size, results[i].bytes.data(), size);
    }
    for (std::size_t i = 0; i < layout.carries; ++i) arguments[i] = std::move(results[i]);
  }
  for (std::size_t i = 0; i < layout.carries; ++i) c.result(i) = std::move(arguments[i]);
}

// (carry, x, w) -> (sin(carry * w) + x, carry * x)
std::vector<std::unique_ptr<ir::Region>> scan_body(const std::vector<ir::Type>& types) {
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::make_unique<ir::Region>());
  ir::Region& region = *regions.back();
  ir::Builder b(region);
  const Value carry(b, region.add_argument(types[0], "carry")), x(b, region.add_argument(types[0], "x")),
      w(b, region.add_argument(types[2], "w"));
  region.results = {(sin(carry * w) + x).value, (carry * x).value};
  return regions;
}

Sample scan_sample(Dim length, Shape shape, bool reverse) {
  Shape stacked{length};
  stacked.insert(stacked.end(), shape.begin(), shape.end());
  return {.shapes = {shape, stacked, shape},
          .attributes = {{"length", Shape{std::move(length)}},
                         {"carries", std::int64_t{1}},
                         {"slices", std::int64_t{1}},
                         {"reverse", reverse}},
          .low = -1,
          .high = 1,
          .grad_tolerance = 1e-5,
          .why = "errors grow from iteration to iteration",
          .regions = scan_body};
}

}  // namespace

const OpDef op_scan{
    .name = "scan",
    .arity = -1,
    .doc =
        "(carries, xs, invariants): runs its region `length` times. It takes the carries, slice i of each of xs along "
        "their leading axis, and the invariants; it gives new carries and values that are stacked along a new leading "
        "axis, at i. i counts up, or down with `reverse`. Results: the last carries, then what was stacked. Gradient: "
        "a scan in the other direction that reads what this one saves in further results; sums over iterations of "
        "products are one product behind it.",
    .infer = infer_scan,
    .vjp = scan_vjp,
    .control = true,
    .eval = eval_scan,
    .samples = {scan_sample(dim("a"), {dim("b")}, false), scan_sample(4, {2, 3}, true), scan_sample(5, {}, false)},
};

}  // namespace pullback::ops
