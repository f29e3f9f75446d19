// A model whose gradient is known in closed form: a quadratic of two parameters, each element with its own curvature.
#pragma once

#include <cstring>

#include "tests/frontend/support.h"

namespace pullback::test {

inline void check_same_bits(const State& a, const State& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(a.entries()[i].name);
    CHECK(a.entries()[i].name == b.entries()[i].name);
    const Array &left = a.entries()[i].value, &right = b.entries()[i].value;
    CHECK(std::memcmp(left.raw(), right.raw(), left.bytes()) == 0);
  }
}

/// loss = mean over the batch of sum_i c_i/2 * (p_i - x_i)^2 - with x = 0 unless a step is given other rows.
template <class T>
struct Quadratic {
  inline static const std::vector<double> kStart{1, -2, 0.5, 3, -0.25, 0.75, -1.5, 2};  // exact in f32
  inline static const std::vector<double> kCurvature{1, 0.5, 2, 0.25, 1.5, 0.75, 1, 3};
  static double gradient(std::size_t i, double p) { return kCurvature[i] * p; }

  Graph g{"quadratic"};
  Trainer trainer;

  explicit Quadratic(TrainerOptions options, const CompileOptions& compile = {})
      : trainer(g, with_loss(std::move(options), compile)) {}

  /// Trains on rows [batch,8].
  double step(const Array& rows) { return trainer.observe(std::vector<Array>{rows}); }
  double step() { return step(Array(dtype_of<T>, {1, 8})); }
  double loss() { return trainer.evaluation_program().step({{"x", Array(dtype_of<T>, {1, 8})}})[0].item(); }
  /// "a" [3], then "b" [5,1].
  std::vector<double> parameters() const {
    std::vector<double> all = numbers(g.state()->get("a"));
    for (const double v : numbers(g.state()->get("b"))) all.push_back(v);
    return all;
  }

 private:
  static Array part(const std::vector<double>& values, std::size_t begin, std::size_t end,
                    std::vector<std::int64_t> dims) {
    return Array::from(std::vector<T>(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                      values.begin() + static_cast<std::ptrdiff_t>(end)),
                       std::move(dims));
  }
  TrainerOptions with_loss(TrainerOptions options, const CompileOptions& compile) {
    const DType dtype = dtype_of<T>;
    const Tensor x = g.input("x", dtype, {dim("batch"), 8});
    const Tensor a = g.parameter("a", {3}, Initializer::from(part(kStart, 0, 3, {3})), dtype);
    const Tensor b = g.parameter("b", {5, 1}, Initializer::from(part(kStart, 3, 8, {5, 1})), dtype);
    const Tensor c = g.variable("c", {8}, Initializer::from(part(kCurvature, 0, 8, {8})), dtype);
    const Tensor p = concat({a, reshape(b, {5})});
    options.loss = mean(sum(c * square(p - x) * 0.5, 1));
    options.compile = compile;
    return options;
  }
};

}  // namespace pullback::test
