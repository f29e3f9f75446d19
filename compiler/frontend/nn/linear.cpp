// Linear and bilinear maps.
#include <pullback/nn/linear.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/operators.h>
#include <pullback/products.h>
#include <pullback/shapes.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

// PyTorch's first values: kaiming_uniform with a = sqrt(5) is uniform in +-1/sqrt(fan_in).
static Initializer within_fan_in(std::int64_t fan_in) {
  const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
  return Initializer::uniform(-bound, bound);
}

Linear::Linear(std::optional<std::int64_t> in, std::int64_t out, const LinearOptions& options,
               const SourceLocation& where)
    : Module(Layer{"Linear", fmt::format("Linear({}{}{})", in ? std::to_string(*in) + ", " : "", out,
                                         options.bias ? "" : ", bias=false")}),
      out_(out),
      options_(options) {
  require_at_least("Linear", "out", out, 1, where);
  if (!in) return;
  require_at_least("Linear", "in", *in, 0, where);
  declare(*in);
}

Linear::Linear(std::int64_t out, const LinearOptions& options, SourceLocation where)
    : Linear(std::nullopt, out, options, where) {}

Linear::Linear(std::int64_t in, std::int64_t out, const LinearOptions& options, SourceLocation where)
    : Linear(std::optional(in), out, options, where) {}

void Linear::declare(std::int64_t in) const {
  if (!has_parameter("w"))
    register_parameter("w", {in, out_}, options_.initializer ? *options_.initializer : within_fan_in(in));
  if (options_.bias && !has_parameter("b")) register_parameter("b", {out_}, within_fan_in(in));
}

void Linear::tie_weight(const Linear& other, SourceLocation where) const {
  tie("w", other, "w", where);
}

void Linear::tie_weight(const Embedding& table, SourceLocation where) const {
  tie_transposed("w", table, "w", where);
}

Tensor Linear::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, 1, x.rank(), "[..., in]");
  declare(known_size(label(), x, -1));
  // x:[...,I] w:[I,O] b:[O]
  const Tensor w = parameter("w");
  require_size(label(), x, -1, w.size(0).constant(), "in");
  if (w.size(1) != Dim(out_))
    detail::fail(label(), fmt::format("w is tied to a {}, but out is {}", w.type_string(), out_), line_of(x));
  const Tensor y = matmul(x, w);
  return options_.bias ? y + parameter("b") : y;
}

Bilinear::Bilinear(std::int64_t in1, std::int64_t in2, std::int64_t out, const LinearOptions& options,
                   SourceLocation where)
    : Module(Layer{"Bilinear", fmt::format("Bilinear({}, {}, {})", in1, in2, out)}),
      in1_(in1),
      in2_(in2),
      out_(out),
      bias_(options.bias) {
  require_at_least("Bilinear", "in1", in1, 1, where);
  require_at_least("Bilinear", "in2", in2, 1, where);
  require_at_least("Bilinear", "out", out, 1, where);
  register_parameter("w", {out, in1, in2}, options.initializer ? *options.initializer : within_fan_in(in1));
  if (bias_) register_parameter("b", {out}, within_fan_in(in1));
}

Tensor Bilinear::operator()(const Tensor& x1, const Tensor& x2, SourceLocation where) const {
  const Call call = enter(x1, where);
  detail::require_float(label(), x1, call.line());
  detail::require_defined(label(), x2, where);
  require_rank(label(), x1, 1, x1.rank(), "[..., in1]");
  require_rank(label(), x2, x1.rank(), x1.rank(), "[..., in2], with x1's leading axes,");
  require_size(label(), x1, -1, in1_, "in1");
  require_size(label(), x2, -1, in2_, "in2");
  // x1:[B...,I] w:[O,I,J] -> [B...,O,J], times x2:[B...,1,J], summed over J.
  const int last = static_cast<int>(x1.rank()) - 1;
  const Tensor partial = dot_general(x1, parameter("w"), last, 1);
  const Tensor y = squeeze(matmul(partial, unsqueeze(x2, -1)), -1);
  return call.result(bias_ ? y + parameter("b") : y);
}

}  // namespace pullback::nn
