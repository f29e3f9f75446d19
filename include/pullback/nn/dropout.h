// Layers that are random in training: with probability p they drop what they are called with, see random.h. They have
// no parameters. All throw Error unless 0 <= p <= 1.
#pragma once

#include <pullback/nn/containers.h>

namespace pullback::nn {

/// Single elements, of any shape.
struct Dropout : Lambda {
  explicit Dropout(double p = 0.5, SourceLocation where = SourceLocation::current());
};
/// Whole channels of x [N,C,L].
struct Dropout1d : Lambda {
  explicit Dropout1d(double p = 0.5, SourceLocation where = SourceLocation::current());
};
/// Whole channels of x [N,C,H,W].
struct Dropout2d : Lambda {
  explicit Dropout2d(double p = 0.5, SourceLocation where = SourceLocation::current());
};
/// Whole channels of x [N,C,D,H,W].
struct Dropout3d : Lambda {
  explicit Dropout3d(double p = 0.5, SourceLocation where = SourceLocation::current());
};
/// Single elements, keeping mean and variance of selu networks.
struct AlphaDropout : Lambda {
  explicit AlphaDropout(double p = 0.5, SourceLocation where = SourceLocation::current());
};

}  // namespace pullback::nn
