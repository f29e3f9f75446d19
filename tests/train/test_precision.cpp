// Training in 16 bits: what is rounded, what is not, and that it still learns.
#include <cmath>
#include <cstring>
#include <optional>

#include "tests/frontend/support.h"

namespace pullback::test {

namespace {

// y = sign(x . direction): two features decide, the others are noise.
struct Classifier {
  Graph g{"half", {.seed = 3}};
  Tensor x = g.input("x", f32, {dim("batch"), 19});
  Tensor y = g.input("y", i32, {dim("batch")});
  Tensor logits = nn::linear(tanh(nn::linear(x, 33, "fc1")), 2, "fc2");
  Tensor loss = cross_entropy(logits, y);
  Trainer trainer;

  explicit Classifier(const CompileOptions& compile)
      : trainer(g, {.loss = loss, .optimizer = Adam{.lr = 0.01}, .compile = compile}) {}
};

struct Batch {
  Array x{f32, {32, 19}}, y{i32, {32}};
  Batch() {
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.values<float>()[static_cast<std::size_t>(i)] = std::sin(1.7F * static_cast<float>(i));
    for (std::size_t row = 0; row < 32; ++row) {
      const auto values = x.values<float>();
      y.values<std::int32_t>()[row] = values[row * 19] + values[row * 19 + 1] > 0 ? 1 : 0;
    }
  }
};

}  // namespace

TEST_CASE("a step in bf16 or f16 rounds what enters products, and learns") {
  const Batch batch;
  for (const DType precision : {bf16, f16}) {
    Classifier exact({}), rounded({.precision = precision});
    Classifier reference({.executor = CompileOptions::Executor::reference, .precision = precision});
    const double loss = rounded.trainer.observe(batch.x, batch.y);
    // Both executors round the same values to 16 bits; only the order of f32 sums differs, which may move a value
    // across a rounding boundary: one ulp of 16 bits in few of 33 terms.
    const double unit = precision == bf16 ? 0x1p-8 : 0x1p-11;
    CHECK(std::abs(loss - reference.trainer.observe(batch.x, batch.y)) <= unit * loss / 8);
    // Two layers, each with three roundings (two operands, one result) of relative error unit.
    const double exact_loss = exact.trainer.observe(batch.x, batch.y);
    CHECK(loss != exact_loss);
    CHECK(std::abs(loss - exact_loss) <= 6 * unit);
    double last = loss;
    for (int step = 0; step < 150; ++step) last = rounded.trainer.observe(batch.x, batch.y);
    CHECK(last < 0.1 * loss);
  }
}

TEST_CASE("parameters and optimizer slots keep 32 bits in a step of 16") {
  const Batch batch;
  Classifier c({.precision = bf16});
  c.trainer.observe(batch.x, batch.y);
  for (const auto& entry : c.trainer.state().entries()) {
    INFO(entry.name);
    CHECK(entry.value.dtype() != bf16);
  }
  CHECK(c.trainer.program().dump(Stage::optimized).find("bf16[") != std::string::npos);
}

TEST_CASE("f16 scales the loss; an overflow updates nothing and lowers the scale") {
  const Batch batch;
  Classifier c({.precision = f16});
  const auto scale = [&] { return c.trainer.state().get("loss_scale").item(); };
  const auto steps = [&] { return c.trainer.state().get("step").item(); };
  CHECK(scale() == 65536);
  const double loss = c.trainer.observe(batch.x, batch.y);
  CHECK(loss < 2);  // as it is, not as it is scaled
  CHECK(steps() == 1);

  Batch huge;
  for (float& value : huge.x.values<float>()) value *= 1e5F;  // no number of f16
  const Array before = c.trainer.program().get("fc1.w");
  c.trainer.observe(huge.x, huge.y);
  CHECK(scale() == 32768);
  CHECK(steps() == 1);
  const Array after = c.trainer.program().get("fc1.w");
  CHECK(std::memcmp(before.raw(), after.raw(), before.bytes()) == 0);
  c.trainer.observe(batch.x, batch.y);
  CHECK(steps() == 2);
}

TEST_CASE("a loss scale rises after enough good steps, and small gradients need one") {
  // d(loss)/d(logits) of 1e-9 times x of 1 is below the smallest number of f16, 6e-8.
  const auto trained = [](std::optional<LossScale> scale) {
    Graph g("small");
    const Tensor x = g.input("x", f32, {dim("batch"), 1});
    const Tensor w = g.parameter("w", {1, 1}, Initializer::constant(0.5));
    Trainer trainer(g, {.loss = sum(matmul(x, w)) * 1e-9,
                        .optimizer = SGD{.lr = 1e6},
                        .loss_scale = scale,
                        .compile = {.precision = f16}});
    const Array one = Array::from(std::vector<float>{1}, {1, 1});
    for (int step = 0; step < 4; ++step) trainer.observe({{"x", one}});
    if (scale->interval == 2) CHECK(trainer.state().get("loss_scale").item() == 4 * scale->initial);
    return trainer.program().get("w").item();
  };
  CHECK(trained(LossScale{.initial = 1, .interval = 1000}) == 0.5);
  // Four updates of 1e6 * 1e-9, each gradient rounded to 11 bits.
  CHECK(std::abs(trained(LossScale{.initial = 65536, .interval = 2}) - (0.5 - 4e-3)) <= 4e-3 * 0x1p-10);
}

TEST_CASE("a precision that is no floating type of at most 32 bits is refused") {
  const Batch batch;
  for (const DType precision : {f64, i32}) {
    Classifier c({.precision = precision});
    CHECK_THROWS_WITH(c.trainer.observe(batch.x, batch.y), Catch::Contains("precision is f32, bf16 or f16"));
  }
}

}  // namespace pullback::test
