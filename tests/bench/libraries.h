// The libraries that kernels are timed beside, where they are installed: OpenBLAS, opened at run time, and oneDNN,
// known when this was built.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/convolution_sizes.h"
#include "tests/bench/measure.h"

namespace pullback::bench {

/// C[m,n] = op(A) op(B), row-major, `batch` of them one after the other; a transposed operand lies as its transpose.
struct ProductSizes {
  bool transposed_a, transposed_b;
  int m, n, k, batch;
};

struct ProductData {
  const float *a, *b;
  float* c;
};

/// To be called first: sets the threads that the library runs on. Returns its version, or that it is missing, for
/// people.
std::string start_openblas(int threads);
std::string start_onednn(int threads);

/// Nothing where the library is missing.
std::optional<Peer> openblas_product(const ProductSizes& sizes, const ProductData& data);
/// The faster of its matmul primitive and its sgemm, on the same matrices as everyone else's.
std::optional<Peer> onednn_product(const ProductSizes& sizes, const ProductData& data);

/// A convolution in the memory layouts that oneDNN prefers for this pass, to which the operands have been brought
/// before: the reorders are no part of a call, as within a network where neighbours share the layout.
struct LibraryConvolution {
  Peer peer;
  std::function<std::vector<float>()> result;  ///< of the last call, with the channels first
};
/// Plain operands, channels first: x[batch,in,h,w], w[out,in/groups,k,k], and for gradients dy[batch,out,h',w'] (null
/// forward).
std::optional<LibraryConvolution> onednn_convolution(const ConvolutionSizes& sizes, Pass pass, const float* x,
                                                     const float* w, const float* dy);

}  // namespace pullback::bench
