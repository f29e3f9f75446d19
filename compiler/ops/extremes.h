// The larger and the smaller of two numbers, for evaluation; a NaN wins against both.
#pragma once

#include <cmath>

namespace pullback::ops {

inline double larger(double x, double y) {
  return std::isnan(x) || x > y ? x : y;
}
inline double smaller(double x, double y) {
  return std::isnan(x) || x < y ? x : y;
}

}  // namespace pullback::ops
