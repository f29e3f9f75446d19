// Convolutions. x is [N,C,spatial...] or, without a batch, [C,spatial...]; the result has the same form. Weights are in
// PyTorch's order. All throw Error, naming the function, the shapes and the user's line, when something doesn't fit.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <pullback/padding.h>
#include <pullback/per_axis.h>
#include <pullback/tensor.h>

namespace pullback {

/// Padding of a convolution: as many elements on both ends of each axis, "valid" (none) or "same" (the result is as
/// large as x, for stride 1; an odd one goes to the end).
class ConvPadding {
 public:
  ConvPadding() : ConvPadding(0) {}
  template <std::integral T>
  ConvPadding(T both) : both_(both) {}                                    // NOLINT: conversion is the point
  ConvPadding(std::initializer_list<std::int64_t> both) : both_(both) {}  // NOLINT
  ConvPadding(PerAxis both) : both_(std::move(both)) {}                   // NOLINT
  ConvPadding(const char* name) : name_(name) {}                          // NOLINT
  ConvPadding(std::string name) : name_(std::move(name)) {}               // NOLINT

  const PerAxis& both() const { return both_; }
  /// "" when numbers were given.
  const std::string& name() const { return name_; }

 private:
  PerAxis both_;
  std::string name_;
};

struct ConvOptions {
  PerAxis stride = 1;
  ConvPadding padding = {};
  PerAxis dilation = 1;     ///< distance of the kernel's elements
  std::int64_t groups = 1;  ///< channels are cut into so many groups, each with kernels of its own
  PaddingMode padding_mode = PaddingMode::constant;  ///< constant: zeros
};

/// x [N,C,L], w [O,C/groups,K] -> [N,O,L']: sums over windows of x (cross-correlation), L' = (L + 2*padding -
/// dilation*(K-1) - 1)/stride + 1 rounded down.
Tensor conv1d(const Tensor& x, const Tensor& w, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());
/// x [N,C,H,W], w [O,C/groups,KH,KW].
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());
/// x [N,C,D,H,W], w [O,C/groups,KD,KH,KW].
Tensor conv3d(const Tensor& x, const Tensor& w, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());
/// The same plus a bias [O]; an undefined bias is none.
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());
Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options = {},
              SourceLocation where = SourceLocation::current());

struct ConvTransposeOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;         ///< taken away at both ends of the result
  PerAxis output_padding = 0;  ///< added at the end of the result; below the stride or the dilation
  PerAxis dilation = 1;
  std::int64_t groups = 1;
};

/// The gradient of conv1d with respect to its x, as a function of its own: x [N,C,L], w [C,O/groups,K] -> [N,O,L'],
/// L' = (L-1)*stride - 2*padding + dilation*(K-1) + output_padding + 1.
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());
/// x [N,C,H,W], w [C,O/groups,KH,KW].
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());
/// x [N,C,D,H,W], w [C,O/groups,KD,KH,KW].
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());
/// The same plus a bias [O]; an undefined bias is none.
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options = {},
                        SourceLocation where = SourceLocation::current());

struct UnfoldOptions {
  PerAxis dilation = 1, padding = 0, stride = 1;
};
/// The windows of x as columns (im2col): x [N,C,H,W] -> [N, C*KH*KW, windows]. H and W are numbers.
Tensor unfold(const Tensor& x, const PerAxis& kernel, const UnfoldOptions& options = {},
              SourceLocation where = SourceLocation::current());
/// The sum of what unfold made, at the places where it came from: x [N, C*KH*KW, windows] -> [N,C,H,W] for
/// `output` = {H, W}.
Tensor fold(const Tensor& x, const PerAxis& output, const PerAxis& kernel, const UnfoldOptions& options = {},
            SourceLocation where = SourceLocation::current());

/// [..., C*r*r, H, W] -> [..., C, H*r, W*r] (Shi et al. 2016).
Tensor pixel_shuffle(const Tensor& x, std::int64_t r, SourceLocation where = SourceLocation::current());
/// [..., C, H*r, W*r] -> [..., C*r*r, H, W].
Tensor pixel_unshuffle(const Tensor& x, std::int64_t r, SourceLocation where = SourceLocation::current());

}  // namespace pullback
