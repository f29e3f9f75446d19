// Helping a user who misspelled a name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pullback::runtime {

/// Up to three of `names` that resemble `wanted`, best first.
std::vector<std::string> similar_names(std::string_view wanted, std::span<const std::string> names);

/// What to add to "there is no 'wanted'": "; similar: a, b", or the names that there are when none is similar.
std::string suggestion(std::string_view wanted, std::span<const std::string> names);

}  // namespace pullback::runtime
