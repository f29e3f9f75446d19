#include <dlfcn.h>

#include <cstdlib>

#include "tests/bench/libraries.h"

namespace pullback::bench {
namespace {

constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;  // CBLAS

class OpenBlas {
 public:
  static OpenBlas& instance() {
    static OpenBlas blas;
    return blas;
  }

  bool installed() const { return gemm_ && gemv_; }
  std::string start(int threads) const {
    if (!installed()) return "OpenBLAS is not installed";
    if (const auto set = symbol<void (*)(int)>("openblas_set_num_threads")) set(threads);
    const auto config = symbol<const char* (*)()>("openblas_get_config");
    return config ? config() : "OpenBLAS";
  }

  /// One product; as one with a vector where m or n is 1.
  void multiply(const ProductSizes& s, const float* a, const float* b, float* c) const {
    const int lda = s.transposed_a ? s.m : s.k, ldb = s.transposed_b ? s.k : s.n;
    const int op_a = s.transposed_a ? kTransposed : kPlain, op_b = s.transposed_b ? kTransposed : kPlain;
    if (s.n == 1)
      gemv_(kRowMajor, op_a, s.transposed_a ? s.k : s.m, lda, 1, a, lda, b, 1, 0, c, 1);
    else if (s.m == 1)
      gemv_(kRowMajor, s.transposed_b ? kPlain : kTransposed, s.transposed_b ? s.n : s.k, ldb, 1, b, ldb, a, 1, 0, c,
            1);
    else
      gemm_(kRowMajor, op_a, op_b, s.m, s.n, s.k, 1, a, lda, b, ldb, 0, c, s.n);
  }

 private:
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  using Gemv = void (*)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

  OpenBlas() {
    // Set in some environments to make it portable, they take half of its speed.
    unsetenv("OPENBLAS_CORETYPE");
    unsetenv("OPENBLAS_L2_SIZE");
    library_ = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library_) return;
    gemm_ = symbol<Gemm>("cblas_sgemm");
    gemv_ = symbol<Gemv>("cblas_sgemv");
  }
  template <typename Function>
  Function symbol(const char* name) const {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* library_ = nullptr;
  Gemm gemm_ = nullptr;
  Gemv gemv_ = nullptr;
};

}  // namespace

std::string start_openblas(int threads) {
  return OpenBlas::instance().start(threads);
}

std::optional<Peer> openblas_product(const ProductSizes& sizes, const ProductData& data) {
  const OpenBlas& blas = OpenBlas::instance();
  if (!blas.installed()) return std::nullopt;
  return Peer{"OpenBLAS", [&blas, sizes, data] {
                for (std::ptrdiff_t i = 0; i < sizes.batch; ++i)
                  blas.multiply(sizes, data.a + i * sizes.m * sizes.k, data.b + i * sizes.k * sizes.n,
                                data.c + i * sizes.m * sizes.n);
              }};
}

}  // namespace pullback::bench
