// Random numbers: Philox bits, made uniform and normal. The key and the step are state, the stream is fixed here.
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>
#include <pullback/state.h>

#include "compiler/frontend/operands.h"

namespace pullback {

namespace detail {

// Declares the generator's state when first used: the key is the seed's two halves, the step counts from 0.
static void declare_generator(Trace& trace, const SourceLine& line) {
  if (trace.random_step) return;
  const Array key = Array::from<std::uint32_t>(
      {static_cast<std::uint32_t>(trace.seed), static_cast<std::uint32_t>(trace.seed >> 32)}, {2});
  const Tensor key_tensor = trace.add_argument(kRandomKey, {u32, {Dim(2)}}, ir::ArgumentRole::state, line);
  const Tensor step = trace.add_argument(kRandomStep, {i64, {}}, ir::ArgumentRole::state, line);
  trace.growing_state->add(kRandomKey, StateKind::counter, key);
  trace.growing_state->add(kRandomStep, StateKind::counter, Array::scalar(std::int64_t{0}));
  trace.random_key = key_tensor.value();
  trace.random_step = step.value();
}

// u32 random bits of a stream of their own. In a loop each iteration has its own: the innermost loop's number goes to
// the high word of the step, which training does not reach, and the numbers of the loops around it change the key.
static Tensor random_bits(Trace& trace, const Shape& shape, const SourceLine& line) {
  if (!trace.growing_state) fail("random", "random numbers belong to a graph", line);
  declare_generator(trace, line);
  Tensor key = trace.wrap(trace.random_key), step = trace.wrap(trace.random_step);
  const auto bits = [&](const Tensor& counter, const Shape& of_shape) {
    const std::int64_t stream = trace.random_streams++;
    return trace.emit("rng_bits", {key, counter}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
      return ops::rng_bits(v[0], v[1], stream, of_shape);
    });
  };
  const std::vector<Tensor> counters = trace.loop_counters();
  for (std::size_t i = 0; i + 1 < counters.size(); ++i) key = bits(counters[i], {2});
  if (!counters.empty()) step = step + ((counters.back() + 1) << 32);
  return bits(step, shape);
}

// In [0, 1): as many bits as the mantissa holds, so that each number is exact.
static Tensor unit_uniform(Trace& trace, const Shape& shape, DType dtype, const SourceLine& line) {
  const Tensor high = random_bits(trace, shape, line);
  if (dtype != f64) return cast(cast(high >> 8, f32) * 0x1p-24, dtype);
  const Tensor low = random_bits(trace, shape, line);
  return (cast(high >> 5, f64) * 0x1p26 + cast(low >> 6, f64)) * 0x1p-53;
}

static void require_random(const char* op, DType dtype, const SourceLine& line) {
  if (!is_float(dtype)) fail(op, fmt::format("{} is asked for: a floating type is needed", name_of(dtype)), line);
}

}  // namespace detail

Tensor uniform(Graph& graph, const Shape& shape, DType dtype, double low, double high, SourceLocation where) {
  detail::Trace& trace = *graph.trace();
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  detail::require_random("uniform", dtype, line);
  if (!(low <= high) || std::isinf(high - low))
    detail::fail("uniform", fmt::format("low is {} and high is {}", low, high), line);
  const Tensor unit = detail::unit_uniform(trace, shape, dtype, line);
  return low == 0 && high == 1 ? unit : unit * (high - low) + low;
}

Tensor normal(Graph& graph, const Shape& shape, DType dtype, SourceLocation where) {
  detail::Trace& trace = *graph.trace();
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  detail::require_random("normal", dtype, line);
  const DType wide = dtype == f64 ? f64 : f32;
  // 1 - u lies in (0, 1], where the logarithm is finite.
  const Tensor radius = sqrt(-2.0 * log(1.0 - detail::unit_uniform(trace, shape, wide, line)));
  const Tensor angle = detail::unit_uniform(trace, shape, wide, line) * (2 * std::numbers::pi);
  return cast(radius * cos(angle), dtype);
}

