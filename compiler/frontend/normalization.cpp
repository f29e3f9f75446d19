// Batch, instance, group, layer and RMS normalization as functions of tensors, in two passes: the mean first.
#include <pullback/normalization.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/graph.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace {

struct MeanAndVariance {
  Tensor mean, var;  // reduced axes kept as size 1
};

MeanAndVariance moments(const Tensor& x, const std::vector<int>& axes) {
  const Tensor center = mean(x, axes, true);
  return {center, mean(square(x - center), axes, true)};
}

Tensor standardized(const Tensor& x, const MeanAndVariance& m, double eps) {
  return (x - m.mean) * rsqrt(m.var + eps);
}

std::vector<int> axes_from(const Tensor& x, std::size_t first) {
  std::vector<int> axes;
  for (std::size_t i = first; i < x.rank(); ++i) axes.push_back(static_cast<int>(i));
  return axes;
}

// x [N,C,...]; at least `rank` axes.
SourceLine require_channels(const char* op, const Tensor& x, std::size_t rank, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float(op, x, line);
  if (x.rank() < rank)
    detail::fail(op, fmt::format("x is {}: {} is needed", x.type_string(), rank == 2 ? "[N,C,...]" : "[N,C,L,...]"),
                 line);
  return line;
}

void require_type(const char* op, const char* role, const Tensor& given, const Tensor& x, const Shape& shape,
                  const SourceLine& line) {
  if (!given.defined() || (given.dtype() == x.dtype() && given.shape() == shape)) return;
  detail::fail(op,
               fmt::format("{} is {}, but {}{} is needed for x {}", role, given.type_string(), name_of(x.dtype()),
                           to_string(shape), x.type_string()),
               line);
}

void require_statistics(const char* op, const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                        const SourceLine& line) {
  if (running_mean.defined() != running_var.defined())
    detail::fail(op, "one of running_mean and running_var is missing: give both or none", line);
  require_type(op, "running_mean", running_mean, x, {x.size(1)}, line);
  require_type(op, "running_var", running_var, x, {x.size(1)}, line);
}

void require_affine(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const Shape& shape,
                    const SourceLine& line) {
  require_type(op, "weight", weight, x, shape, line);
  require_type(op, "bias", bias, x, shape, line);
}

// [C] -> [C,1,1]: broadcasts along axis 1 of x.
Tensor on_channels(const Tensor& per_channel, const Tensor& x) {
  Shape shape(x.rank() - 1, Dim(1));
  shape.front() = per_channel.size(0);
  return reshape(per_channel, shape);
}

Tensor scale_channels(Tensor y, const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) y = y * on_channels(weight, y);
  if (bias.defined()) y = y + on_channels(bias, y);
  return y;
}

// The batch's variance with Bessel's correction. Of a single element, which says nothing, it stays 0.
Tensor unbiased(const Tensor& var, const Tensor& x, const std::vector<int>& axes, const SourceLine& line) {
  const Tensor count = detail::folded_count(x, axes, x.dtype(), line);
  return var * (count / maximum(count - 1.0, 1.0));
}

void require_several(const char* op, const Tensor& x, const std::vector<int>& axes, const SourceLine& line) {
  Dim count(1);
  for (int axis : axes) count = count * x.size(axis);
  if (count == Dim(1))
    detail::fail(op,
                 fmt::format("x is {}: the variance of one value per channel is no use for training", x.type_string()),
                 line);
}

// How far the running statistics move, as a number or, for a plain average, 1 / (batches + 1).
Operand average_factor(const char* op, const Tensor& x, const BatchNormOptions& options, const SourceLine& line) {
  if (options.momentum) return *options.momentum;
  const Tensor& batches = options.batches;
  if (!batches.defined() || batches.dtype() != i64 || batches.rank() != 0)
    detail::fail(op, "without a momentum, `batches` must be an i64 scalar variable", line);
  return 1.0 / cast(Graph(x.trace()).latest(batches) + 1, x.dtype());
}

Tensor moved(const Tensor& running, const Tensor& batch, const Operand& factor) {
  const Operand rest = factor.is_tensor() ? Operand(1.0 - factor) : Operand(1.0 - factor.real());
  return rest * running + factor * stop_gradient(batch);
}

// The statistics [C] of a batch, for the running ones: those of instances are averaged over the examples.
struct BatchStatistics {
  MeanAndVariance moments;  // broadcast against x
  Tensor mean, var;
};

BatchStatistics statistics(const Tensor& x, const std::vector<int>& axes, const SourceLine& line) {
  BatchStatistics result;
  result.moments = moments(x, axes);
  const Tensor var = unbiased(result.moments.var, x, axes, line);
  const bool by_instance = axes.front() != 0;
  const auto per_channel = [&](const Tensor& kept) {
    return reshape(by_instance ? mean(kept, 0, true) : kept, {x.size(1)});
  };
  result.mean = per_channel(result.moments.mean);
  result.var = per_channel(var);
  return result;
}

