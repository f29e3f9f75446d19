#include "compiler/lower/prepare_convolutions.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/windows.h"

namespace pullback::lower {
namespace {

using ops::Value;
using ops::Windows;

Shape trailing(const Shape& shape) {
  return {shape.begin() + 2, shape.end()};
}

bool is_padded(const Windows& w) {
  for (std::size_t d = 0; d < w.rank(); ++d)
    if (w.base_dilation[d] > 1 || w.low[d] != Dim(0) || w.high[d] != Dim(0)) return true;
  return false;
}

/// x with its padding in memory; `windows` then have none.
Value padded(Value x, Windows& windows) {
  Shape low{0, 0}, high{0, 0};
  ir::Integers interior{0, 0};
  low.insert(low.end(), windows.low.begin(), windows.low.end());
  high.insert(high.end(), windows.high.begin(), windows.high.end());
  for (std::int64_t& dilation : windows.base_dilation) {
    interior.push_back(dilation - 1);
    dilation = 1;
  }
  windows.low.assign(windows.rank(), 0);
  windows.high.assign(windows.rank(), 0);
  return ops::pad(x, ops::scalar(*x.builder, x.dtype(), 0), low, high, interior);
}

/// How much of the vectors is used when they run over `size` elements.
double used(std::int64_t size, std::int64_t lanes) {
  const std::int64_t vectors = (size + lanes - 1) / lanes;
  return vectors == 0 ? 0 : static_cast<double>(size) / static_cast<double>(vectors * lanes);
}

/// Should vectors run over the output channels rather than over the innermost spatial axis? They then are full where
/// images are small, and images are read at any stride; but results are stored element by element, each about as
/// costly as eight vectors of products.
bool runs_over_channels(const ir::Op& op, const Windows& windows, std::int64_t lanes) {
  const std::vector<std::int64_t> w = ir::static_dims(op.operand(1)->type.shape),
                                  y = ir::static_dims(op.result()->type.shape);
  const std::int64_t outputs = w[0] / (op.attributes.integer("groups") * op.attributes.integer("batch_groups"));
  if (outputs == 1 || windows.rank() == 0) return false;
  double products = 1;
  std::int64_t innermost = 1;
  bool joined = true;  // neighbouring rows of x are one where nothing lies between them
  for (std::size_t d = 1; d < w.size(); ++d) products *= static_cast<double>(w[d]);
  for (std::size_t d = windows.rank(); d-- > 0 && joined;) {
    innermost *= y[d + 2];
    joined = w[d + 2] == 1 && windows.strides[d] == 1;
  }
  const double spatial = windows.strides.back() == 1 ? used(innermost, lanes) : 0.35;
  const double stores = 8 * static_cast<double>(lanes);
  return used(outputs, lanes) * products / (products + stores) > spatial;
}

/// A copy of the kernels in which neighbouring output channels are neighbours. To pad nothing is to copy.
Value along_channels(Value w) {
  const std::size_t rank = w.rank();
  const Value copy = ops::pad(w, ops::scalar(*w.builder, w.dtype(), 0), Shape(rank, 0), Shape(rank, 0));
  ir::Integers order;
  for (std::size_t d = 1; d < rank; ++d) order.push_back(static_cast<std::int64_t>(d));
  order.push_back(0);
  ir::set_layout(*copy.value->definer, order);
  return copy;
}

std::vector<ir::Value*> prepare(ir::Op& op, ir::Builder& builder, int vector_bytes) {
  if (op.def != &ops::op_convolution || !is_float(op.result()->type.dtype)) return {};
  if (ir::element_count(op.operand(0)->type.shape) == Dim(0) || ir::element_count(op.operand(1)->type.shape) == Dim(0))
    return {};
  Windows windows = Windows::of(op.attributes, trailing(op.operand(1)->type.shape));
  const std::int64_t lanes = std::max<std::int64_t>(
      1, vector_bytes / std::max<std::int64_t>(4, static_cast<std::int64_t>(size_of(op.result()->type.dtype))));
  const bool channels = runs_over_channels(op, windows, lanes), padding = is_padded(windows);
  if (!channels && !padding) return {};
  Value x(builder, op.operand(0)), w(builder, op.operand(1));
  if (padding) x = padded(x, windows);
  if (channels) w = along_channels(w);
  return {
      ops::convolution(x, w, windows, op.attributes.integer("groups"), op.attributes.integer("batch_groups")).value};
}

}  // namespace

bool prepare_convolutions(ir::Function& function, int vector_bytes) {
  return ir::rewrite(function.body,
                     [&](ir::Op& op, ir::Builder& builder) { return prepare(op, builder, vector_bytes); });
}

}  // namespace pullback::lower
