// What is done with tables of numbers before training.
#include <pullback/data.h>

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/data/rows.h"
#include "runtime/finite.h"

namespace pullback::data {

namespace {

// Calls body(values of `array` as a span of its own float type).
template <class Body>
void visit_floats(Array& array, Body body) {
  if (array.dtype() == f32) {
    body(array.values<float>());
  } else {
    body(array.values<double>());
  }
}

double element(const Array& table, std::int64_t row, std::int64_t column) {
  const auto index = static_cast<std::size_t>(row * table.dims()[1] + column);
  return table.dtype() == f32 ? static_cast<double>(table.values<float>()[index]) : table.values<double>()[index];
}

void require_column(const std::string& what, const Array& table, std::int64_t column, const SourceLine& line) {
  require_table(what, table, line);
  if (column < 0 || column >= table.dims()[1])
    throw Error(fmt::format("{}: there is no column {} in {}", what, column, table.type_string()), line);
}

void require_width(const Array& table, std::size_t columns, const SourceLine& line) {
  require_table("standardize", table, line);
  if (static_cast<std::size_t>(table.dims()[1]) != columns)
    throw Error(fmt::format("standardize: {} for {} known columns", table.type_string(), columns), line);
}

}  // namespace

void require_table(const std::string& what, const Array& table, const SourceLine& line) {
  if (table.dims().size() != 2 || (table.dtype() != f32 && table.dtype() != f64))
    throw Error(fmt::format("{}: expected a table f32[n,m] or f64[n,m], got {}", what, table.type_string()), line);
}

Array labels(const Array& table, std::int64_t column, int classes, std::source_location where) {
  require_column("labels", table, column, where);
  if (classes < 0) throw Error(fmt::format("labels: classes is {}: it must be at least 0", classes), where);
  Array result(i32, {table.dims()[0]});
  const auto to = result.values<std::int32_t>();
  using Limits = std::numeric_limits<std::int32_t>;
  const double least = classes > 0 ? 0 : Limits::min();
  const double most = classes > 0 ? classes - 1 : Limits::max();
  for (std::int64_t row = 0; row < table.dims()[0]; ++row) {
    const double value = element(table, row, column);
    if (!(value >= least && value <= most) || value != std::floor(value))
      throw Error(
          fmt::format("labels: row {}, column {}: {} is not an integer in {}..{}", row, column, value, least, most),
          where);
    to[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(value);
  }
  return result;
}

Array take_columns(const Array& table, const std::vector<int>& columns, std::source_location where) {
  for (const int column : columns) require_column("take_columns", table, column, where);
  require_table("take_columns", table, where);
  Array result(table.dtype(), {table.dims()[0], static_cast<std::int64_t>(columns.size())});
  visit_floats(result, [&](auto to) {
    std::size_t next = 0;
    for (std::int64_t row = 0; row < table.dims()[0]; ++row)
      for (const int column : columns)
        to[next++] = static_cast<typename decltype(to)::value_type>(element(table, row, column));
  });
  return result;
}

Array convert(const Array& floats, DType dtype, std::source_location where) {
  const auto is_supported = [](DType type) { return type == f32 || type == f64; };
  if (!is_supported(floats.dtype()) || !is_supported(dtype))
    throw Error(fmt::format("convert: {} to {}: only f32 and f64 are converted", floats.type_string(), name_of(dtype)),
                where);
  if (floats.dtype() == dtype) return floats.clone();
  Array from = floats;
  Array result(dtype, floats.dims());
  visit_floats(from, [&](auto source) {
    visit_floats(result, [&](auto target) {
      for (std::size_t i = 0; i < source.size(); ++i)
        target[i] = static_cast<typename decltype(target)::value_type>(source[i]);
    });
  });
  return result;
}

Standardizer::Standardizer(const Array& table, std::source_location where) {
  require_table("standardize", table, where);
  const std::int64_t rows = table.dims()[0];
  if (rows == 0) throw Error("standardize: the table has no rows", where);
  if (const auto bad = runtime::first_not_finite(table))
    throw Error(fmt::format("standardize: row {}, column {}: {} is not finite", *bad / table.dims()[1],
                            *bad % table.dims()[1], runtime::element_of(table, *bad)),
                where);
  for (std::int64_t column = 0; column < table.dims()[1]; ++column) {
    double sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += element(table, row, column);
    const double mean = sum / static_cast<double>(rows);
    double squares = 0;
    for (std::int64_t row = 0; row < rows; ++row) squares += std::pow(element(table, row, column) - mean, 2);
    mean_.push_back(mean);
    deviation_.push_back(std::sqrt(squares / static_cast<double>(rows)));
  }
}

Array Standardizer::apply(const Array& table, std::source_location where) const {
  require_width(table, mean_.size(), where);
  Array result = table.clone();
  visit_floats(result, [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t column = i % mean_.size();
      const double scaled = deviation_[column] > 0 ? (values[i] - mean_[column]) / deviation_[column] : 0.0;
      values[i] = static_cast<typename decltype(values)::value_type>(scaled);
    }
  });
  return result;
}

Array Standardizer::invert(const Array& table, std::source_location where) const {
  require_width(table, mean_.size(), where);
  Array result = table.clone();
  visit_floats(result, [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t column = i % mean_.size();
      values[i] = static_cast<typename decltype(values)::value_type>(values[i] * deviation_[column] + mean_[column]);
    }
  });
  return result;
}

}  // namespace pullback::data
