// What a contraction computes, as index maps: the one form behind dot_general and convolution, and so
// behind their gradients.
//
//   C(c) = sum over the k dimensions of A(a) * B(b)
//
// There is one loop dimension for each independent index. Every axis of A, B and C is addressed by an affine expression
// of them. A coordinate that leaves its axis (padding of a convolution) reads zero; before such a contraction is
// lowered as one, the padding is put in memory.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/dtype.h>

namespace pullback::ops {

struct ContractionSpec {
  enum class Role : std::uint8_t {
    batch,  ///< in A, B and C
    m,      ///< in A and C
    n,      ///< in B and C
    k       ///< in A and B: summed over
  };
  struct Dimension {
    Role role = Role::batch;
    std::int64_t size = 0;
  };
  /// offset + sum of coefficient * (index of the loop dimension)
  struct Coordinate {
    struct Term {
      std::size_t dimension = 0;  ///< position in `dimensions`
      std::int64_t coefficient = 1;
    };
    std::int64_t offset = 0;
    std::vector<Term> terms;
    std::int64_t spread = 1;  ///< the axis has an element at each multiple of it only (a base dilation)
  };
  struct Map {
    std::vector<std::int64_t> sizes;      ///< of the tensor's axes
    std::vector<Coordinate> coordinates;  ///< one for each axis
    bool bounded = false;  ///< true: coordinates may leave their axis, or fall between its elements: zero there
  };

  std::vector<Dimension> dimensions;  ///< batch, m, n, k, each group in C's order (k: in A's order)
  std::size_t lhs = 0, rhs = 1;       ///< which operands A and B are
  Map a, b, c;
  DType accumulate = DType::f32;  ///< f32 for f16 and bf16 operands too, f64 for f64

  /// The product of the sizes of one group's dimensions.
  std::int64_t extent(Role role) const {
    std::int64_t product = 1;
    for (const Dimension& d : dimensions)
      if (d.role == role) product *= d.size;
    return product;
  }
};

}  // namespace pullback::ops
