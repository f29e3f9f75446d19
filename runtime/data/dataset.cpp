// Dataset: named columns of equal length.
#include <pullback/data.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/data/rows.h"
#include "runtime/finite.h"
#include "runtime/names.h"

namespace pullback::data {

namespace {

void check_rows(std::span<const std::int64_t> rows, std::int64_t size, const SourceLine& line) {
  for (const std::int64_t row : rows)
    if (row < 0 || row >= size) throw Error(fmt::format("data: row {} of {} rows", row, size), line);
}

}  // namespace

std::size_t row_bytes(const Array& array) {
  std::size_t bytes = size_of(array.dtype());
  for (std::size_t i = 1; i < array.dims().size(); ++i) bytes *= static_cast<std::size_t>(array.dims()[i]);
  return bytes;
}

std::vector<std::int64_t> with_rows(const Array& array, std::int64_t rows) {
  std::vector<std::int64_t> dims = array.dims();
  dims.front() = rows;
  return dims;
}

void gather_rows(const Array& from, std::span<const std::int64_t> rows, Array& into) {
  const std::size_t bytes = row_bytes(from);
  if (bytes == 0) return;
  const auto* source = static_cast<const std::byte*>(from.raw());
  auto* target = static_cast<std::byte*>(into.raw());
  for (const std::int64_t row : rows) {
    std::memcpy(target, source + static_cast<std::size_t>(row) * bytes, bytes);
    target += bytes;
  }
}

Array take_rows(const Array& array, const std::vector<std::int64_t>& rows, std::source_location where) {
  if (array.dims().empty()) throw Error("data: a scalar has no rows to take", where);
  check_rows(rows, array.dims().front(), where);
  Array taken(array.dtype(), with_rows(array, static_cast<std::int64_t>(rows.size())));
  gather_rows(array, rows, taken);
  return taken;
}

Dataset::Dataset(std::vector<Column> columns, std::source_location where) {
  for (Column& column : columns) add(std::move(column.name), std::move(column.values), where);
}

void Dataset::add(std::string name, Array values, std::source_location where) {
  if (name.empty()) throw Error("dataset: a column needs a name", where);
  if (contains(name)) throw Error(fmt::format("dataset: there is already a column '{}'", name), where);
  if (values.dims().empty())
    throw Error(fmt::format("dataset: column '{}' is a scalar; its first dimension must be the examples", name), where);
  if (!columns_.empty() && values.dims().front() != size())
    throw Error(fmt::format("dataset: column '{}' is {}, but column '{}' has {} rows", name, values.type_string(),
                            columns_.front().name, size()),
                where);
  columns_.push_back({std::move(name), std::move(values)});
}

std::vector<std::string> Dataset::names() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  return names;
}

bool Dataset::contains(std::string_view name) const {
  for (const Column& column : columns_)
    if (column.name == name) return true;
  return false;
}

const Array& Dataset::column(std::string_view name, std::source_location where) const {
  for (const Column& column : columns_)
    if (column.name == name) return column.values;
  throw Error(fmt::format("dataset: there is no column '{}'{}", name, runtime::suggestion(name, names())), where);
}

Dataset Dataset::take(const std::vector<std::int64_t>& rows, std::source_location where) const {
  check_rows(rows, size(), where);
  Dataset taken;
  for (const Column& column : columns_) taken.add(column.name, take_rows(column.values, rows));
  return taken;
}

Dataset Dataset::slice(std::int64_t begin, std::int64_t end, std::source_location where) const {
  if (begin < 0 || begin > end || end > size())
    throw Error(fmt::format("dataset: rows {}..{} of a dataset of {}", begin, end, size()), where);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return take(rows);
}

std::pair<Dataset, Dataset> Dataset::split(double fraction, std::uint64_t seed, std::source_location where) const {
  if (!(fraction >= 0 && fraction <= 1))
    throw Error(fmt::format("dataset: split at {}, which is not in 0..1", fraction), where);
  const std::vector<std::int64_t> order = permutation(size(), seed);
  const auto middle = order.begin() + std::llround(fraction * static_cast<double>(size()));
  return {take({order.begin(), middle}), take({middle, order.end()})};
}

void Dataset::check_finite(std::source_location where) const {
  for (const auto& [name, values] : columns_) {
    const std::optional<std::int64_t> bad = runtime::first_not_finite(values);
    if (!bad) continue;
    const std::int64_t per_row = values.size() / values.dims().front();
    const std::string element = per_row == 1 ? "" : fmt::format(", element {}", *bad % per_row);
    throw Error(fmt::format("dataset: column '{}', row {}{}: {} is not finite", name, *bad / per_row, element,
                            runtime::element_of(values, *bad)),
                where);
  }
}

}  // namespace pullback::data
