// docs/environment.md names every variable that the sources read, and no other.
#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/docs/pages.h"

namespace pullback::docs {
namespace {

std::set<std::string> found(const std::string& text, const std::string& pattern) {
  std::set<std::string> result;
  const std::regex regex(pattern);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    result.insert((*match)[1]);
  return result;
}

// A name is a string of its own where it is read.
std::set<std::string> read_by_sources() {
  std::set<std::string> result;
  for (const char* folder : {"include", "compiler", "runtime", "samples", "tests"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".h") continue;
      result.merge(found(contents(entry.path().string()), "\"(PULLBACK_[A-Z_]+)\""));
    }
  return result;
}

}  // namespace

TEST_CASE("the page of environment variables is complete", "[docs]") {
  CHECK(found(contents("docs/environment.md"), "\n\\| `(PULLBACK_[A-Z_]+)`") == read_by_sources());
}

}  // namespace pullback::docs
