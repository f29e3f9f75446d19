// Every command that the documents show in a block ```sh works, in a folder that holds what a built checkout holds.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "tests/docs/pages.h"

namespace pullback::docs {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

// A checkout of links: what commands write into build/ or beside it stays out of the real one.
class Checkout {
 public:
  Checkout() {
    std::string pattern = (fs::temp_directory_path() / "pullback_docs_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    folder_ = pattern;
    for (const char* part : {"docs", "samples", "tests", "include"})
      fs::create_directory_symlink(fs::absolute(part), folder_ / part);
    fs::create_directory(folder_ / "build");
    fs::create_directory_symlink(binaries(), folder_ / "build" / "bin");
    fs::create_directory_symlink(fs::path(binaries()).parent_path() / "lib", folder_ / "build" / "lib");
  }
  ~Checkout() { fs::remove_all(folder_); }

  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

// These install packages, build, or run all tests.
bool is_build(const std::string& command) {
  for (const char* word : {"quickstart.sh", "tests/run.sh", "cmake ", "ninja ", "ctest ", "docs/update.sh"})
    if (command.find(word) != std::string::npos) return true;
  return false;
}

std::vector<std::string> blocks_of(const std::string& page, const std::string& language = "sh") {
  std::vector<std::string> blocks;
  bool inside = false;
  for (const std::string& line : lines_of(contents(page))) {
    if (line == "```" + language) {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

}  // namespace

TEST_CASE("the commands of the documents work", "[docs]") {
  std::size_t count = 0;
  for (const std::string& page : pages()) {
    const Checkout checkout;  // the blocks of a page follow each other
    for (const std::string& block : blocks_of(page)) {
      ++count;
      if (is_build(block)) continue;
      const Ran ran = run("set -e; cd " + checkout.folder().string() + "\n" + block);
      INFO(page << ":\n" << block << ran.output);
      CHECK(ran.status == 0);
    }
  }
  CHECK(count >= 5);
}

TEST_CASE("a project that adds this one gets C++20 and the library alone", "[docs]") {
  const std::vector<std::string> blocks = blocks_of("README.md", "cmake");
  REQUIRE(blocks.size() == 1);
  std::string pattern = (fs::temp_directory_path() / "pullback_docs_XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()));
  const fs::path folder = pattern;
  fs::create_directory_symlink(fs::current_path(), folder / "pullback");
  std::ofstream(folder / "mlp.cpp") << "int main() {}\n";
  std::ofstream(folder / "CMakeLists.txt") << "cmake_minimum_required(VERSION 3.25)\n"
                                           << "project(external LANGUAGES CXX)\n"
                                           << "set(CMAKE_EXPORT_COMPILE_COMMANDS ON)\n"
                                           << blocks.front();
  const Ran ran = run(fmt::format("cmake -S {0} -B {0}/build", folder.string()));
  INFO(ran.output);
  CHECK(ran.status == 0);
  const std::string commands = contents(folder / "build" / "compile_commands.json");
  fs::remove_all(folder);
  for (const std::string& line : lines_of(commands))
    if (line.find("\"command\"") != std::string::npos && line.find("mlp.cpp") != std::string::npos)
      CHECK_THAT(line, Contains("++20"));
  CHECK_THAT(commands, Contains("mlp.cpp") && Contains("compiler/codegen/") && !Contains("compiler/tool/") &&
                           !Contains("/samples/") && !Contains("/tests/"));
}

}  // namespace pullback::docs
