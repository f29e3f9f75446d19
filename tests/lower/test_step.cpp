// A whole training step: how many kernels it takes, and that nothing large is stored without need.
#include "compiler/autodiff/step.h"
#include "compiler/ir/text.h"
#include "compiler/ops/build.h"
#include "compiler/passes/pipeline.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

constexpr const char* kNetwork = R"(
func @mlp(%x: f32[B,20], %y: i32[B], state %w1: f32[20,24], state %b1: f32[24], state %w2: f32[24,10],
          state %b2: f32[10]) {
  %h: f32[B,24] = dot_general(%x, %w1) {contract = [1]x[0], batch = []x[]}
  %b1b: f32[B,24] = broadcast(%b1) {shape = shape[B,24], dimensions = [1]}
  %a: f32[B,24] = add(%h, %b1b)
  %zero: f32[] = constant() {value = dense<f32[]: 0.0>}
  %z: f32[B,24] = broadcast(%zero) {shape = shape[B,24], dimensions = []}
  %r: f32[B,24] = maximum(%a, %z)
  %o: f32[B,10] = dot_general(%r, %w2) {contract = [1]x[0], batch = []x[]}
  %b2b: f32[B,10] = broadcast(%b2) {shape = shape[B,10], dimensions = [1]}
  %l: f32[B,10] = add(%o, %b2b)
  %m: f32[B] = reduce_max(%l) {axes = [1]}
  %ms: f32[B] = stop_gradient(%m)
  %mb: f32[B,10] = broadcast(%ms) {shape = shape[B,10], dimensions = [0]}
  %d: f32[B,10] = sub(%l, %mb)
  %e: f32[B,10] = exp(%d)
  %s: f32[B] = reduce_sum(%e) {axes = [1]}
  %ls: f32[B] = log(%s)
  %lsb: f32[B,10] = broadcast(%ls) {shape = shape[B,10], dimensions = [0]}
  %lp: f32[B,10] = sub(%d, %lsb)
  %i: i32[B,10] = iota() {axis = 1, shape = shape[B,10], dtype = i32}
  %yb: i32[B,10] = broadcast(%y) {shape = shape[B,10], dimensions = [0]}
  %hit: bool[B,10] = compare(%i, %yb) {direction = "eq"}
  %t: f32[B,10] = convert(%hit) {to = f32}
  %p: f32[B,10] = mul(%lp, %t)
  %n: f32[B,10] = neg(%p)
  %loss: f32[] = reduce_sum(%n) {axes = [0,1]}
  return loss = %loss
}
)";

/// Adam without bias correction: two slots for each parameter.
void adam(autodiff::UpdateContext& c) {
  ir::Builder& b = c.build();
  for (std::size_t i = 0; i < c.parameters().size(); ++i) {
    const ops::Value p(b, c.parameters()[i]), g(b, c.gradients()[i]);
    const ops::Value m(b, c.state("m." + p.value->name, p.type())), v(b, c.state("v." + p.value->name, p.type()));
    const ops::Value next_m = m * 0.9 + g * 0.1, next_v = v * 0.999 + g * g * 0.001;
    c.update(m.value, next_m.value);
    c.update(v.value, next_v.value);
    c.update(p.value, (p - next_m * 0.01 / (ops::sqrt(next_v) + 1e-8)).value);
  }
}

std::unique_ptr<ir::Function> step_at(int batch) {
  std::string text = kNetwork;
  for (std::size_t at = text.find('B'); at != std::string::npos; at = text.find('B', at))
    text.replace(at, 1, std::to_string(batch));
  const auto traced = testing::parse_function(text);
  autodiff::Step step = autodiff::build_step(
      *traced, {.name = "mlp.step", .loss = "loss", .trainable = {"w1", "b1", "w2", "b2"}, .update = adam});
  passes::optimize(*step.function);
  return std::move(step.function);
}

TEST_CASE("the kernels of a training step", "[lower]") {
  const auto function = step_at(16);
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v4"));
  INFO(ir::print(*function, {.locations = false}) << schedule::print(module));
  // Two matrix products forward and three backward, each with what belongs to it; one kernel of rows for softmax,
  // cross-entropy and its gradient; two sums of gradients with the biases' updates; the sum of the loss.
  CHECK(testing::calls_of(module.body) == 9);
  // The hidden layer, its gradient, the logits and their gradient.
  CHECK(module.arena_bytes <= 2 * 16 * 24 * 4 + 3 * 16 * 10 * 4 + 256);
}

TEST_CASE("a training step computes what the evaluator computes", "[lower]") {
  for (int batch : {1, 7, 16}) testing::check_lowering(*step_at(batch));
}

}  // namespace
}  // namespace pullback
