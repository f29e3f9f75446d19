// Every command that the documents show in a block ```sh works, in a folder that holds what a built checkout holds.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/docs/pages.h"

namespace pullback::docs {
namespace {

namespace fs = std::filesystem;

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

std::vector<std::string> blocks_of(const std::string& page) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (const std::string& line : lines_of(contents(page))) {
    if (line == "```sh") {
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

}  // namespace pullback::docs
