#include "runtime/soft_float.h"

#include <cmath>

double pullback_fma_f64(double x, double y, double z) {
  return std::fma(x, y, z);
}

float pullback_fmod_f32(float x, float y) {
  return std::fmod(x, y);
}

double pullback_fmod_f64(double x, double y) {
  return std::fmod(x, y);
}
