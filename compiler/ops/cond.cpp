// cond: one of two regions, chosen when the program runs.
#include <fmt/format.h>

#include "compiler/ops/evaluate.h"
#include "compiler/ops/regions.h"

namespace pullback::ops {

namespace {

std::vector<ir::Type> infer_cond(const InferContext& c) {
  if (c.operand_count() == 0) c.fail("needs a predicate");
  c.require_boolean(0);
  c.require_scalar(0);
  if (c.op().regions.size() != 2) c.fail(fmt::format("needs two regions, not {}", c.op().regions.size()));
  const ir::Region &on_true = *c.op().regions[0], &on_false = *c.op().regions[1];
  require_region_takes_operands(c, on_true, 1, "the true region");
  require_region_takes_operands(c, on_false, 1, "the false region");
  if (result_types(on_true) != result_types(on_false))
    c.fail("the regions give " + list_types(result_types(on_true)) + " and " + list_types(result_types(on_false)) +
           ": the types must agree");
  return result_types(on_true);
}

// Again a cond: the derivative of the branch that was taken, which repeats the branch's ops as far as it needs them.
void cond_vjp(GradContext& c) {
  const std::vector<std::size_t> wanted = wanted_gradients(c, 1);
  std::vector<Value> operands;
  for (std::size_t i = 1; i < c.op().operands.size(); ++i) operands.push_back(c.operand(i));
  for (const Value& cotangent : floating_cotangents(c)) operands.push_back(cotangent);
  const std::vector<Value> gradients = cond(c.operand(0), operands, pure_gradient_region(c, *c.op().regions[0], wanted),
                                            pure_gradient_region(c, *c.op().regions[1], wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i) c.add_grad(1 + wanted[i], gradients[i]);
}

// on_true: x * y, on_false: sin(x)
std::vector<std::unique_ptr<ir::Region>> branch_regions(const std::vector<ir::Type>& types) {
  std::vector<std::unique_ptr<ir::Region>> regions;
  for (const bool branch : {true, false}) {
    regions.push_back(std::make_unique<ir::Region>());
    ir::Region& region = *regions.back();
    ir::Builder b(region);
    const Value x(b, region.add_argument(types[1], "x")), y(b, region.add_argument(types[2], "y"));
    region.results = {(branch ? x * y : sin(x)).value};
  }
  return regions;
}

Sample cond_sample(Shape shape, double low, double high) {
  return {.shapes = {{}, shape, shape},
          .dtypes = {DType::boolean, DType::f32, DType::f32},
          .low = low,
          .high = high,
          .regions = branch_regions};
}

}  // namespace

const OpDef op_cond{
    .name = "cond",
    .arity = -1,
    .doc =
        "(predicate, operands): the results of the first region where the predicate (a bool scalar) holds, else of "
        "the second; both take the operands. Gradient: the gradient of the region that was taken.",
    .infer = infer_cond,
    .vjp = cond_vjp,
    .control = true,
    .eval =
        [](EvalContext& c) {
          std::vector<ir::Literal> arguments;
          for (std::size_t i = 1; i < c.operand_count(); ++i) arguments.push_back(c.operand(i));
          c.results() = evaluate(*c.op().regions[c.operand(0).as_integer(0) != 0 ? 0 : 1], arguments);
        },
    .samples = {cond_sample({dim("a"), dim("b")}, -2, 2), cond_sample({3, 19}, 1, 2)},
};

}  // namespace pullback::ops
