// First values of parameters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <pullback/array.h>
#include <pullback/graph.h>

namespace pullback::detail {

/// The values depend on the seed, the name and the position alone: adding a parameter changes no other one.
Array initial_values(const Initializer& initializer, DType dtype, const std::vector<std::int64_t>& dims,
                     std::uint64_t seed, const std::string& name);

}  // namespace pullback::detail
