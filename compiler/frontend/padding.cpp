// pad: constants around a tensor, or its own elements mirrored, repeated or continued.
#include <pullback/padding.h>

#include <algorithm>

#include <fmt/format.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

namespace {

void require_entries(const Tensor& x, const std::vector<Padding>& padding, const SourceLine& line) {
  if (padding.size() != x.rank())
    fail("pad", fmt::format("{} paddings are given for {}", padding.size(), x.type_string()), line);
  for (std::size_t axis = 0; axis < padding.size(); ++axis) {
    const Dim padded = x.shape()[axis] + padding[axis].low + padding[axis].high;
    if (padded.is_constant() && padded.constant() < 0)
      fail("pad",
           fmt::format("axis {} of {} by {} and {}: more is taken away than there is", axis, x.type_string(),
                       padding[axis].low, padding[axis].high),
           line);
  }
}

Tensor pad_constant(const Tensor& x, const std::vector<Padding>& padding, double value, const SourceLine& line) {
  Shape low, high;
  for (const Padding& p : padding) {
    low.emplace_back(p.low);
    high.emplace_back(p.high);
  }
  const Tensor filler = detail::fill(*x.trace(), x.dtype(), {}, value, line);
  return x.trace()->emit("pad", {x, filler}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::pad(v[0], v[1], low, high);
  });
}

const char* name_of(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::constant:
      return "constant";
    case PaddingMode::reflect:
      return "reflect";
    case PaddingMode::replicate:
      return "replicate";
    case PaddingMode::circular:
      return "circular";
  }
  throw InternalError("pad: unknown mode");
}

// Elements [begin, end) of an axis.
ops::Value part(ops::Value x, std::size_t axis, const Dim& begin, const Dim& end) {
  Shape start(x.rank(), Dim(0)), limit = x.shape();
  start[axis] = begin;
  limit[axis] = end;
  return ops::slice(x, start, limit);
}

ops::Value repeated(ops::Value element, std::size_t axis, std::int64_t times) {
  Shape shape = element.shape();
  std::vector<std::int64_t> dimensions;
  for (std::size_t d = 0; d < shape.size(); ++d) dimensions.push_back(static_cast<std::int64_t>(d));
  shape[axis] = times;
  return ops::broadcast(element, shape, dimensions);
}

// `count` new elements of an axis, before or behind its own.
ops::Value border(ops::Value x, std::size_t axis, std::int64_t count, bool before, PaddingMode mode) {
  const Dim& size = x.size(axis);
  const auto along = static_cast<std::int64_t>(axis);
  switch (mode) {
    case PaddingMode::reflect:
      return ops::reverse(before ? part(x, axis, 1, Dim(count) + 1) : part(x, axis, size - 1 - count, size - 1),
                          {along});
    case PaddingMode::replicate:
      return repeated(before ? part(x, axis, 0, 1) : part(x, axis, size - 1, size), axis, count);
    default:
      return before ? part(x, axis, size - count, size) : part(x, axis, 0, count);
  }
}

void require_elements(const Tensor& x, std::size_t axis, std::int64_t count, PaddingMode mode, const SourceLine& line) {
  const Dim& size = x.shape()[axis];
  if (count <= 0 || !size.is_constant()) return;
  const std::int64_t most = mode == PaddingMode::reflect    ? size.constant() - 1
                            : mode == PaddingMode::circular ? size.constant()
                            : size.constant() > 0           ? count
                                                            : 0;
  if (count > most)
    fail("pad",
         fmt::format("axis {} of {} has no {} elements for the mode {}", axis, x.type_string(), count, name_of(mode)),
         line);
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<Padding>& padding, double value, SourceLocation where) {
  return pad(x, padding, PaddingMode::constant, value, where);
}

Tensor pad(const Tensor& x, const std::vector<Padding>& padding, PaddingMode mode, double value, SourceLocation where) {
  detail::require_defined("pad", x, where);
  const SourceLine line = x.trace()->line(where);
  require_entries(x, padding, line);
  detail::require_fit("pad", value, x.dtype(), line);
  if (mode == PaddingMode::constant) return pad_constant(x, padding, value, line);
  // What is taken away goes first; then axis by axis, so that corners are made of borders.
  std::vector<Padding> cropped;
  bool crops = false;
  for (std::size_t axis = 0; axis < padding.size(); ++axis) {
    const Padding& p = padding[axis];
    cropped.push_back({std::min<std::int64_t>(p.low, 0), std::min<std::int64_t>(p.high, 0)});
    crops |= p.low < 0 || p.high < 0;
  }
  const Tensor kept = crops ? pad_constant(x, cropped, 0, line) : x;
  for (std::size_t axis = 0; axis < padding.size(); ++axis)
    for (const std::int64_t count : {padding[axis].low, padding[axis].high})
      require_elements(kept, axis, count, mode, line);
  return x.trace()->emit("pad", {kept}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    ops::Value result = v[0];
    for (std::size_t axis = 0; axis < padding.size(); ++axis) {
      std::vector<ops::Value> parts{result};
      if (padding[axis].low > 0) parts.insert(parts.begin(), border(result, axis, padding[axis].low, true, mode));
      if (padding[axis].high > 0) parts.push_back(border(result, axis, padding[axis].high, false, mode));
      if (parts.size() > 1) result = ops::concatenate(parts, static_cast<std::int64_t>(axis));
    }
    return result;
  });
}

}  // namespace pullback
