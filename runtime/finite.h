// Whether numbers are finite.
#pragma once

#include <cstdint>
#include <optional>

#include <pullback/array.h>

namespace pullback::runtime {

/// The position of the first element that is infinite or NaN; nothing when there is none, as among integers.
std::optional<std::int64_t> first_not_finite(const Array& array);

/// The element at `position`, as a double.
double element_of(const Array& array, std::int64_t position);

}  // namespace pullback::runtime
