// Layers.
#include <pullback/nn.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback::nn {

namespace {

// Parameters of the layer `name`, in the graph of its operand.
class Layer {
 public:
  Layer(const Tensor& x, const std::string& name, const SourceLocation& where)
      : trace_(*x.trace()), pin_(x, where), scope_(trace_, name) {}

  Tensor parameter(const std::string& name, const Shape& shape, const Initializer& initializer, DType dtype) {
    return Graph(trace_.shared_from_this()).parameter(name, shape, initializer, dtype);
  }

 private:
  detail::Trace& trace_;
  detail::Pin pin_;
  detail::ScopeGuard scope_;
};

std::int64_t known_size(const char* op, const Tensor& x, int axis, const SourceLine& line) {
  if (!x.size(axis).is_constant())
    detail::fail(op, fmt::format("x is {}: the size of its last axis must be a number", x.type_string()), line);
  return x.size(axis).constant();
}

}  // namespace

Tensor linear(const Tensor& x, std::int64_t out, const std::string& name, const LinearOptions& options,
              SourceLocation where) {
  detail::require_defined("linear", x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("linear", x, line);
  if (x.rank() == 0) detail::fail("linear", fmt::format("x is {}: [..., in] is needed", x.type_string()), line);
  if (out < 1) detail::fail("linear", fmt::format("{} outputs are no outputs", out), line);
  const std::int64_t in = known_size("linear", x, -1, line);
  Layer layer(x, name, where);
  const double bound = in > 0 ? 1 / std::sqrt(static_cast<double>(in)) : 0;
  const Initializer uniform = Initializer::uniform(-bound, bound);
  // x:[...,I] w:[I,O] b:[O]
  const Tensor w = layer.parameter("w", {in, out}, options.initializer.value_or(uniform), x.dtype());
  const Tensor y = matmul(x, w);
  return options.bias ? y + layer.parameter("b", {out}, uniform, x.dtype()) : y;
}

Tensor embedding(const Tensor& ids, std::int64_t count, std::int64_t size, const std::string& name,
                 SourceLocation where) {
  detail::require_defined("embedding", ids, where);
  if (count < 1 || size < 1)
    detail::fail("embedding", fmt::format("a table of {} rows of {} is empty", count, size), ids.trace()->line(where));
  Layer layer(ids, name, where);
  return pullback::embedding(layer.parameter("w", {count, size}, Initializer::normal(0, 1), f32), ids);
}

Tensor layer_norm(const Tensor& x, const std::string& name, double epsilon, SourceLocation where) {
  detail::require_defined("layer_norm", x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("layer_norm", x, line);
  if (x.rank() == 0) detail::fail("layer_norm", fmt::format("x is {}: it has no axis", x.type_string()), line);
  const std::int64_t size = known_size("layer_norm", x, -1, line);
  Layer layer(x, name, where);
  const Tensor w = layer.parameter("w", {size}, Initializer::constant(1), x.dtype());
  const Tensor b = layer.parameter("b", {size}, Initializer::zeros(), x.dtype());
  const Tensor centered = x - mean(x, -1, true);
  return centered * rsqrt(mean(square(centered), -1, true) + epsilon) * w + b;
}

}  // namespace pullback::nn
