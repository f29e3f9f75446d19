// Adaptive pooling: the sizes of the result are given, and the windows follow from them; they may differ by one.
#include <fmt/format.h>

#include <pullback/pooling.h>
#include <pullback/products.h>
#include <pullback/shapes.h>

#include "compiler/frontend/spatial.h"

namespace pullback {

namespace {

using detail::Spatial;

// The windows along one axis.
struct AdaptiveAxis {
  std::int64_t size = 0, count = 0;

  std::int64_t begin(std::int64_t i) const { return i * size / count; }
  std::int64_t end(std::int64_t i) const { return ((i + 1) * size + count - 1) / count; }
  bool is_uniform() const { return size % count == 0; }
  std::int64_t longest() const {
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < count; ++i) most = std::max(most, end(i) - begin(i));
    return most;
  }
};

std::vector<AdaptiveAxis> adaptive_axes(const Spatial& s, const OutputSize& output) {
  std::vector<std::optional<std::int64_t>> counts = output.sizes();
  if (counts.size() == 1) counts.assign(s.axes(), counts.front());
  if (counts.size() != s.axes())
    s.fail(fmt::format("{} output sizes are given for {} spatial axes", counts.size(), s.axes()));
  std::vector<AdaptiveAxis> axes;
  for (std::size_t d = 0; d < s.axes(); ++d) {
    const std::int64_t size = s.known_size(d), count = counts[d].value_or(size);
    if (count < 1) s.fail(fmt::format("output size {} is below 1", count));
    if (size < 1) s.fail(fmt::format("spatial axis {} of x {} has no elements", d, s.x().type_string()));
    axes.push_back({size, count});
  }
  return axes;
}

// Equal windows side by side: the axes whose windows are not equal keep windows of 1.
ops::Windows uniform_windows(const std::vector<AdaptiveAxis>& axes) {
  std::vector<std::int64_t> sizes;
  for (const AdaptiveAxis& axis : axes) sizes.push_back(axis.is_uniform() ? axis.size / axis.count : 1);
  ops::Windows windows = detail::plain_windows(sizes);
  windows.strides = sizes;
  return windows;
}

// The mean is a mean along one axis after the other; along one with unequal windows it is a product with a matrix
// [count, size] whose rows hold 1/length.
Tensor average_along(const Spatial& s, const Tensor& x, std::size_t d, const AdaptiveAxis& axis) {
  ir::Literal weights(x.dtype(), {axis.count, axis.size});
  for (std::int64_t i = 0; i < axis.count; ++i)
    for (std::int64_t k = axis.begin(i); k < axis.end(i); ++k)
      weights.set(i * axis.size + k, 1.0 / static_cast<double>(axis.end(i) - axis.begin(i)));
  const Tensor matrix =
      x.trace()->create("constant", {}, {{"value", std::make_shared<const ir::Literal>(std::move(weights))}}, s.line());
  const int along = static_cast<int>(d) + 2;
  std::vector<int> order;  // the new axis comes last and goes where the old one was
  for (int i = 0; i < along; ++i) order.push_back(i);
  order.push_back(static_cast<int>(x.rank()) - 1);
  for (int i = along; i + 1 < static_cast<int>(x.rank()); ++i) order.push_back(i);
  return permute(dot_general(x, matrix, along, 1), order);
}

Tensor adaptive_avg(const std::string& op, std::size_t axes, const Tensor& x, const OutputSize& output,
                    const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  const std::vector<AdaptiveAxis> along = adaptive_axes(s, output);
  const ops::Windows windows = uniform_windows(along);
  double taps = 1;
  for (const Dim& size : windows.sizes) taps *= static_cast<double>(size.constant());
  Tensor result = s.x();
  if (taps > 1)
    result = s.emit({result}, [&](ir::Builder&, const std::vector<ops::Value>& v) {
      return ops::reduce_window_sum(v[0], windows) / taps;
    });
  for (std::size_t d = 0; d < axes; ++d)
    if (!along[d].is_uniform()) result = average_along(s, result, d, along[d]);
  return s.finish(result);
}

// Unequal windows are laid side by side, as long as the longest, with their last element repeated: the maximum stays,
// and so does the first position that holds it.
Tensor adaptive_max(const std::string& op, std::size_t axes, const Tensor& x, const OutputSize& output,
                    const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  const std::vector<AdaptiveAxis> along = adaptive_axes(s, output);
  ops::Windows windows = uniform_windows(along);
  Tensor spread = s.x();
  for (std::size_t d = 0; d < axes; ++d) {
    if (along[d].is_uniform()) continue;
    const std::int64_t length = along[d].longest();
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < along[d].count; ++i)
      for (std::int64_t k = 0; k < length; ++k)
        positions.push_back(std::min(along[d].begin(i) + k, along[d].end(i) - 1));
    spread = detail::at_positions(spread, static_cast<int>(d) + 2, positions, s.line());
    windows.sizes[d] = windows.strides[d] = length;
  }
  return s.finish(s.emit(
      {spread}, [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::reduce_window_max(v[0], windows); }));
}

}  // namespace

Tensor adaptive_avg_pool1d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_avg("adaptive_avg_pool1d", 1, x, output, where);
}
Tensor adaptive_avg_pool2d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_avg("adaptive_avg_pool2d", 2, x, output, where);
}
Tensor adaptive_avg_pool3d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_avg("adaptive_avg_pool3d", 3, x, output, where);
}
Tensor adaptive_max_pool1d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_max("adaptive_max_pool1d", 1, x, output, where);
}
Tensor adaptive_max_pool2d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_max("adaptive_max_pool2d", 2, x, output, where);
}
Tensor adaptive_max_pool3d(const Tensor& x, const OutputSize& output, SourceLocation where) {
  return adaptive_max("adaptive_max_pool3d", 3, x, output, where);
}

}  // namespace pullback