Tensor randint(Graph& graph, std::int64_t low, std::int64_t high, const Shape& shape, DType dtype,
               SourceLocation where) {
  detail::Trace& trace = *graph.trace();
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  const std::int64_t range =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low));
  if (low >= high || range < 1 || range > std::int64_t{1} << 31)
    detail::fail("randint", fmt::format("the range is [{}, {}): it needs 1 to 2^31 integers", low, high), line);
  detail::require_fit("randint", low, dtype, line);
  detail::require_fit("randint", high - 1, dtype, line);
  // A 32-bit number scaled to the range by a product of 63 bits.
  return cast(((cast(detail::random_bits(trace, shape, line), i64) * range) >> 32) + low, dtype);
}

Tensor bernoulli(const Tensor& probability, SourceLocation where) {
  detail::require_defined("bernoulli", probability, where);
  detail::Trace& trace = *probability.trace();
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  detail::require_float("bernoulli", probability, line);
  const DType wide = probability.dtype() == f64 ? f64 : f32;
  return cast(detail::unit_uniform(trace, probability.shape(), wide, line) < cast(probability, wide),
              probability.dtype());
}

Tensor permutation(Graph& graph, const Dim& size, SourceLocation where) {
  detail::Trace& trace = *graph.trace();
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  // 64 bits, so that equal keys, which would keep their order, don't occur.
  const Tensor high = cast(detail::random_bits(trace, {size}, line), i64);
  const Tensor low = cast(detail::random_bits(trace, {size}, line), i64);
  return argsort((high << 32) | low, 0);
}

static bool dropped_out(const char* op, const Tensor& x, double p, const SourceLine& line) {
  detail::require_float(op, x, line);
  if (!(p >= 0 && p <= 1)) detail::fail(op, fmt::format("p is {}: it lies in [0, 1]", p), line);
  return p > 0;
}

// x where a number drawn for each element of `shape` is at least p, scaled so that the mean stays; else 0.
static Tensor drop(const Tensor& x, double p, const Shape& shape, const SourceLine& line) {
  detail::Trace& trace = *x.trace();
  const Tensor kept = detail::broadcast_to(detail::unit_uniform(trace, shape, f32, line) >= p, x.shape(), line);
  const double scale = p < 1 ? 1 / (1 - p) : 0;  // nothing is kept at 1
  return where(trace.training_flag(), where(kept, x * scale, 0.0), x);
}

Tensor dropout(const Tensor& x, double p, SourceLocation where) {
  detail::require_defined("dropout", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  return dropped_out("dropout", x, p, line) ? drop(x, p, x.shape(), line) : x;
}

Tensor feature_dropout(const Tensor& x, double p, SourceLocation where) {
  detail::require_defined("feature_dropout", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  if (x.rank() < 2) detail::fail("feature_dropout", fmt::format("x is {}: [N,C,...] is needed", x.type_string()), line);
  Shape channels(x.rank(), Dim(1));
  channels[0] = x.shape()[0];
  channels[1] = x.shape()[1];
  return dropped_out("feature_dropout", x, p, line) ? drop(x, p, channels, line) : x;
}

Tensor alpha_dropout(const Tensor& x, double p, SourceLocation where) {
  detail::require_defined("alpha_dropout", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  if (!dropped_out("alpha_dropout", x, p, line)) return x;
  detail::Trace& trace = *x.trace();
  // What selu tends to far below 0: -scale * alpha.
  constexpr double low = -1.7580993408473766;
  const double a = p < 1 ? 1 / std::sqrt((1 - p) * (1 + p * low * low)) : 0;
  const Tensor kept = detail::unit_uniform(trace, x.shape(), f32, line) >= p;
  return pullback::where(trace.training_flag(), pullback::where(kept, x, low) * a - a * p * low, x);
}

}  // namespace pullback
