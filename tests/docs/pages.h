// What the tests of the documents share: reading pages, and running what they say.
#pragma once

#include <string>
#include <vector>

namespace pullback::docs {

/// The contents of a file; the test fails when there is none.
std::string contents(const std::string& path);
std::vector<std::string> lines_of(const std::string& text);

/// README.md and the pages of docs/.
std::vector<std::string> pages();

/// Where the samples and the tool lie: the folder of this test's binary.
std::string binaries();

struct Ran {
  int status = 0;      ///< of the shell: 0 when all went well
  std::string output;  ///< standard output and standard error
};
/// Runs a shell command.
Ran run(const std::string& command);

}  // namespace pullback::docs
