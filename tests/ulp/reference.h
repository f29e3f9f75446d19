// Correctly rounded references for Pullback's elementary functions, by MPFR, and errors in ulp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <pullback/dtype.h>

namespace pullback::ulp {

/// The error of `result` = name(x[, y]) in units in the last place of the exact value (subnormal ones of the smallest
/// subnormal). Infinite where NaN, infinity or the sign of zero is wrong; a result that overflowed early, or not at
/// all, counts infinity as 2^128 or 2^1024. All are bit patterns of dtype, f32 or f64; y is unused for functions of one
/// number.
double error_in_ulp(std::string_view name, DType dtype, std::uint64_t x, std::uint64_t y, std::uint64_t result);

/// name(x) by the C library in double: a fast reference for f32, good to a millionth of an f32 ulp.
using QuickReference = double (*)(double);
QuickReference quick_reference(std::string_view name);

/// Inputs that deserve a test: zeros, infinities, NaN, the ends of ranges, and neighbours of numbers where functions
/// change (thresholds, multiples of pi/2, ...).
std::vector<double> hard_inputs();

/// Bit patterns of dtype.
std::uint64_t to_bits(DType dtype, double value);
double from_bits(DType dtype, std::uint64_t bits);

}  // namespace pullback::ulp
