// Convolutions, and what goes with them in a network on images, series and volumes; see convolution.h and resize.h for
// the formulas. x is [N,C,spatial...] or, without a batch, [C,spatial...].
#pragma once

#include <optional>

#include <pullback/convolution.h>
#include <pullback/nn/containers.h>
#include <pullback/resize.h>

namespace pullback::nn {

struct ConvOptions {
  PerAxis stride = 1;
  ConvPadding padding = {};  ///< numbers, "valid" or "same"
  PerAxis dilation = 1;
  std::int64_t groups = 1;  ///< divides both numbers of channels
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::constant;  ///< constant: zeros
  std::optional<Initializer> initializer = {};       ///< of w; the default is PyTorch's
};

/// The layers of one kind for all ranks. Parameters: w [out,in/groups,kernel...], b [out], as PyTorch's weight and
/// bias; both are uniform in +-1/sqrt(in/groups * kernel elements) at first.
class Convolution : public Module {
 protected:
  Convolution(const char* type, std::size_t spatial, std::optional<std::int64_t> in, std::int64_t out,
              const PerAxis& kernel, const ConvOptions& options, const SourceLocation& where);
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(std::int64_t in) const;

  std::size_t spatial_;
  std::int64_t out_;
  std::vector<std::int64_t> kernel_;
  ConvOptions options_;
};

/// [N,in,L] -> [N,out,L']. Without `in` (std::nullopt) it is that of what the layer meets first. Throws Error when a
/// number of channels is not divisible by groups.
struct Conv1d : Convolution {
  Conv1d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel, const ConvOptions& options = {},
         SourceLocation where = SourceLocation::current())
      : Convolution("Conv1d", 1, in, out, kernel, options, where) {}
};
/// [N,in,H,W] -> [N,out,H',W'].
struct Conv2d : Convolution {
  Conv2d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel, const ConvOptions& options = {},
         SourceLocation where = SourceLocation::current())
      : Convolution("Conv2d", 2, in, out, kernel, options, where) {}
};
/// [N,in,D,H,W] -> [N,out,D',H',W'].
struct Conv3d : Convolution {
  Conv3d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel, const ConvOptions& options = {},
         SourceLocation where = SourceLocation::current())
      : Convolution("Conv3d", 3, in, out, kernel, options, where) {}
};

struct ConvTransposeOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  PerAxis dilation = 1;
  std::optional<Initializer> initializer = {};
};

/// Parameters: w [in,out/groups,kernel...], b [out], as PyTorch's; both are uniform in +-1/sqrt(out/groups * kernel
/// elements) at first, which is PyTorch's reading of the shape.
class ConvolutionTranspose : public Module {
 protected:
  ConvolutionTranspose(const char* type, std::size_t spatial, std::optional<std::int64_t> in, std::int64_t out,
                       const PerAxis& kernel, const ConvTransposeOptions& options, const SourceLocation& where);
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(std::int64_t in) const;

  std::size_t spatial_;
  std::int64_t out_;
  std::vector<std::int64_t> kernel_;
  ConvTransposeOptions options_;
};

struct ConvTranspose1d : ConvolutionTranspose {
  ConvTranspose1d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel,
                  const ConvTransposeOptions& options = {}, SourceLocation where = SourceLocation::current())
      : ConvolutionTranspose("ConvTranspose1d", 1, in, out, kernel, options, where) {}
};
struct ConvTranspose2d : ConvolutionTranspose {
  ConvTranspose2d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel,
                  const ConvTransposeOptions& options = {}, SourceLocation where = SourceLocation::current())
      : ConvolutionTranspose("ConvTranspose2d", 2, in, out, kernel, options, where) {}
};
struct ConvTranspose3d : ConvolutionTranspose {
  ConvTranspose3d(std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel,
                  const ConvTransposeOptions& options = {}, SourceLocation where = SourceLocation::current())
      : ConvolutionTranspose("ConvTranspose3d", 3, in, out, kernel, options, where) {}
};

// --- Without parameters ---

/// Another size: Upsample({.scale_factor = {2}}).
struct Upsample : Lambda {
  explicit Upsample(const InterpolateOptions& options);
};
/// [..., C*r*r, H, W] -> [..., C, H*r, W*r].
struct PixelShuffle : Lambda {
  explicit PixelShuffle(std::int64_t upscale_factor);
};
/// [..., C, H*r, W*r] -> [..., C*r*r, H, W].
struct PixelUnshuffle : Lambda {
  explicit PixelUnshuffle(std::int64_t downscale_factor);
};
/// Windows as columns: [N,C,H,W] -> [N, C*KH*KW, windows].
struct Unfold : Lambda {
  explicit Unfold(const PerAxis& kernel, const UnfoldOptions& options = {});
};
/// The sum of windows at their places: [N, C*KH*KW, windows] -> [N,C,H,W].
struct Fold : Lambda {
  Fold(const PerAxis& output_size, const PerAxis& kernel, const UnfoldOptions& options = {});
};

}  // namespace pullback::nn
