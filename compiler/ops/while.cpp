// while: a loop that goes on as long as a condition holds.
#include <fmt/format.h>

#include "compiler/ops/evaluate.h"
#include "compiler/ops/regions.h"

namespace pullback::ops {

namespace {

std::vector<ir::Type> infer_while(const InferContext& c) {
  const auto carries = c.attribute<std::int64_t>("carries");
  if (carries < 0 || carries > static_cast<std::int64_t>(c.operand_count()))
    c.fail(fmt::format("{} carries need as many operands", carries));
  if (c.op().regions.size() != 2) c.fail(fmt::format("needs two regions, not {}", c.op().regions.size()));
  const ir::Region &condition = *c.op().regions[0], &body = *c.op().regions[1];
  require_region_takes_operands(c, condition, 0, "the condition");
  require_region_takes_operands(c, body, 0, "the body");
  if (result_types(condition) != std::vector<ir::Type>{{DType::boolean, {}}})
    c.fail("the condition gives " + list_types(result_types(condition)) + ": a bool scalar is needed");
  std::vector<ir::Type> types;
  for (std::int64_t i = 0; i < carries; ++i) types.push_back(c.type(static_cast<std::size_t>(i)));
  if (result_types(body) != types)
    c.fail("the carries are " + list_types(types) + " and become " + list_types(result_types(body)));
  return types;
}

void eval_while(EvalContext& c) {
  const ir::Region &condition = *c.op().regions[0], &body = *c.op().regions[1];
  std::vector<ir::Literal> arguments;
  for (std::size_t i = 0; i < c.operand_count(); ++i) arguments.push_back(c.operand(i));
  const std::size_t carries = c.results().size();
  while (evaluate(condition, arguments).front().as_integer(0) != 0) {
    std::vector<ir::Literal> results = evaluate(body, arguments);
    for (std::size_t i = 0; i < carries; ++i) arguments[i] = std::move(results[i]);
  }
  for (std::size_t i = 0; i < carries; ++i) c.result(i) = std::move(arguments[i]);
}

// while count < limit: count, x = count + 1, cos(x)
std::vector<std::unique_ptr<ir::Region>> loop_regions(const std::vector<ir::Type>& types) {
  std::vector<std::unique_ptr<ir::Region>> regions;
  for (const bool is_body : {false, true}) {
    regions.push_back(std::make_unique<ir::Region>());
    ir::Region& region = *regions.back();
    ir::Builder b(region);
    const Value count(b, region.add_argument(types[0], "count")), x(b, region.add_argument(types[1], "x")),
        limit(b, region.add_argument(types[2], "limit"));
    if (is_body)
      region.results = {(count + 1.0).value, cos(x).value};
    else
      region.results = {lt(count, limit).value};
  }
  return regions;
}

}  // namespace

const OpDef op_while{
    .name = "while",
    .arity = -1,
    .doc =
        "(carries, invariants): as long as the first region gives true, the second gives new carries; both take the "
        "operands. Results: the last carries.",
    .infer = infer_while,
    .no_vjp =
        "how often it runs is not known, so there is no room for what a gradient needs of each iteration: bound it by "
        "while_loop's max_trips",
    .control = true,
    .eval = eval_while,
    .samples = {{.shapes = {{}, {dim("a"), dim("b")}, {}},
                 .attributes = {{"carries", std::int64_t{2}}},
                 .dtypes = {DType::i32, DType::f32, DType::i32},
                 .low = 0,
                 .high = 9,
                 .regions = loop_regions}},
};

}  // namespace pullback::ops
