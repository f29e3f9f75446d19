// Random graphs of every kind of op that grouping tells apart, with much reuse of values.
#include "compiler/ir/text.h"
#include "compiler/ops/build.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

/// Values of shapes [m,n], [m], [n] and [], picked and combined at random.
class RandomGraph {
 public:
  RandomGraph(std::uint32_t seed, DType dtype) : random_(seed) {
    function_.name = "random";
    m_ = sizes_[random_() % 4];
    n_ = sizes_[random_() % 4];
    for (const Shape& shape : {Shape{m_, n_}, Shape{m_, n_}, Shape{n_, n_}, Shape{m_}, Shape{n_}, Shape{}})
      values_.push_back(function_.add_argument({dtype, shape}, "x" + std::to_string(values_.size())));
  }

  ir::Function& build(int ops) {
    for (int i = 0; i < ops; ++i) add_op();
    for (int i = 0; i < 4; ++i) {
      ir::Value* value = values_[values_.size() - 1 - random_() % std::min<std::size_t>(values_.size(), 8)];
      function_.add_result(value, "r" + std::to_string(i));
    }
    return function_;
  }

 private:
  ops::Value pick(const Shape& shape) {
    std::vector<ir::Value*> fitting;
    for (ir::Value* value : values_)
      if (value->type.shape == shape) fitting.push_back(value);
    return {builder_, fitting[random_() % fitting.size()]};
  }
  ops::Value any() { return {builder_, values_[random_() % values_.size()]}; }
  void keep(ops::Value value) { values_.push_back(value.value); }

  void add_op() {
    const ops::Value x = any();
    switch (random_() % 9) {
      case 0:
        return keep(x + pick(x.shape()));
      case 1:
        return keep(ops::tanh(x));
      case 2:
        return keep(ops::sigmoid(x * pick(x.shape())));
      case 3:
        return keep(ops::select(ops::lt(x, pick(x.shape())), x, ops::neg(pick(x.shape()))));
      case 4:
        return keep(ops::maximum(x, pick(x.shape())));
      case 5:
        return add_broadcast();
      case 6:
        return add_reduction();
      case 7:
        return add_contraction();
      default:
        return keep(x * 0.5 + 0.25);
    }
  }

  void add_broadcast() {
    if (random_() % 2)
      keep(ops::broadcast(pick({m_}), {m_, n_}, {0}));
    else
      keep(ops::broadcast(pick({n_}), {m_, n_}, {1}));
  }

  void add_reduction() {
    const ops::Value x = pick({m_, n_});
    const std::int64_t axis = static_cast<std::int64_t>(random_() % 2);
    // Kept small, so that many of them do not grow beyond what the tolerance can tell.
    keep(random_() % 2 ? ops::reduce_max(x, {axis}) : ops::tanh(ops::reduce_sum(x, {axis})));
  }

  void add_contraction() {
    const ops::Value x = pick({m_, n_});
    if (random_() % 2)
      keep(ops::tanh(ops::matmul(x, pick({n_, n_}))));
    else
      keep(ops::tanh(ops::dot_general(x, pick({m_, n_}), {{0}, {0}})));
  }

  std::mt19937 random_;
  ir::Function function_;
  ir::Builder builder_{function_.body};
  const std::vector<std::int64_t> sizes_{1, 4, 19, 33};
  std::int64_t m_ = 1, n_ = 1;
  std::vector<ir::Value*> values_;
};

TEST_CASE("random graphs", "[lower]") {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    RandomGraph graph(seed, seed % 3 == 0 ? DType::f64 : DType::f32);
    INFO("seed " << seed);
    testing::check_lowering(graph.build(8 + static_cast<int>(seed)), seed);
  }
}

// A chain of diamonds has exponentially many paths.
TEST_CASE("diamonds do not multiply", "[lower]") {
  ir::Function function;
  function.name = "diamonds";
  ir::Builder builder(function.body);
  ops::Value x(builder, function.add_argument({DType::f32, {10}}, "x"));
  for (int i = 0; i < 300; ++i) x = ops::neg(x) * 0.25 + ops::abs(x) * 0.5;
  function.add_result(x.value, "r");
  testing::check_lowering(function);
}

}  // namespace
}  // namespace pullback
