// Pooling over windows of fixed size.
#include <pullback/pooling.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/activations.h>
#include <pullback/elementwise.h>
#include <pullback/operators.h>
#include <pullback/shapes.h>

#include "compiler/frontend/spatial.h"

namespace pullback {

namespace {

using detail::Spatial;

// How many windows there are in ceil_mode: the last one has to begin within x or the padding before its end.
std::int64_t ceil_count(std::int64_t size, std::int64_t padding, std::int64_t span, std::int64_t stride) {
  std::int64_t count = (size + 2 * padding - span + stride - 1) / stride + 1;
  if ((count - 1) * stride >= size + padding) --count;
  return count;
}

// Checked windows; `padding` at both ends, and behind as much as the windows of ceil_mode need.
ops::Windows pool_windows(const Spatial& s, const PerAxis& kernel, const PerAxis& stride, const PerAxis& padding,
                          const PerAxis& dilation, bool ceil_mode) {
  const std::vector<std::int64_t> sizes = s.values("kernel", kernel, 1);
  ops::Windows windows = detail::plain_windows(sizes);
  windows.strides = stride.empty() ? sizes : s.values("stride", stride, 1);
  windows.window_dilation = s.values("dilation", dilation, 1);
  const std::vector<std::int64_t> both = s.values("padding", padding, 0);
  for (std::size_t d = 0; d < s.axes(); ++d) {
    if (both[d] > sizes[d] / 2)
      s.fail(fmt::format("padding {} is more than half of the kernel size {}", both[d], sizes[d]));
    windows.low[d] = windows.high[d] = both[d];
  }
  s.require_fit(windows);
  if (!ceil_mode) return windows;
  for (std::size_t d = 0; d < s.axes(); ++d) {
    const std::int64_t size = s.known_size(d), span = windows.span(d).constant(), step = windows.strides[d];
    windows.high[d] = (ceil_count(size, both[d], span, step) - 1) * step + span - size - both[d];
  }
  return windows;
}

MaxPooled max_pool(const std::string& op, std::size_t axes, const Tensor& x, const PerAxis& kernel,
                   const MaxPoolOptions& options, bool with_indices, const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  const ops::Windows windows =
      pool_windows(s, kernel, options.stride, options.padding, options.dilation, options.ceil_mode);
  const auto fold = [&](const auto& op_of) {
    return s.finish(
        s.emit({s.x()}, [&](ir::Builder&, const std::vector<ops::Value>& v) { return op_of(v[0], windows); }));
  };
  MaxPooled result{fold(ops::reduce_window_max), {}};
  if (with_indices)
    result.indices = fold([](ops::Value v, const ops::Windows& w) {
      const Shape sizes(v.shape().end() - static_cast<std::ptrdiff_t>(w.rank()), v.shape().end());
      const ops::Value positions = ops::window_positions(ops::window_argmax(v, w), w, sizes);
      return ops::maximum(positions, ops::full_like(positions, 0));  // of padding alone
    });
  return result;
}

// How many elements each window along one axis holds, [windows]: a sum of ones, folded once the size is known.
Tensor counts(const Spatial& s, const ops::Windows& all, std::size_t axis, bool count_padding, const PerAxis& padding) {
  ops::Windows windows{{all.sizes[axis]},           {all.strides[axis]}, {1},
                       {all.window_dilation[axis]}, {all.low[axis]},     {all.high[axis]}};
  const std::int64_t both = s.values("padding", padding, 0)[axis];
  Dim elements = s.size(axis);
  if (count_padding) {
    elements = elements + 2 * both;
    windows.low[0] = 0;
    windows.high[0] = windows.high[0] - both;
  }
  const Tensor ones = detail::fill(*s.x().trace(), s.x().dtype(), {elements}, 1, s.line());
  return s.emit({ones},
                [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::reduce_window_sum(v[0], windows); });
}

bool all_windows_full(const ops::Windows& windows, const std::vector<std::int64_t>& padding, bool count_padding) {
  for (std::size_t d = 0; d < windows.rank(); ++d) {
    if (!count_padding && padding[d] != 0) return false;
    const Dim beyond = windows.high[d] - padding[d];
    if (!beyond.is_constant() || beyond.constant() > 0) return false;
  }
  return true;
}

Tensor avg_pool(const std::string& op, std::size_t axes, const Tensor& x, const PerAxis& kernel,
                const AvgPoolOptions& options, const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  const ops::Windows windows = pool_windows(s, kernel, options.stride, options.padding, 1, options.ceil_mode);
  if (options.divisor_override && *options.divisor_override == 0) s.fail("divisor_override is 0");
  const Tensor sums = s.emit(
      {s.x()}, [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::reduce_window_sum(v[0], windows); });
  if (options.divisor_override) return s.finish(sums / static_cast<double>(*options.divisor_override));
  if (all_windows_full(windows, s.values("padding", options.padding, 0), options.count_include_pad)) {
    double taps = 1;
    for (const Dim& size : windows.sizes) taps *= static_cast<double>(size.constant());
    return s.finish(sums / taps);
  }
  Tensor divisor;
  for (std::size_t d = 0; d < axes; ++d) {
    const Tensor along = counts(s, windows, d, options.count_include_pad, options.padding);
    Shape shape(axes, Dim(1));
    shape[d] = along.shape()[0];
    const Tensor spread = reshape(along, shape);
    divisor = divisor.defined() ? divisor * spread : spread;
  }
  return s.finish(sums / divisor);
}

// As PyTorch: the sum is the mean of x^p times the kernel's size, also where a window of ceil_mode is cut off.
Tensor lp_pool(const std::string& op, std::size_t axes, const Tensor& x, double p, const PerAxis& kernel,
               const LpPoolOptions& options, const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  if (!(p > 0) || std::isinf(p)) s.fail(fmt::format("the norm's p is {}: it must be a positive number", p));
  double taps = 1;
  for (const std::int64_t size : s.values("kernel", kernel, 1)) taps *= static_cast<double>(size);
  const Tensor mean =
      avg_pool(op, axes, pow(x, p), kernel, {.stride = options.stride, .ceil_mode = options.ceil_mode}, where);
  return pow(sign(mean) * relu(abs(mean)) * taps, 1 / p);
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options, SourceLocation where) {
  return max_pool("max_pool1d", 1, x, kernel, options, false, where).values;
}
Tensor max_pool2d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options, SourceLocation where) {
  return max_pool("max_pool2d", 2, x, kernel, options, false, where).values;
}
Tensor max_pool3d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options, SourceLocation where) {
  return max_pool("max_pool3d", 3, x, kernel, options, false, where).values;
}
MaxPooled max_pool1d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options,
                                  SourceLocation where) {
  return max_pool("max_pool1d_with_indices", 1, x, kernel, options, true, where);
}
MaxPooled max_pool2d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options,
                                  SourceLocation where) {
  return max_pool("max_pool2d_with_indices", 2, x, kernel, options, true, where);
}
MaxPooled max_pool3d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options,
                                  SourceLocation where) {
  return max_pool("max_pool3d_with_indices", 3, x, kernel, options, true, where);
}

Tensor avg_pool1d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options, SourceLocation where) {
  return avg_pool("avg_pool1d", 1, x, kernel, options, where);
}
Tensor avg_pool2d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options, SourceLocation where) {
  return avg_pool("avg_pool2d", 2, x, kernel, options, where);
}
Tensor avg_pool3d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options, SourceLocation where) {
  return avg_pool("avg_pool3d", 3, x, kernel, options, where);
}

Tensor lp_pool1d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options, SourceLocation where) {
  return lp_pool("lp_pool1d", 1, x, p, kernel, options, where);
}
Tensor lp_pool2d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options, SourceLocation where) {
  return lp_pool("lp_pool2d", 2, x, p, kernel, options, where);
}
Tensor lp_pool3d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options, SourceLocation where) {
  return lp_pool("lp_pool3d", 3, x, p, kernel, options, where);
}

}  // namespace pullback
