// Copying rows of arrays.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <pullback/array.h>
#include <pullback/error.h>

namespace pullback::data {

/// Bytes of one row of `array` [n, ...].
std::size_t row_bytes(const Array& array);
/// dims with the first replaced by `rows`.
std::vector<std::int64_t> with_rows(const Array& array, std::int64_t rows);
/// into[i] = from[rows[i]]; the indices have been checked.
void gather_rows(const Array& from, std::span<const std::int64_t> rows, Array& into);
/// Throws Error, beginning with `what`, unless `table` is a matrix of f32 or f64.
void require_table(const std::string& what, const Array& table, const SourceLine& line);

}  // namespace pullback::data