// The variables follow the batches of those steps that need y. Several calls with the same ones go on from each other.
void follow(const char* op, const Tensor& y, const Tensor& running_mean, const Tensor& running_var,
            const BatchStatistics& batch, const BatchNormOptions& options, const SourceLine& line) {
  Graph graph(y.trace());
  const Operand factor = average_factor(op, y, options, line);
  graph.update_along(y, running_mean, moved(graph.latest(running_mean), batch.mean, factor));
  graph.update_along(y, running_var, moved(graph.latest(running_var), batch.var, factor));
  if (options.batches.defined()) graph.update_along(y, options.batches, graph.latest(options.batches) + 1);
}

// Both ways in one graph: the flag is a constant by the time it is compiled, and the other way is gone.
Tensor with_variables(const char* op, const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                      const std::vector<int>& axes, const BatchNormOptions& options, const SourceLine& line) {
  Graph graph(x.trace());
  const BatchStatistics batch = statistics(x, axes, line);
  const Tensor training = graph.training();
  const MeanAndVariance used{where(training, batch.moments.mean, on_channels(running_mean, x)),
                             where(training, batch.moments.var, on_channels(running_var, x))};
  const Tensor y = standardized(x, used, options.eps);
  // A layer in evaluation mode leaves its statistics alone, in training steps too.
  if (x.trace()->forced_training.value_or(true)) follow(op, y, running_mean, running_var, batch, options, line);
  return y;
}

std::vector<int> batch_axes(const Tensor& x) {
  std::vector<int> axes = axes_from(x, 2);
  axes.insert(axes.begin(), 0);
  return axes;
}

// The number of trailing axes that `normalized_shape` names.
std::vector<int> trailing_axes(const char* op, const Tensor& x, const Shape& normalized_shape, const SourceLine& line) {
  const std::size_t count = normalized_shape.size();
  if (count == 0 || count > x.rank() ||
      !std::equal(normalized_shape.begin(), normalized_shape.end(), x.shape().end() - static_cast<int>(count)))
    detail::fail(op, fmt::format("x is {}: its last axes are not {}", x.type_string(), to_string(normalized_shape)),
                 line);
  return axes_from(x, x.rank() - count);
}

double epsilon_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 0x1p-52;
    case DType::f16:
      return 0x1p-10;
    case DType::bf16:
      return 0x1p-7;
    default:
      return 0x1p-23;
  }
}

// window[c] = the sum of `size` elements along axis 1 from c on, of x completed by zeros: by doubling, in about
// 2 log2(size) additions. Elements to the right of what x has count as missing: the result is shorter by size - 1.
Tensor window_sums(const Tensor& x, std::int64_t size) {
  const auto part = [](const Tensor& t, std::int64_t start, const Dim& length) {
    return t.trace()->emit("slice", {t}, t.trace()->line(SourceLocation::current()),
                           [&](ir::Builder&, const std::vector<ops::Value>& v) {
                             Shape low(t.rank(), Dim(0)), high = t.shape();
                             low[1] = Dim(start);
                             high[1] = Dim(start) + length;
                             return ops::slice(v[0], low, high);
                           });
  };
  const Dim length = x.size(1) - Dim(size - 1);
  Tensor total, block = x;  // block[c] sums `width` elements from c on; total those from c to c + done
  std::int64_t done = 0;
  for (std::int64_t width = 1; width <= size; width *= 2) {
    if (size & width) {
      const Tensor piece = part(block, done, length);
      total = total.defined() ? total + piece : piece;
      done += width;
    }
    if (width * 2 > size) break;
    const Dim shorter = block.size(1) - Dim(width);
    block = part(block, 0, shorter) + part(block, width, shorter);
  }
  return total;
}

}  // namespace

