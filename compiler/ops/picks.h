// What gather and the scatters have in common: which elements of x an index picks.
#pragma once

#include <algorithm>

#include "compiler/ops/define.h"

namespace pullback::ops {

/// x:[B..., P..., N, S...], indices:[B..., I...], picked:[B..., P..., I..., S...]; B has `batch` axes, N is axis
/// `axis`.
struct Picks {
  std::size_t axis, batch, index_rank;

  explicit Picks(const ir::Op& op)
      : axis(static_cast<std::size_t>(op.attributes.integer("axis"))),
        batch(static_cast<std::size_t>(op.attributes.integer("batch"))),
        index_rank(op.operand(1)->type.rank() - batch) {}

  /// The index into `indices` for an index of picked.
  template <class T>
  std::vector<T> index_of(const std::vector<T>& picked) const {
    std::vector<T> result(picked.begin(), at(picked, batch));
    result.insert(result.end(), at(picked, axis), at(picked, axis + index_rank));
    return result;
  }
  /// The index into x for an index of picked and the entry of `indices` there.
  template <class T>
  std::vector<T> source_of(const std::vector<T>& picked, const T& entry) const {
    std::vector<T> result(picked.begin(), at(picked, axis));
    result.push_back(entry);
    result.insert(result.end(), at(picked, axis + index_rank), picked.end());
    return result;
  }

 private:
  template <class T>
  static typename std::vector<T>::const_iterator at(const std::vector<T>& v, std::size_t i) {
    return v.begin() + static_cast<std::ptrdiff_t>(i);
  }
};

/// Checks operands 0 (x) and 1 (indices) and the attributes; returns the shape of what is picked.
Shape picked_shape(const InferContext& c);
/// For evaluation: the place in x of an element of picked.
std::int64_t picked_place(const EvalContext& c, const Picks& picks, const std::vector<std::int64_t>& picked);
/// Samples for x and indices, and for updates of the shape picked.
std::vector<Sample> picking_samples(bool with_updates);

}  // namespace pullback::ops
