// The floating-point environment that generated code is written for.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace pullback::runtime {

/// While alive: the calling thread rounds to nearest, keeps subnormal numbers and traps nothing. Afterwards the thread
/// has its own settings and exception flags again.
class FloatEnvironment {
 public:
#if defined(__SSE2__)
  FloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(kDefault); }
  ~FloatEnvironment() { _mm_setcsr(saved_); }
#else
  FloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FloatEnvironment() { std::fesetenv(&saved_); }
#endif
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
#if defined(__SSE2__)
  static constexpr unsigned kDefault = 0x1F80;  // all exceptions masked, nearest, neither FTZ nor DAZ
  unsigned saved_;
#else
  std::fenv_t saved_;
#endif
};

}  // namespace pullback::runtime
