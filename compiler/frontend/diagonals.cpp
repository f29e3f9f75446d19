// Triangles and diagonals of matrices.
#include <algorithm>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

// column - row for each element of [rows, columns], i64.
static Tensor diagonal_numbers(const Tensor& x, const Dim& rows, const Dim& columns, const SourceLine& line) {
  const auto positions = [&](int axis) {
    return x.trace()->create("iota", {},
                             {{"dtype", i64}, {"shape", Shape{rows, columns}}, {"axis", std::int64_t{axis}}}, line);
  };
  return positions(1) - positions(0);
}

static void require_matrix(const char* op, const Tensor& x, const SourceLine& line) {
  if (x.rank() < 2) fail(op, fmt::format("{} is no matrix", x.type_string()), line);
}

Tensor tril(const Tensor& x, std::int64_t diagonal, SourceLocation where) {
  detail::require_defined("tril", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  require_matrix("tril", x, line);
  return pullback::where(diagonal_numbers(x, x.size(-2), x.size(-1), line) <= diagonal, x, 0);
}

Tensor triu(const Tensor& x, std::int64_t diagonal, SourceLocation where) {
  detail::require_defined("triu", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  require_matrix("triu", x, line);
  return pullback::where(diagonal_numbers(x, x.size(-2), x.size(-1), line) >= diagonal, x, 0);
}

Tensor diagonal(const Tensor& x, std::int64_t offset, int a, int b, SourceLocation where) {
  detail::require_defined("diagonal", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  require_matrix("diagonal", x, line);
  a = detail::normalize_axis("diagonal", x, a, line);
  b = detail::normalize_axis("diagonal", x, b, line);
  if (a == b) fail("diagonal", fmt::format("axis {} of {} is given twice", a, x.type_string()), line);
  if (!x.size(a).is_constant() || !x.size(b).is_constant())
    fail("diagonal", fmt::format("axes {} and {} of {} need known sizes", a, b, x.type_string()), line);
  const std::int64_t rows = x.size(a).constant(), columns = x.size(b).constant();
  const std::int64_t row = std::max<std::int64_t>(-offset, 0), column = std::max<std::int64_t>(offset, 0);
  const std::int64_t length = std::max<std::int64_t>(0, std::min(rows - row, columns - column));
  // In row-major order, neighbours on the diagonal are columns + 1 apart.
  const Tensor flat = flatten(movedim(x, {a, b}, {-2, -1}), -2);
  const std::int64_t start = length > 0 ? row * columns + column : 0;
  std::vector<Range> ranges(flat.rank());
  ranges.back() = {start, length > 0 ? start + (length - 1) * (columns + 1) + 1 : 0, columns + 1};
  return slice(flat, ranges);
}

Tensor diag_embed(const Tensor& x, std::int64_t offset, int a, int b, SourceLocation where) {
  detail::require_defined("diag_embed", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  if (x.rank() == 0) fail("diag_embed", "a scalar has no axis to lay on a diagonal", line);
  const std::int64_t beyond = offset < 0 ? -offset : offset;
  std::vector<Padding> padding(x.rank());
  padding.back().high = beyond;
  // Above the main diagonal, row i holds x_i; below it, column j holds x_j.
  const Tensor padded = beyond == 0 ? x : pad(x, padding);
  const Dim size = padded.size(-1);
  const Tensor is_on = equal(diagonal_numbers(x, size, size, line), offset);
  const Tensor result = pullback::where(is_on, unsqueeze(padded, offset >= 0 ? -1 : -2), 0);
  a = detail::normalize_axis("diag_embed", result, a, line);
  b = detail::normalize_axis("diag_embed", result, b, line);
  if (a == b) fail("diag_embed", fmt::format("axis {} of {} is given twice", a, result.type_string()), line);
  return movedim(result, {-2, -1}, {a, b});
}

Tensor diag(const Tensor& x, std::int64_t offset, SourceLocation where) {
  detail::require_defined("diag", x, where);
  if (x.rank() != 1 && x.rank() != 2)
    fail("diag", fmt::format("{} is neither a vector nor a matrix", x.type_string()), x.trace()->line(where));
  return x.rank() == 1 ? diag_embed(x, offset, -2, -1, where) : diagonal(x, offset, 0, 1, where);
}

Tensor trace(const Tensor& x, SourceLocation where) {
  detail::require_defined("trace", x, where);
  detail::Pin pin(x, where);
  if (x.rank() != 2) fail("trace", fmt::format("{} is no matrix", x.type_string()), x.trace()->line(where));
  return sum(diagonal(x));
}

}  // namespace pullback
