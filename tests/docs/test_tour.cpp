// docs/tour.md shows real dumps: each block behind a line `<!-- STAGE -->` or `<!-- STAGE from WORD, N lines -->` is
// what the tour's network prints today. With PULLBACK_UPDATE_DOCS=1 the blocks are written anew instead.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>

#include "tests/docs/pages.h"
#include "tests/docs/tour_network.h"

namespace pullback {
namespace {

constexpr const char* kTour = "docs/tour.md";
constexpr const char* kNetwork = "tests/docs/tour_network.h";

// `count` lines from the first that holds `word`; all lines when there is no word.
std::string excerpt(const std::string& text, const std::string& word, std::size_t count) {
  if (word.empty()) return text.ends_with('\n') ? text : text + "\n";
  std::string result;
  bool found = false;
  for (const std::string& line : docs::lines_of(text)) {
    found = found || line.find(word) != std::string::npos;
    if (found && count > 0) {
      result += line + "\n";
      --count;
    }
  }
  REQUIRE(found);
  return result;
}

// What the user writes: the lines between the two marks of tour_network.h, without their indentation.
std::string quoted_source() {
  std::string result;
  bool inside = false;
  for (const std::string& line : docs::lines_of(docs::contents(kNetwork))) {
    if (line == "  // [tour]")
      inside = !inside;
    else if (inside)
      result += line.substr(2) + "\n";
  }
  return result;
}

std::map<std::string, std::string> dumps() {
  Trainer trainer = docs::tour_trainer();
  trainer.program().bind({{"x", Array(f32, {4, 2})}, {"y", Array(f32, {4, 1})}});
  std::map<std::string, std::string> result{{"source", quoted_source()}};
  const std::pair<const char*, Stage> stages[] = {
      {"tensor", Stage::tensor},     {"grad", Stage::gradient}, {"step", Stage::step}, {"opt", Stage::optimized},
      {"schedule", Stage::schedule}, {"kernel", Stage::kernel}, {"llvm", Stage::llvm}, {"asm", Stage::assembly}};
  for (const auto& [name, stage] : stages) result[name] = trainer.program().dump(stage);
  return result;
}

}  // namespace

TEST_CASE("the tour's dumps are what the compiler prints", "[docs]") {
  const std::map<std::string, std::string> all = dumps();
  const std::regex mark(R"(<!-- (\w+)(?: from (.+), (\d+) lines)? -->)");
  const bool update = std::getenv("PULLBACK_UPDATE_DOCS") != nullptr;

  const std::vector<std::string> lines = docs::lines_of(docs::contents(kTour));
  std::string written;
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    written += lines[i] + "\n";
    std::smatch match;
    if (!std::regex_match(lines[i], match, mark)) continue;
    REQUIRE(all.count(match[1]));
    const std::string wanted = excerpt(all.at(match[1]), match[2], match[3].matched ? std::stoul(match[3]) : 0);
    REQUIRE(lines.at(++i).starts_with("```"));
    written += lines[i] + "\n" + wanted;
    std::string shown;
    while (lines.at(++i) != "```") shown += lines[i] + "\n";
    written += "```\n";
    ++blocks;
    INFO("the block of stage " << match[1] << " in " << kTour << " is stale: run sh docs/update.sh");
    if (!update) CHECK(shown == wanted);
  }
  CHECK(blocks >= all.size());  // no stage is left out
  if (update) std::ofstream(kTour) << written;
}

}  // namespace pullback
