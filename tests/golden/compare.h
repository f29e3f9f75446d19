// Compares computed tensors with references, and says how far they may be apart.
//
// What may differ. The reference is PyTorch's f64 result; inputs are exactly representable in f32, so it is the truth
// for an f32 run too. Two correct evaluations at a dtype with unit eps differ by the rounding of their steps, amplified
// by how sensitive the function is. The manifest measures that amplification: PyTorch's own f32 error, relative to the
// tensor's largest element, is `f32_error`, so
//
//     condition = max(1, f32_error / eps(f32))
//     tolerance = eps(dtype) * scale * (8 * condition + sqrt(n))
//
// with `scale` the largest magnitude and n the elements of the case's largest tensor: sums of up to n terms in another
// order differ by a random walk's length. 8 because one draw of an error is no bound for another. At f32 that is some
// 1e-6 of the largest element, at f64 some 1e-15: any change of a formula that is larger than 1e-14 is seen, such as an
// epsilon in the wrong place.
//
// Where the reference has been found to be further from the truth than that, the manifest says by how much, and it is
// added.
//
// Gradients of one case share their cotangents, and one that is truly zero consists of the rounding of the others'
// size: their scale is the largest of all of them. The loss can be a cancelling sum: its scale is the sum of |out *
// cot|.
//
// NaN and infinities must stand where PyTorch has them at the same dtype. Integers and booleans must be equal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <pullback/array.h>

namespace pullback::golden {

/// The relative spacing of numbers: 2^-23 and 2^-52.
double eps_of(DType dtype);

/// The tolerance above.
struct Tolerance {
  double scale = 0;      ///< largest magnitude
  double f32_error = 0;  ///< PyTorch's own, relative to scale
  std::int64_t n = 1;    ///< elements

  double at(DType dtype) const;
};

/// One comparison of a case.
struct Finding {
  std::string what;      ///< "grad.x"
  double error = 0;      ///< the largest difference
  double tolerance = 0;  ///< what it may be
  std::string problem;   ///< why it fails; "" when it passes
};

/// Largest finite magnitude.
double largest(const std::vector<double>& values);

/// `actual` was computed at a floating dtype or holds integers. `reference` is PyTorch's f64 result, `same` its result
/// at the dtype of the run, which says where NaN and infinities belong.
Finding compare(const std::string& what, const Array& actual, const Array& reference, const Array& same,
                double tolerance);

/// For lists of numbers that have no shape to check: one tolerance for each.
Finding compare_numbers(const std::string& what, const std::vector<double>& actual,
                        const std::vector<double>& reference, const std::vector<double>& tolerances);

}  // namespace pullback::golden
