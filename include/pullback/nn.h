// Layers, and networks made of them. A layer's name is its scope: "fc1" gives "fc1.w" and "fc1.b".
#pragma once

#include <pullback/nn/activation.h>
#include <pullback/nn/attention.h>
#include <pullback/nn/containers.h>
#include <pullback/nn/convolution.h>
#include <pullback/nn/dropout.h>
#include <pullback/nn/linear.h>
#include <pullback/nn/module.h>
#include <pullback/nn/normalization.h>
#include <pullback/nn/pooling.h>
#include <pullback/nn/recurrent.h>
#include <pullback/nn/shape.h>

namespace pullback::nn {

// --- Layers in one line, named within the open scope. Each call makes new parameters: use a module to share them ---
/// Linear: x [..., in] -> [..., out].
Tensor linear(const Tensor& x, std::int64_t out, const std::string& name, const LinearOptions& options = {},
              SourceLocation where = SourceLocation::current());
/// Embedding: ids [I...] -> [I...,size].
Tensor embedding(const Tensor& ids, std::int64_t count, std::int64_t size, const std::string& name,
                 SourceLocation where = SourceLocation::current());
/// LayerNorm over the last axis.
Tensor layer_norm(const Tensor& x, const std::string& name, double epsilon = 1e-5,
                  SourceLocation where = SourceLocation::current());

}  // namespace pullback::nn
