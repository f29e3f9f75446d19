// Layers: functions that make their parameters. A layer's name is its scope: "fc1" gives "fc1.w" and "fc1.b".
#pragma once

#include <optional>
#include <string>

#include <pullback/graph.h>

namespace pullback::nn {

struct LinearOptions {
  bool bias = true;
  /// Of w; the default is uniform in +-1/sqrt(in), as PyTorch's is (b likewise).
  std::optional<Initializer> initializer;
};
/// x [..., in] -> [..., out]: x * w + b with w [in,out], b [out].
Tensor linear(const Tensor& x, std::int64_t out, const std::string& name, const LinearOptions& options = {},
              SourceLocation where = SourceLocation::current());

/// ids [I...] (i32 or i64, 0 <= id < count) -> [I...,size]; the table "w" [count,size] is standard normal at first.
Tensor embedding(const Tensor& ids, std::int64_t count, std::int64_t size, const std::string& name,
                 SourceLocation where = SourceLocation::current());

/// Normalizes the last axis to mean 0 and variance 1, then scales by "w" and shifts by "b" (Ba et al. 2016).
Tensor layer_norm(const Tensor& x, const std::string& name, double epsilon = 1e-5,
                  SourceLocation where = SourceLocation::current());

}  // namespace pullback::nn
