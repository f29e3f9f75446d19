// unfold and fold (im2col and back), pixel_shuffle: windows and blocks as channels.
#include <fmt/format.h>

#include <pullback/convolution.h>
#include <pullback/shapes.h>

#include "compiler/frontend/spatial.h"

namespace pullback {

namespace {

using detail::Spatial;

// Where the windows' elements lie in a padded plane of `sizes`.
struct Columns {
  std::vector<std::int64_t> padding, padded;
  std::int64_t taps = 1, windows = 1, plane = 1;
  std::vector<std::int64_t> positions;  ///< [taps, windows], row-major in the padded plane

  Columns(const Spatial& s, const std::vector<std::int64_t>& sizes, const PerAxis& kernel,
          const UnfoldOptions& options) {
    const std::vector<std::int64_t> k = s.values("kernel", kernel, 1), stride = s.values("stride", options.stride, 1),
                                    dilation = s.values("dilation", options.dilation, 1);
    padding = s.values("padding", options.padding, 0);
    std::vector<std::int64_t> extents = k;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      const std::int64_t span = (k[d] - 1) * dilation[d] + 1;
      padded.push_back(sizes[d] + 2 * padding[d]);
      if (span > padded[d])
        s.fail(fmt::format("the kernel spans {} elements of spatial axis {}, but {} are there with the padding", span,
                           d, padded[d]));
      extents.push_back((padded[d] - span) / stride[d] + 1);
      taps *= k[d];
      windows *= extents.back();
      plane *= padded[d];
    }
    const std::size_t axes = sizes.size();
    std::vector<std::int64_t> at(2 * axes, 0);
    for (std::int64_t i = 0; i < taps * windows; ++i) {
      std::int64_t rest = i, position = 0;
      for (std::size_t d = 2 * axes; d-- > 0; rest /= extents[d]) at[d] = rest % extents[d];
      for (std::size_t d = 0; d < axes; ++d)
        position = position * padded[d] + at[d] * dilation[d] + at[axes + d] * stride[d];
      positions.push_back(position);
    }
  }

  std::vector<Padding> paddings(std::int64_t sign) const {
    std::vector<Padding> result(2);
    for (const std::int64_t p : padding) result.push_back({sign * p, sign * p});
    return result;
  }
};

}  // namespace

Tensor unfold(const Tensor& x, const PerAxis& kernel, const UnfoldOptions& options, SourceLocation where) {
  const Spatial s("unfold", 2, x, where);
  const Columns columns(s, {s.known_size(0), s.known_size(1)}, kernel, options);
  const Tensor padded = pad(s.x(), columns.paddings(1));
  const Shape& shape = s.x().shape();
  const Tensor planes = reshape(padded, {shape[0], shape[1], columns.plane});
  const Tensor picked = detail::at_positions(planes, 2, columns.positions, s.line());
  return s.finish(reshape(picked, {shape[0], shape[1] * columns.taps, columns.windows}));
}

Tensor fold(const Tensor& x, const PerAxis& output, const PerAxis& kernel, const UnfoldOptions& options,
            SourceLocation where) {
  const Spatial s("fold", 1, x, where);  // x:[N,C*KH*KW,L]: its rank is that of one spatial axis
  const auto pair = [](const PerAxis& values) {
    return values.values().size() == 1 ? std::vector<std::int64_t>(2, values.values()[0]) : values.values();
  };
  const std::vector<std::int64_t> sizes = pair(output);
  if (sizes.size() != 2 || sizes[0] < 1 || sizes[1] < 1) s.fail("output needs two sizes above 0");
  // The checks of windows belong to the two axes of the result.
  const Tensor result = detail::fill(*x.trace(), x.dtype(), {1, 1, sizes[0], sizes[1]}, 0, s.line());
  const Columns columns(Spatial("fold", 2, result, where), sizes, kernel, options);
  const Shape& shape = s.x().shape();
  const std::optional<Dim> channels = shape[1].divided_by(columns.taps);
  if (!channels || !(shape[2] == Dim(columns.windows)))
    s.fail(fmt::format("x is {}: [N, C*{}, {}] is needed, {} windows of {} elements", x.type_string(), columns.taps,
                       columns.windows, columns.windows, columns.taps));
  const Tensor updates = reshape(s.x(), {shape[0], *channels, columns.taps * columns.windows});
  std::vector<double> positions(columns.positions.begin(), columns.positions.end());
  const Tensor indices = detail::vector_of(*x.trace(), DType::i64, positions, s.line());
  const Tensor zeros = detail::fill(*x.trace(), x.dtype(), {shape[0], *channels, columns.plane}, 0, s.line());
  const Tensor planes = s.emit({zeros, indices, updates}, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::scatter_add(v[0], v[1], v[2], 2);
  });
  const Tensor padded = reshape(planes, {shape[0], *channels, columns.padded[0], columns.padded[1]});
  return s.finish(pad(padded, columns.paddings(-1)));
}

namespace {

// Checks x [..., a, b, c] and r; the leading axes.
Shape leading(const char* op, const Tensor& x, std::int64_t r, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  if (x.rank() < 3) detail::fail(op, fmt::format("x is {}: [...,C,H,W] is needed", x.type_string()), line);
  if (r < 1) detail::fail(op, fmt::format("the factor {} is below 1", r), line);
  return {x.shape().begin(), x.shape().end() - 3};
}

Dim quotient(const char* op, const Tensor& x, int axis, std::int64_t divisor, const SourceLocation& where) {
  const std::optional<Dim> each = x.size(axis).divided_by(divisor);
  if (!each)
    detail::fail(op,
                 fmt::format("x is {}: {} can't be divided by {}", x.type_string(), x.size(axis).to_string(), divisor),
                 x.trace()->line(where));
  return *each;
}

Tensor rearranged(const Tensor& x, Shape split, const std::vector<int>& order, Shape merged, const Shape& lead) {
  std::vector<int> axes;
  for (std::size_t i = 0; i < lead.size(); ++i) axes.push_back(static_cast<int>(i));
  for (const int axis : order) axes.push_back(static_cast<int>(lead.size()) + axis);
  split.insert(split.begin(), lead.begin(), lead.end());
  merged.insert(merged.begin(), lead.begin(), lead.end());
  return reshape(permute(reshape(x, split), axes), merged);
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, std::int64_t r, SourceLocation where) {
  const Shape lead = leading("pixel_shuffle", x, r, where);
  detail::Pin pin(x, where);
  const Dim c = quotient("pixel_shuffle", x, -3, r * r, where), h = x.size(-2), w = x.size(-1);
  return rearranged(x, {c, r, r, h, w}, {0, 3, 1, 4, 2}, {c, h * r, w * r}, lead);
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t r, SourceLocation where) {
  const Shape lead = leading("pixel_unshuffle", x, r, where);
  detail::Pin pin(x, where);
  const Dim c = x.size(-3), h = quotient("pixel_unshuffle", x, -2, r, where),
            w = quotient("pixel_unshuffle", x, -1, r, where);
  return rearranged(x, {c, h, r, w, r}, {0, 2, 4, 1, 3}, {c * r * r, h, w}, lead);
}

}  // namespace pullback
