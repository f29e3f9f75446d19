// composite: a named group of ops with one meaning, its region's. Inlined before lowering unless a rewrite knows
// better.
#include <fmt/format.h>

#include "compiler/ir/prune.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/regions.h"

namespace pullback::ops {

namespace {

// What a gradient region takes and gives: see op_composite.doc.
void check_gradient_region(const InferContext& c, const ir::Region& body, const ir::Region& gradient) {
  std::vector<ir::Type> operands, given;
  for (std::size_t i = 0; i < c.operand_count(); ++i) operands.push_back(c.type(i));
  std::vector<ir::Type> taken = operands;
  const std::vector<ir::Type> results = result_types(body);
  for (int pass = 0; pass < 2; ++pass) taken.insert(taken.end(), results.begin(), results.end());
  for (const auto& argument : gradient.arguments) given.push_back(argument->type);
  if (given != taken)
    c.fail("the gradient region must take the operands, the results and a cotangent for each result, " +
           list_types(taken) + ", not " + list_types(given));
  if (result_types(gradient) != operands)
    c.fail("the gradient region must give a cotangent for each operand, " + list_types(operands) + ", not " +
           list_types(result_types(gradient)));
}

std::vector<ir::Type> infer_composite(const InferContext& c) {
  c.attribute<std::string>("name");
  if (c.op().attributes.has("recompute")) c.attribute<bool>("recompute");
  const auto& regions = c.op().regions;
  if (regions.empty() || regions.size() > 2)
    c.fail(fmt::format("needs one region, or two with a gradient, not {}", regions.size()));
  require_region_takes_operands(c, *regions[0], 0, "the region");
  if (regions.size() == 2) check_gradient_region(c, *regions[0], *regions[1]);
  return result_types(*regions[0]);
}

/// The gradient region that the composite has, cut down to what is wanted.
std::unique_ptr<ir::Region> own_gradient(const ir::Op& op, const std::vector<std::size_t>& wanted) {
  std::unique_ptr<ir::Region> region = ir::clone_region(*op.regions[1]);
  std::vector<ir::Value*> results;
  for (const std::size_t i : wanted) results.push_back(region->results[i]);
  region->results = std::move(results);
  ir::remove_unread_ops(*region);
  return region;
}

// Again a composite: of the gradient region when there is one, else of the derivative of the region (in which the
// forward ops are repeated; once inlined, CSE joins them with the originals).
void composite_vjp(GradContext& c) {
  const ir::Op& op = c.op();
  const bool own = op.regions.size() == 2;
  const std::vector<std::size_t> wanted = wanted_gradients(c, 0);
  std::vector<Value> operands;
  for (std::size_t i = 0; i < op.operands.size(); ++i) operands.push_back(c.operand(i));
  if (own) {
    for (std::size_t i = 0; i < op.results.size(); ++i) operands.push_back(c.result(i));
    for (std::size_t i = 0; i < op.results.size(); ++i) operands.push_back(c.out_grad(i));
  } else {
    for (const Value& cotangent : floating_cotangents(c)) operands.push_back(cotangent);
  }
  if (const ir::Attribute* recompute = op.attributes.find("recompute"); recompute && std::get<bool>(*recompute))
    operands = barrier(operands);  // of the operands and the cotangents: computed again, and not before those are known
  std::unique_ptr<ir::Region> region = own ? own_gradient(op, wanted) : pure_gradient_region(c, *op.regions[0], wanted);
  const std::vector<Value> gradients =
      composite(c.build(), c.attributes().string("name") + ".grad", operands, std::move(region));
  for (std::size_t i = 0; i < wanted.size(); ++i) c.add_grad(wanted[i], gradients[i]);
}

// x * sin(y), once with its derivative and once with the gradient given.
std::vector<std::unique_ptr<ir::Region>> composite_regions(const std::vector<ir::Type>& types, bool with_gradient) {
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::make_unique<ir::Region>());
  ir::Builder b(*regions[0]);
  const Value x(b, regions[0]->add_argument(types[0], "x")), y(b, regions[0]->add_argument(types[1], "y"));
  regions[0]->results = {(x * sin(y)).value};
  if (!with_gradient) return regions;
  regions.push_back(std::make_unique<ir::Region>());
  ir::Region& gradient = *regions[1];
  ir::Builder gb(gradient);
  const Value gx(gb, gradient.add_argument(types[0], "x")), gy(gb, gradient.add_argument(types[1], "y"));
  gradient.add_argument(types[0], "result");
  const Value g(gb, gradient.add_argument(types[0], "d.result"));
  gradient.results = {(g * sin(gy)).value, (g * gx * cos(gy)).value};
  return regions;
}

Sample composite_sample(bool with_gradient) {
  return {.shapes = {{dim("a"), dim("b")}, {dim("a"), dim("b")}},
          .attributes = {{"name", "x_sin_y"}},
          .regions = [=](const std::vector<ir::Type>& types) { return composite_regions(types, with_gradient); }};
}

}  // namespace

const OpDef op_composite{
    .name = "composite",
    .arity = -1,
    .doc =
        "The ops of its region under the name `name`. A second region is its own gradient: its arguments are the "
        "operands, the results and one cotangent for each result; its results are one cotangent for each operand "
        "(of integers: ignored). Without it the region is differentiated; with `recompute` its gradient computes the "
        "region's values again (a checkpoint). It is inlined before lowering.",
    .infer = infer_composite,
    .vjp = composite_vjp,
    .control = true,
    .eval =
        [](EvalContext& c) {
          std::vector<ir::Literal> arguments;
          for (std::size_t i = 0; i < c.operand_count(); ++i) arguments.push_back(c.operand(i));
          c.results() = evaluate(*c.op().regions[0], arguments);
        },
    .samples = {composite_sample(false), composite_sample(true)},
};

}  // namespace pullback::ops