BatchNormResult batch_norm_training(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                                    const Tensor& weight, const Tensor& bias, double momentum, double eps,
                                    SourceLocation where) {
  const SourceLine line = require_channels("batch_norm", x, 2, where);
  detail::require_at_least_zero("batch_norm", "eps", eps, line);
  detail::Pin pin(x, where);
  require_statistics("batch_norm", x, running_mean, running_var, line);
  require_affine("batch_norm", x, weight, bias, {x.size(1)}, line);
  require_several("batch_norm", x, batch_axes(x), line);
  const BatchStatistics batch = statistics(x, batch_axes(x), line);
  BatchNormResult result;
  result.output = scale_channels(standardized(x, batch.moments, eps), weight, bias);
  if (!running_mean.defined()) return result;
  result.running_mean = moved(running_mean, batch.mean, momentum);
  result.running_var = moved(running_var, batch.var, momentum);
  return result;
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                            const Tensor& weight, const Tensor& bias, double eps, SourceLocation where) {
  const SourceLine line = require_channels("batch_norm", x, 2, where);
  detail::require_at_least_zero("batch_norm", "eps", eps, line);
  detail::require_defined("batch_norm", running_mean, where);
  detail::require_defined("batch_norm", running_var, where);
  detail::Pin pin(x, where);
  require_statistics("batch_norm", x, running_mean, running_var, line);
  require_affine("batch_norm", x, weight, bias, {x.size(1)}, line);
  const MeanAndVariance used{on_channels(running_mean, x), on_channels(running_var, x)};
  return scale_channels(standardized(x, used, eps), weight, bias);
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormOptions& options, SourceLocation where) {
  const SourceLine line = require_channels("batch_norm", x, 2, where);
  detail::require_at_least_zero("batch_norm", "eps", options.eps, line);
  detail::Pin pin(x, where);
  require_statistics("batch_norm", x, running_mean, running_var, line);
  require_affine("batch_norm", x, weight, bias, {x.size(1)}, line);
  require_several("batch_norm", x, batch_axes(x), line);
  const std::vector<int> axes = batch_axes(x);
  const Tensor y = running_mean.defined()
                       ? with_variables("batch_norm", x, running_mean, running_var, axes, options, line)
                       : standardized(x, moments(x, axes), options.eps);
  return scale_channels(y, weight, bias);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, SourceLocation where) {
  const SourceLine line = require_channels("instance_norm", x, 3, where);
  detail::require_at_least_zero("instance_norm", "eps", eps, line);
  detail::Pin pin(x, where);
  require_affine("instance_norm", x, weight, bias, {x.size(1)}, line);
  require_several("instance_norm", x, axes_from(x, 2), line);
  return scale_channels(standardized(x, moments(x, axes_from(x, 2)), eps), weight, bias);
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, const BatchNormOptions& options, SourceLocation where) {
  if (!running_mean.defined() && !running_var.defined()) return instance_norm(x, weight, bias, options.eps, where);
  const SourceLine line = require_channels("instance_norm", x, 3, where);
  detail::require_at_least_zero("instance_norm", "eps", options.eps, line);
  detail::Pin pin(x, where);
  require_statistics("instance_norm", x, running_mean, running_var, line);
  require_affine("instance_norm", x, weight, bias, {x.size(1)}, line);
  require_several("instance_norm", x, axes_from(x, 2), line);
  const Tensor y = with_variables("instance_norm", x, running_mean, running_var, axes_from(x, 2), options, line);
  return scale_channels(y, weight, bias);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  SourceLocation where) {
  const SourceLine line = require_channels("group_norm", x, 2, where);
  detail::require_at_least_zero("group_norm", "eps", eps, line);
  detail::Pin pin(x, where);
  require_affine("group_norm", x, weight, bias, {x.size(1)}, line);
  const std::optional<Dim> width = groups > 0 ? x.size(1).divided_by(Dim(groups)) : std::nullopt;
  if (!width)
    detail::fail(
        "group_norm",
        fmt::format("x is {}: {} channels don't make {} groups", x.type_string(), x.size(1).to_string(), groups), line);
  Shape grouped{x.size(0), groups, *width};
  grouped.insert(grouped.end(), x.shape().begin() + 2, x.shape().end());
  const Tensor split = reshape(x, grouped);
  const Tensor y = standardized(split, moments(split, axes_from(split, 2)), eps);
  return scale_channels(reshape(y, x.shape()), weight, bias);
}

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias, double eps,
                  SourceLocation where) {
  detail::require_defined("layer_norm", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("layer_norm", x, line);
  detail::require_at_least_zero("layer_norm", "eps", eps, line);
  const std::vector<int> axes = trailing_axes("layer_norm", x, normalized_shape, line);
  require_affine("layer_norm", x, weight, bias, normalized_shape, line);
  Tensor y = standardized(x, moments(x, axes), eps);
  if (weight.defined()) y = y * weight;
  return bias.defined() ? y + bias : y;
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, std::optional<double> eps,
                SourceLocation where) {
  detail::require_defined("rms_norm", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("rms_norm", x, line);
  detail::require_at_least_zero("rms_norm", "eps", eps.value_or(0), line);
  const std::vector<int> axes = trailing_axes("rms_norm", x, normalized_shape, line);
  require_affine("rms_norm", x, weight, {}, normalized_shape, line);
  const Tensor y = x * rsqrt(mean(square(x), axes, true) + eps.value_or(epsilon_of(x.dtype())));
  return weight.defined() ? y * weight : y;
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha, double beta, double k,
                           SourceLocation where) {
  const SourceLine line = require_channels("local_response_norm", x, 2, where);
  detail::require_number("local_response_norm", "alpha", alpha, line);
  detail::require_number("local_response_norm", "beta", beta, line);
  detail::require_number("local_response_norm", "k", k, line);
  if (size < 1) detail::fail("local_response_norm", fmt::format("a window of {} channels is empty", size), line);
  detail::Pin pin(x, where);
  std::vector<Padding> padding(x.rank());
  padding[1] = {size / 2, (size - 1) / 2};
  const Tensor sums = window_sums(pad(square(x), padding), size);
  return x / pow(k + sums * (alpha / static_cast<double>(size)), beta);
}

}  // namespace pullback
