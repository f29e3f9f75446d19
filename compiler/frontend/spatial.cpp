#include "compiler/frontend/spatial.h"

#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/functions.h>

namespace pullback::detail {

namespace {

// Before anything else: the operand must be there to ask it for its line.
const Tensor& defined(const std::string& op, const Tensor& x, const SourceLocation& where) {
  require_defined(op, x, where);
  return x;
}

}  // namespace

Spatial::Spatial(const std::string& op, std::size_t axes, const Tensor& x, const SourceLocation& where)
    : op_(op), axes_(axes), line_(defined(op, x, where).trace()->line(where)), pin_(x, where), x_(x) {
  require_float(op, x, line_);
  if (x.rank() != axes + 2 && x.rank() != axes + 1)
    fail(fmt::format("x is {}: [N,C,spatial...] or [C,spatial...] with {} spatial {} is needed", x.type_string(), axes,
                     axes == 1 ? "axis" : "axes"));
  batched_ = x.rank() == axes + 2;
  if (!batched_) x_ = unsqueeze(x, 0);
}

std::int64_t Spatial::known_size(std::size_t axis) const {
  if (!size(axis).is_constant())
    fail(fmt::format("x is {}: the size of spatial axis {} must be a number", x_.type_string(), axis));
  return size(axis).constant();
}

std::vector<std::int64_t> Spatial::values(const char* what, const PerAxis& given, std::int64_t least) const {
  std::vector<std::int64_t> result = given.values();
  if (result.size() == 1) result.assign(axes_, result.front());
  if (result.size() != axes_)
    fail(fmt::format("{} [{}] needs one entry, or one for each of {} spatial axes", what, fmt::join(result, ","),
                     axes_));
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();  // so that no size overflows
  for (const std::int64_t value : result) {
    if (value < least) fail(fmt::format("{} {} is below {}", what, value, least));
    if (value > most) fail(fmt::format("{} {} is above {}", what, value, most));
  }
  return result;
}

Tensor Spatial::finish(const Tensor& result) const {
  return batched_ ? result : squeeze(result, 0);
}

void Spatial::require_fit(const ops::Windows& windows) const {
  for (std::size_t d = 0; d < axes_; ++d) {
    const Dim padded = (size(d) - 1) * windows.base_dilation[d] + 1 + windows.low[d] + windows.high[d];
    const Dim rest = padded - windows.span(d);
    if (rest.is_constant() && rest.constant() < 0)
      fail(fmt::format("the kernel spans {} elements of spatial axis {}, but x {} has {} there with its padding",
                       windows.span(d).to_string(), d, x_.type_string(), padded.to_string()));
  }
}

ops::Windows plain_windows(const std::vector<std::int64_t>& sizes) {
  const std::vector<std::int64_t> ones(sizes.size(), 1);
  return {as_shape(sizes), ones, ones, ones, Shape(sizes.size(), 0), Shape(sizes.size(), 0)};
}

Shape as_shape(const std::vector<std::int64_t>& sizes) {
  return {sizes.begin(), sizes.end()};
}

Tensor at_positions(const Tensor& x, int axis, const std::vector<std::int64_t>& positions, const SourceLine& line) {
  const Tensor indices =
      vector_of(*x.trace(), DType::i64, std::vector<double>(positions.begin(), positions.end()), line);
  return x.trace()->emit("gather", {x, indices}, line,
                         [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::gather(v[0], v[1], axis); });
}

Tensor vector_of(Trace& trace, DType dtype, const std::vector<double>& values, const SourceLine& line) {
  ir::Literal literal(dtype, {static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_float(dtype))
      literal.set(static_cast<std::int64_t>(i), values[i]);
    else
      literal.set_integer(static_cast<std::int64_t>(i), static_cast<std::int64_t>(values[i]));
  }
  return trace.create("constant", {}, {{"value", std::make_shared<const ir::Literal>(std::move(literal))}}, line);
}

}  // namespace pullback::detail
