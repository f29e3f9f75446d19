// Functions that join, cut and repeat.
#include <fmt/format.h>

#include <pullback/functions.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

Tensor concat(const std::vector<Tensor>& parts, int axis, SourceLocation where) {
  if (parts.empty()) fail("concat", "there are no tensors to join", where);
  const SourceLine line = detail::line_of("concat", parts.front(), where);
  axis = detail::normalize_axis("concat", parts.front(), axis, line);
  for (const Tensor& part : parts) {
    detail::require_defined("concat", part, where);
    bool fits = part.dtype() == parts.front().dtype() && part.rank() == parts.front().rank();
    for (std::size_t i = 0; fits && i < part.rank(); ++i)
      fits = static_cast<int>(i) == axis || part.shape()[i] == parts.front().shape()[i];
    if (!fits)
      fail("concat",
           fmt::format("{} and {} differ beside axis {}", parts.front().type_string(), part.type_string(), axis), line);
  }
  if (parts.size() == 1) return parts.front();
  return parts.front().trace()->create("concatenate", parts, {{"axis", std::int64_t{axis}}}, line);
}

Tensor stack(const std::vector<Tensor>& parts, int axis, SourceLocation where) {
  if (parts.empty()) fail("stack", "there are no tensors to join", where);
  detail::require_defined("stack", parts.front(), where);
  detail::Pin pin(parts.front(), where);
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) {
    detail::require_defined("stack", part, where);
    if (part.shape() != parts.front().shape() || part.dtype() != parts.front().dtype())
      fail("stack", fmt::format("{} and {} differ", parts.front().type_string(), part.type_string()),
           parts.front().trace()->line(where));
    rows.push_back(unsqueeze(part, axis));
  }
  return concat(rows, axis < 0 ? axis + static_cast<int>(rows.front().rank()) : axis);
}

static Tensor part_of(const Tensor& x, int axis, std::int64_t start, std::int64_t limit) {
  std::vector<Range> ranges(static_cast<std::size_t>(axis) + 1);
  ranges.back() = {start, limit};
  return slice(x, ranges);
}

// The number of elements along an axis that is cut by it.
static std::int64_t known_size(const char* op, const Tensor& x, int axis, const SourceLine& line) {
  const Dim size = x.size(axis);
  if (!size.is_constant()) fail(op, fmt::format("axis {} of {} needs a known size", axis, x.type_string()), line);
  return size.constant();
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("split", x, where);
  detail::Pin pin(x, where);
  axis = detail::normalize_axis("split", x, axis, line);
  const std::int64_t size = known_size("split", x, axis, line);
  std::int64_t total = 0;
  for (const std::int64_t part : sizes) {
    if (part < 0) fail("split", fmt::format("a part has size {}", part), line);
    total += part;
  }
  if (total != size)
    fail("split", fmt::format("the parts have {} elements, axis {} of {} has {}", total, axis, x.type_string(), size),
         line);
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t part : sizes) {
    parts.push_back(part_of(x, axis, start, start + part));
    start += part;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, std::int64_t size, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("split", x, where);
  const std::int64_t total = known_size("split", x, detail::normalize_axis("split", x, axis, line), line);
  if (size < 1) fail("split", fmt::format("parts of {} elements can't fill an axis", size), line);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(total / size), size);
  if (total % size != 0 || total == 0) sizes.push_back(total % size);
  return split(x, sizes, axis, where);
}

std::vector<Tensor> chunk(const Tensor& x, int parts, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("chunk", x, where);
  const std::int64_t total = known_size("chunk", x, detail::normalize_axis("chunk", x, axis, line), line);
  if (parts < 1) fail("chunk", fmt::format("{} parts are asked for", parts), line);
  return split(x, std::max<std::int64_t>(1, (total + parts - 1) / parts), axis, where);
}

std::vector<Tensor> unbind(const Tensor& x, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("unbind", x, where);
  detail::Pin pin(x, where);
  axis = detail::normalize_axis("unbind", x, axis, line);
  std::vector<Tensor> slices;
  for (std::int64_t i = 0; i < known_size("unbind", x, axis, line); ++i) slices.push_back(select(x, axis, i));
  return slices;
}

Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& times, SourceLocation where) {
  const SourceLine line = detail::line_of("repeat", x, where);
  detail::Pin pin(x, where);
  const std::size_t rank = std::max(x.rank(), times.size());
  Shape sizes(rank, Dim(1)), copies, result;
  std::copy(x.shape().begin(), x.shape().end(), sizes.end() - static_cast<std::ptrdiff_t>(x.rank()));
  std::vector<std::int64_t> counts(rank, 1);
  std::copy(times.begin(), times.end(), counts.end() - static_cast<std::ptrdiff_t>(times.size()));
  // Axis [n] becomes [times, n], with `times` broadcast, then [times * n].
  ir::Integers dimensions;
  for (std::size_t i = 0; i < rank; ++i) {
    if (counts[i] < 0) fail("repeat", fmt::format("{} times are asked for", counts[i]), line);
    if (counts[i] != 1) copies.emplace_back(counts[i]);
    dimensions.push_back(static_cast<std::int64_t>(copies.size()));
    copies.push_back(sizes[i]);
    result.push_back(sizes[i] * Dim(counts[i]));
  }
  const Tensor padded = reshape(x, sizes);
  if (copies.size() == rank) return padded;
  return reshape(x.trace()->create("broadcast", {padded}, {{"shape", copies}, {"dimensions", dimensions}}, line),
                 result);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t times, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("repeat_interleave", x, where);
  detail::Pin pin(x, where);
  axis = detail::normalize_axis("repeat_interleave", x, axis, line);
  if (times < 0) fail("repeat_interleave", fmt::format("{} times are asked for", times), line);
  Shape copies = x.shape(), result = x.shape();
  copies.insert(copies.begin() + axis + 1, Dim(times));
  result[static_cast<std::size_t>(axis)] = result[static_cast<std::size_t>(axis)] * Dim(times);
  return reshape(detail::broadcast_to(unsqueeze(x, axis + 1), copies, line), result);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& vectors, SourceLocation where) {
  if (vectors.empty()) fail("meshgrid", "there are no vectors", where);
  const SourceLine line = detail::line_of("meshgrid", vectors.front(), where);
  detail::Pin pin(vectors.front(), where);
  Shape shape;
  for (const Tensor& vector : vectors) {
    detail::require_defined("meshgrid", vector, where);
    if (vector.rank() != 1) fail("meshgrid", fmt::format("{} is no vector", vector.type_string()), line);
    shape.push_back(vector.shape()[0]);
  }
  std::vector<Tensor> grids;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    Shape column(shape.size() - i, Dim(1));
    column[0] = shape[i];
    grids.push_back(detail::broadcast_to(reshape(vectors[i], column), shape, line));
  }
  return grids;
}

}  // namespace pullback
