// Layers that normalize; see normalization.h for the formulas.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include <pullback/nn/module.h>

namespace pullback::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  /// Share of the batch's statistics in the new running ones; nothing: their plain average over all batches.
  std::optional<double> momentum = 0.1;
  bool affine = true;               ///< w and b
  bool track_running_stats = true;  ///< without: the batch's statistics in programs that only compute, too
};

/// The layers of one kind for all ranks. Channels are axis 1 of x. Parameters: w [C] (1 at first), b [C] (0), as
/// PyTorch's weight and bias. Statistics: running_mean [C], running_var [C], and without momentum the number of batches
/// "batches" (num_batches_tracked). The running ones follow the batches of training steps whose loss depends on the
/// layer; eval() keeps them as they are.
class BatchNorm : public Module {
 protected:
  /// Ranks from low to high are taken; `layout` says them.
  BatchNorm(const char* type, std::size_t low, std::size_t high, const char* layout,
            std::optional<std::int64_t> channels, const BatchNormOptions& options, const SourceLocation& where);
  Tensor forward(const Tensor& x) const override;

  /// Undefined where the options leave them out.
  struct Affine {
    Tensor w, b, running_mean, running_var, batches;
  };
  virtual Tensor normalize(const Tensor& x, const Affine& affine) const;

  BatchNormOptions options_;

 private:
  void declare(std::int64_t channels) const;

  std::optional<std::int64_t> channels_;
  std::size_t low_, high_;
  const char* layout_;
};

/// x [N,C] or [N,C,L] (Ioffe and Szegedy 2015).
struct BatchNorm1d : BatchNorm {
  explicit BatchNorm1d(std::optional<std::int64_t> channels = {}, const BatchNormOptions& options = {},
                       SourceLocation where = SourceLocation::current())
      : BatchNorm("BatchNorm1d", 2, 3, "[N,C] or [N,C,L]", channels, options, where) {}
};
/// x [N,C,H,W].
struct BatchNorm2d : BatchNorm {
  explicit BatchNorm2d(std::optional<std::int64_t> channels = {}, const BatchNormOptions& options = {},
                       SourceLocation where = SourceLocation::current())
      : BatchNorm("BatchNorm2d", 4, 4, "[N,C,H,W]", channels, options, where) {}
};
/// x [N,C,D,H,W].
struct BatchNorm3d : BatchNorm {
  explicit BatchNorm3d(std::optional<std::int64_t> channels = {}, const BatchNormOptions& options = {},
                       SourceLocation where = SourceLocation::current())
      : BatchNorm("BatchNorm3d", 5, 5, "[N,C,D,H,W]", channels, options, where) {}
};

struct InstanceNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = false;               ///< w and b
  bool track_running_stats = false;  ///< used in programs that only compute
};

/// Each channel of each example by itself (Ulyanov et al. 2016). Parameters and statistics as BatchNorm's.
class InstanceNorm : public BatchNorm {
 protected:
  InstanceNorm(const char* type, std::size_t rank, const char* layout, std::optional<std::int64_t> channels,
               const InstanceNormOptions& options, const SourceLocation& where)
      : BatchNorm(type, rank, rank, layout, channels,
                  {options.eps, options.momentum, options.affine, options.track_running_stats}, where) {}
  Tensor normalize(const Tensor& x, const Affine& affine) const override;
};
/// x [N,C,L].
struct InstanceNorm1d : InstanceNorm {
  explicit InstanceNorm1d(std::optional<std::int64_t> channels = {}, const InstanceNormOptions& options = {},
                          SourceLocation where = SourceLocation::current())
      : InstanceNorm("InstanceNorm1d", 3, "[N,C,L]", channels, options, where) {}
};
/// x [N,C,H,W].
struct InstanceNorm2d : InstanceNorm {
  explicit InstanceNorm2d(std::optional<std::int64_t> channels = {}, const InstanceNormOptions& options = {},
                          SourceLocation where = SourceLocation::current())
      : InstanceNorm("InstanceNorm2d", 4, "[N,C,H,W]", channels, options, where) {}
};
/// x [N,C,D,H,W].
struct InstanceNorm3d : InstanceNorm {
  explicit InstanceNorm3d(std::optional<std::int64_t> channels = {}, const InstanceNormOptions& options = {},
                          SourceLocation where = SourceLocation::current())
      : InstanceNorm("InstanceNorm3d", 5, "[N,C,D,H,W]", channels, options, where) {}
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;  ///< w and b
};

/// The channels of x [N,C,...] in `groups` groups, each group of each example by itself (Wu and He 2018). Parameters:
/// w [C], b [C], as PyTorch's. Throws Error unless groups divides channels.
class GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, const GroupNormOptions& options = {},
            SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::int64_t groups_, channels_;
  GroupNormOptions options_;
};

/// The sizes of the last axes, which are normalized together: 512, {8, 64}, or {} for the last axis of what the layer
/// meets first.
struct NormalizedShape {
  NormalizedShape() = default;
  NormalizedShape(std::int64_t size) : sizes{size} {}                          // NOLINT: LayerNorm(512)
  NormalizedShape(std::initializer_list<std::int64_t> list) : sizes(list) {}   // NOLINT: LayerNorm({8, 64})
  NormalizedShape(std::vector<std::int64_t> list) : sizes(std::move(list)) {}  // NOLINT
  std::vector<std::int64_t> sizes;
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< w and b
  bool bias = true;                ///< b
};

/// Normalizes the last axes to mean 0 and variance 1, then scales by w and shifts by b, both of the normalized shape,
/// as PyTorch's weight and bias (Ba et al. 2016).
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const NormalizedShape& normalized_shape = {}, const LayerNormOptions& options = {},
                     SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(const Shape& shape) const;

  NormalizedShape normalized_;
  LayerNormOptions options_;
};

struct RMSNormOptions {
  std::optional<double> eps = {};  ///< nothing: the distance from 1 to the next number of the dtype
  bool elementwise_affine = true;  ///< w
};

/// x / sqrt(mean(x^2) + eps) * w over the last axes. Parameter: w of the normalized shape, as PyTorch's weight (Zhang
/// and Sennrich 2019).
class RMSNorm : public Module {
 public:
  explicit RMSNorm(const NormalizedShape& normalized_shape = {}, const RMSNormOptions& options = {},
                   SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(const Shape& shape) const;

  NormalizedShape normalized_;
  RMSNormOptions options_;
};

struct LocalResponseNormOptions {
  double alpha = 1e-4, beta = 0.75, k = 1;
};

/// Divides by a power of the mean square of `size` neighbouring channels, axis 1 of x [N,C,...] (Krizhevsky et al.
/// 2012). Without parameters.
class LocalResponseNorm : public Module {
 public:
  explicit LocalResponseNorm(std::int64_t size, const LocalResponseNormOptions& options = {},
                             SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::int64_t size_;
  LocalResponseNormOptions options_;
};

}  // namespace pullback::nn
