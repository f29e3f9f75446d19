// Tensors out of nothing, and questions about tensors.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

Tensor filled(const Arguments& a, const Shape& shape, double value, DType dtype) {
  const Tensor constant = a.context.graph.constant(value, shape, dtype == boolean ? i32 : dtype);
  return dtype == boolean ? not_equal(constant, 0) : constant;
}

DType own_dtype(const Arguments& a) {
  return a.given("dtype") ? a.dtype("dtype") : a.tensor("input").dtype();
}

}  // namespace

FunctionTable creation_functions() {
  return {
      {"zeros", "*size, dtype=None",
       [](const Arguments& a) { return filled(a, a.shape("size"), 0, a.dtype("dtype")); }},
      {"ones", "*size, dtype=None", [](const Arguments& a) { return filled(a, a.shape("size"), 1, a.dtype("dtype")); }},
      {"full", "size, fill_value, dtype=None",
       [](const Arguments& a) { return filled(a, a.shape("size"), a.number("fill_value"), a.dtype("dtype")); }},
      {"zeros_like", "input, dtype=None",
       [](const Arguments& a) { return filled(a, a.tensor("input").shape(), 0, own_dtype(a)); }},
      {"ones_like", "input, dtype=None",
       [](const Arguments& a) { return filled(a, a.tensor("input").shape(), 1, own_dtype(a)); }},
      {"full_like", "input, fill_value, dtype=None",
       [](const Arguments& a) { return filled(a, a.tensor("input").shape(), a.number("fill_value"), own_dtype(a)); }},
      {"size", "input, dim",
       [](const Arguments& a) -> Value { return a.tensor("input").size(a.axis("dim")).constant(); }},
      {"dim", "input", [](const Arguments& a) -> Value { return static_cast<std::int64_t>(a.tensor("input").rank()); }},
      {"numel", "input",
       [](const Arguments& a) -> Value {
         Dim count = 1;
         for (const Dim& size : a.tensor("input").shape()) count = count * size;
         return count.constant();
       }},
  };
}

}  // namespace pullback::golden
