// Layers that drop at random.
#include <pullback/nn/dropout.h>

#include <fmt/format.h>

#include <pullback/random.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

static double probability(const char* layer, double p, const SourceLocation& where) {
  require_probability(layer, "p", p, where);
  return p;
}

static std::string described(const char* layer, double p) {
  return fmt::format("{}({})", layer, p);
}

// Drops channels of tensors of one rank.
static Lambda::Body channels(const char* layer, double p, std::size_t rank, const char* layout,
                             const SourceLocation& where) {
  probability(layer, p, where);
  return [=](const Tensor& x) {
    require_rank(layer, x, rank, rank, layout);
    return feature_dropout(x, p);
  };
}

Dropout::Dropout(double p, SourceLocation where)
    : Lambda([q = probability("Dropout", p, where)](const Tensor& x) { return dropout(x, q); }, "Dropout",
             described("Dropout", p)) {}

Dropout1d::Dropout1d(double p, SourceLocation where)
    : Lambda(channels("Dropout1d", p, 3, "[N,C,L]", where), "Dropout1d", described("Dropout1d", p)) {}

Dropout2d::Dropout2d(double p, SourceLocation where)
    : Lambda(channels("Dropout2d", p, 4, "[N,C,H,W]", where), "Dropout2d", described("Dropout2d", p)) {}

Dropout3d::Dropout3d(double p, SourceLocation where)
    : Lambda(channels("Dropout3d", p, 5, "[N,C,D,H,W]", where), "Dropout3d", described("Dropout3d", p)) {}

AlphaDropout::AlphaDropout(double p, SourceLocation where)
    : Lambda([q = probability("AlphaDropout", p, where)](const Tensor& x) { return alpha_dropout(x, q); },
             "AlphaDropout", described("AlphaDropout", p)) {}

}  // namespace pullback::nn
