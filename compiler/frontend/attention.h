// What the kinds of attention share.
#pragma once

#include <pullback/tensor.h>

namespace pullback::detail {

/// Scores with -infinity where a bool mask is false, or with a floating mask added.
Tensor masked(const Tensor& scores, const Tensor& mask);

/// [queries,keys]: key j is not after query i.
Tensor causal_mask(const Tensor& scores, const Dim& queries, const Dim& keys, const SourceLine& line);

/// softmax over the last axis; 0 in rows of -infinity.
Tensor attention_weights(const Tensor& scores);

/// Does attend() take this dtype? Others are computed with the whole matrix of scores.
bool can_attend(DType dtype);

struct AttendOptions {
  Tensor mask = {};  ///< undefined, or of a shape that broadcasts to the scores [B...,H,L,S]
  bool causal = false;
  double scale = 1, dropout = 0;
};
/// query [B...,L,H,E], key [B...,S,H,E], value [B...,S,H,V] -> [B...,L,H,V], without the matrix of scores.
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const AttendOptions& options,
              const SourceLine& line);

}  // namespace pullback::detail
