#include "compiler/passes/pipeline.h"

#include <bit>

#include "compiler/autodiff/gradient.h"
#include "compiler/ir/kernel/interpret.h"
#include "compiler/ops/math/math.h"
#include "compiler/passes/passes.h"
#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

// Softmax and cross entropy of a layer, with the composites and stop_gradient that a frontend writes.
constexpr const char* kNetwork = R"(
func @net(%x: f32[batch,3], %t: f32[batch,4], state %w: f32[3,4], state %b: f32[4]) {
  %a: f32[batch,4] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
  %c: f32[batch,4] = broadcast(%b) {shape = shape[batch,4], dimensions = [1]}
  %s: f32[batch,4] = add(%a, %c)
  %p: f32[batch,4] = composite(%s) {name = "softmax"} region(%v: f32[batch,4]) {
    %m: f32[batch] = reduce_max(%v) {axes = [1]}
    %n: f32[batch] = stop_gradient(%m)
    %o: f32[batch,4] = broadcast(%n) {shape = shape[batch,4], dimensions = [0]}
    %d: f32[batch,4] = sub(%v, %o)
    %e: f32[batch,4] = exp(%d)
    %z: f32[batch] = reduce_sum(%e) {axes = [1]}
    %y: f32[batch,4] = broadcast(%z) {shape = shape[batch,4], dimensions = [0]}
    %r: f32[batch,4] = div(%e, %y)
    return %r
  }
  %l: f32[batch,4] = log(%p)
  %q: f32[batch,4] = mul(%l, %t)
  %loss: f32[] = reduce_sum(%q) {axes = [0,1]}
  return loss = %loss
}
)";

std::unique_ptr<ir::Function> specialized_gradient() {
  const auto network = testing::parse_one(kNetwork);
  const auto gradient = autodiff::gradient(*network, "loss", {"w", "b", "x"}).function;
  return passes::specialize(*gradient, {{"batch", 5}});
}

TEST_CASE("the pipeline keeps the meaning of a gradient and is idempotent", "[pipeline]") {
  const auto before = specialized_gradient();
  const auto after = ir::clone(*before);
  const auto reports = passes::optimize(*after, {.verify = true, .after = {}});
  CHECK(reports.size() == passes::pipeline().size());
  CHECK(reports.back().ops == after->body.ops.size());
  for (const auto& op : after->body.ops) CHECK(op->regions.empty());
  testing::check_same_meaning(*before, *after, /*zero_signs=*/false);

  const auto again = ir::clone(*after);
  passes::optimize(*again, {.verify = true, .after = {}});
  INFO(ir::print(*after) << ir::print(*again));
  CHECK(ir::equal(*after, *again));
}

TEST_CASE("the pipeline is a table of known passes, each with a reason", "[pipeline]") {
  for (const passes::Pass& pass : passes::pipeline()) {
    CHECK(passes::find_pass(pass.name));
    CHECK_FALSE(pass.reason.empty());
  }
  CHECK(passes::find_pass("fuse_everything") == nullptr);
}

TEST_CASE("the runner calls back after each pass and names the pass that breaks the graph", "[pipeline]") {
  const auto function = testing::parse_one(testing::function_text("%x: f32[2]", "%y: f32[2] = exp(%x)\nreturn y = %y"));
  const passes::Pass broken{"break", [](ir::Function& f) { return f.body.ops[0]->result()->type.shape = {3}, true; },
                            "to see it fail"};
  std::size_t calls = 0;
  const auto count = [&](const passes::PassReport& report, const ir::Function&) { calls += report.name == "dce"; };
  passes::run(*function, std::span(passes::find_pass("dce"), 1), {.verify = true, .after = count});
  CHECK(calls == 1);
  CHECK_THROWS_WITH(passes::run(*function, std::span(&broken, 1), {.verify = true, .after = {}}),
                    Catch::Contains("break"));
}

TEST_CASE("a folded exponential has the bits of a compiled one", "[fold]") {
  const auto function = testing::parse_one(testing::function_text(
      "", "%a: f32[2] = constant() {value = dense<f32[2]: 0.7, -3.1>}\n%r: f32[2] = exp(%a)\nreturn r = %r"));
  CHECK(passes::fold(*function));
  REQUIRE(function->body.ops.size() == 1);
  const ir::Literal& folded = function->body.ops[0]->attributes.literal("value");
  const kernel::Function* exp = ops::math_functions().find("exp", DType::f32);
  REQUIRE(exp);
  const float inputs[] = {0.7F, -3.1F};
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t argument = std::bit_cast<std::uint32_t>(inputs[i]);
    CHECK(std::bit_cast<std::uint32_t>(folded.data<float>()[i]) == kernel::evaluate(*exp, std::span(&argument, 1)));
  }
}

}  // namespace
}  // namespace pullback
