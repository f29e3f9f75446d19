// Pooling: folds over windows of the spatial axes. x is [N,C,spatial...] or, without a batch, [C,spatial...]; the
// result has the same form. All throw Error, naming the function, the shapes and the user's line, when something
// doesn't fit.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include <pullback/per_axis.h>
#include <pullback/tensor.h>

namespace pullback {

struct MaxPoolOptions {
  PerAxis stride = {};     ///< as the kernel when not given
  PerAxis padding = 0;     ///< at most half of the kernel; it never is the maximum
  PerAxis dilation = 1;    ///< distance of the kernel's elements
  bool ceil_mode = false;  ///< a last window that begins within x or its padding counts although it ends outside
};
/// The largest of each window; NaN wins. The gradient goes to the first maximum.
Tensor max_pool1d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());
Tensor max_pool2d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());
Tensor max_pool3d(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());

/// A pooled tensor and where its elements come from: i64 positions within x's spatial axes, row by row.
struct MaxPooled {
  Tensor values, indices;
};
MaxPooled max_pool1d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                                  SourceLocation where = SourceLocation::current());
MaxPooled max_pool2d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                                  SourceLocation where = SourceLocation::current());
MaxPooled max_pool3d_with_indices(const Tensor& x, const PerAxis& kernel, const MaxPoolOptions& options = {},
                                  SourceLocation where = SourceLocation::current());

struct AvgPoolOptions {
  PerAxis stride = {};  ///< as the kernel when not given
  PerAxis padding = 0;  ///< at most half of the kernel; zeros
  bool ceil_mode = false;
  bool count_include_pad = true;                      ///< padding counts when the sum is divided
  std::optional<std::int64_t> divisor_override = {};  ///< divides the sum instead of the number of elements
};
/// The mean of each window. What a window of ceil_mode holds beyond the padding is not counted.
Tensor avg_pool1d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());
Tensor avg_pool2d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());
Tensor avg_pool3d(const Tensor& x, const PerAxis& kernel, const AvgPoolOptions& options = {},
                  SourceLocation where = SourceLocation::current());

struct LpPoolOptions {
  PerAxis stride = {};  ///< as the kernel when not given
  bool ceil_mode = false;
};
/// (sum of x^p)^(1/p) of each window; a negative sum counts as 0.
Tensor lp_pool1d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options = {},
                 SourceLocation where = SourceLocation::current());
Tensor lp_pool2d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options = {},
                 SourceLocation where = SourceLocation::current());
Tensor lp_pool3d(const Tensor& x, double p, const PerAxis& kernel, const LpPoolOptions& options = {},
                 SourceLocation where = SourceLocation::current());

/// Output sizes: one for all spatial axes, or one for each; std::nullopt keeps x's.
class OutputSize {
 public:
  template <std::integral T>
  OutputSize(T size) : sizes_{static_cast<std::int64_t>(size)} {}                           // NOLINT
  OutputSize(std::initializer_list<std::optional<std::int64_t>> sizes) : sizes_(sizes) {}   // NOLINT
  OutputSize(std::vector<std::optional<std::int64_t>> sizes) : sizes_(std::move(sizes)) {}  // NOLINT
  const std::vector<std::optional<std::int64_t>>& sizes() const { return sizes_; }

 private:
  std::vector<std::optional<std::int64_t>> sizes_;
};
/// Element i of an axis is the mean of x from floor(i*size/out) up to, not including, ceil((i+1)*size/out). Sizes are
/// numbers.
Tensor adaptive_avg_pool1d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());
Tensor adaptive_avg_pool2d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());
Tensor adaptive_avg_pool3d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());
/// The maximum of the same windows; the gradient goes to the first one.
Tensor adaptive_max_pool1d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());
Tensor adaptive_max_pool2d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());
Tensor adaptive_max_pool3d(const Tensor& x, const OutputSize& output, SourceLocation where = SourceLocation::current());

}  // namespace pullback
