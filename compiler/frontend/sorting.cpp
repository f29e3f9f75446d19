// Order along an axis.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/indexing.h"
#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

ValuesAndIndices sort(const Tensor& x, int axis, bool descending, SourceLocation where) {
  detail::require_defined("sort", x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("sort", x, axis, line);
  const std::vector<Tensor> results =
      x.trace()->create_all("sort", {x}, {{"axis", std::int64_t{axis}}, {"descending", descending}}, line);
  return {results[0], results[1]};
}

Tensor argsort(const Tensor& x, int axis, bool descending, SourceLocation where) {
  return sort(x, axis, descending, where).indices;
}

static ValuesAndIndices first_k(const char* op, const Tensor& x, std::int64_t k, std::int64_t smallest_k, int axis,
                                bool largest, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis(op, x, axis, line);
  const Dim size = x.size(axis);
  if (k < smallest_k || (size.is_constant() && k > size.constant()))
    fail(op, fmt::format("k = {} of {} elements along axis {} of {}", k, size.to_string(), axis, x.type_string()),
         line);
  const std::vector<Tensor> results =
      x.trace()->create_all("top_k", {x}, {{"k", k}, {"axis", std::int64_t{axis}}, {"largest", largest}}, line);
  return {results[0], results[1]};
}

ValuesAndIndices topk(const Tensor& x, std::int64_t k, int axis, bool largest, SourceLocation where) {
  return first_k("topk", x, k, 0, axis, largest, where);
}

// The element at `indices`, whose axis has size 1.
static ValuesAndIndices element_at(const Tensor& x, const Tensor& indices, int axis, bool keepdim) {
  const Tensor values = detail::gather_unchecked(x, indices, axis);
  if (keepdim) return {values, indices};
  return {squeeze(values, axis), squeeze(indices, axis)};
}

ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, int axis, bool keepdim, SourceLocation where) {
  const ValuesAndIndices smallest = first_k("kthvalue", x, k, 1, axis, false, where);
  detail::Pin pin(x, where);
  axis = axis < 0 ? axis + static_cast<int>(x.rank()) : axis;
  const Tensor values = narrow(smallest.values, axis, k - 1, 1), indices = narrow(smallest.indices, axis, k - 1, 1);
  if (keepdim) return {values, indices};
  return {squeeze(values, axis), squeeze(indices, axis)};
}

ValuesAndIndices median(const Tensor& x, int axis, bool keepdim, SourceLocation where) {
  detail::require_defined("median", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("median", x, axis, line);
  const Dim size = x.size(axis);
  if (!size.is_constant() || size.constant() == 0)
    fail("median", fmt::format("axis {} of {} needs a known size, at least 1", axis, x.type_string()), line);
  Tensor indices = kthvalue(x, (size.constant() + 1) / 2, axis, true).indices;
  if (is_float(x.dtype())) {
    const Tensor largest = argmax(x, axis, true);  // the first NaN, if there is one
    const Tensor value = stop_gradient(detail::gather_unchecked(x, largest, axis));
    indices = pullback::where(not_equal(value, value), largest, indices);
  }
  return element_at(x, indices, axis, keepdim);
}

Tensor median(const Tensor& x, SourceLocation where) {
  detail::require_defined("median", x, where);
  detail::Pin pin(x, where);
  return median(reshape(x, {-1}), 0).values;
}

}  // namespace pullback
