#include "runtime/names.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pullback::runtime {

namespace {

constexpr std::size_t kMostSimilar = 3;
constexpr std::size_t kMostListed = 12;

// Levenshtein's distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> similar_names(std::string_view wanted, std::span<const std::string> names) {
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wanted, name);
    const bool part = !wanted.empty() && name.find(wanted) != std::string::npos;
    if (part || distance <= std::max(wanted.size(), name.size()) / 3) found.emplace_back(distance, name);
  }
  std::sort(found.begin(), found.end());
  if (found.size() > kMostSimilar) found.resize(kMostSimilar);
  std::vector<std::string> result;
  for (auto& [distance, name] : found) result.push_back(std::move(name));
  return result;
}

std::string suggestion(std::string_view wanted, std::span<const std::string> names) {
  const auto similar = similar_names(wanted, names);
  if (!similar.empty()) return fmt::format("; similar: {}", fmt::join(similar, ", "));
  if (names.empty()) return "; there are none";
  const auto listed = names.first(std::min(names.size(), kMostListed));
  return fmt::format("; there are: {}{}", fmt::join(listed, ", "), listed.size() < names.size() ? ", ..." : "");
}

}  // namespace pullback::runtime
