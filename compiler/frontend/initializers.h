// First values of parameters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <pullback/array.h>
#include <pullback/error.h>
#include <pullback/initializers.h>

namespace pullback::detail {

class FirstValues;

/// The values, which are there when `later` is finished, depend on the seed, the name and the position alone: adding a
/// parameter changes no other one. Throws Error when the shape does not fit the initializer.
Array initial_values(const Initializer& initializer, DType dtype, const std::vector<std::int64_t>& dims,
                     std::uint64_t seed, const std::string& name, const SourceLine& line, FirstValues& later);

/// Replaces the rows of `matrix` (row-major, rows >= columns) by the orthogonal factor of its QR decomposition, whose
/// R has a positive diagonal: from normal numbers this draws evenly from all such matrices (Mezzadri 2007).
void orthogonalize(std::vector<double>& matrix, std::int64_t rows, std::int64_t columns);

}  // namespace pullback::detail
