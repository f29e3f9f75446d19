// In place of onednn.cpp where the build found no oneDNN.
#include "tests/bench/libraries.h"

namespace pullback::bench {

std::string start_onednn(int /*threads*/) {
  return "built without oneDNN (Debian: libdnnl-dev)";
}

std::optional<Peer> onednn_product(const ProductSizes& /*sizes*/, const ProductData& /*data*/) {
  return std::nullopt;
}

std::optional<LibraryConvolution> onednn_convolution(const ConvolutionSizes& /*sizes*/, Pass /*pass*/,
                                                     const float* /*x*/, const float* /*w*/, const float* /*dy*/) {
  return std::nullopt;
}

}  // namespace pullback::bench
