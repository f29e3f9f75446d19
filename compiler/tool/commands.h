// The commands of the tool `pullback`. Each prints to standard output and throws Error for a user's mistake.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <pullback/dim.h>

namespace pullback::ir {
class Function;
}

namespace pullback::tool {

/// What most commands take: a file of text IR ("-": standard input), and which of its functions.
struct Source {
  std::string file;
  std::string function;  ///< "": the only one
  bool locations = true;
};

struct GradOptions {
  std::string loss;              ///< a result's name; "": "loss", or the only result
  std::vector<std::string> wrt;  ///< empty: all floating states, or if there are none all floating inputs
};

struct OptOptions {
  std::vector<std::string> passes;    ///< empty: the pipeline
  std::vector<std::string> bindings;  ///< "batch=128"
};

struct RunOptions {
  std::vector<std::string> inputs;    ///< "x=FILE.csv", "x=random", "x=zeros", "x=1.5"; not given: random
  std::vector<std::string> bindings;  ///< "batch=128"
  std::uint64_t seed = 0;
  bool evaluate = false;
  std::string dump;  ///< stages; "": what PULLBACK_DUMP says
  std::string target = "host";
  int threads = 0;          ///< 0: one for each core
  std::int64_t limit = 16;  ///< elements printed of a result; -1: all
};

void check(const Source& source);
void grad(const Source& source, const GradOptions& options);
void opt(const Source& source, const OptOptions& options);
void list_passes();
void run(const Source& source, const RunOptions& options);
void list_ops(bool markdown);

// Shared by the commands.

/// Parses the file. Throws Error when it cannot be read or has an error.
std::vector<std::unique_ptr<ir::Function>> read_functions(const Source& source);
/// The function that `source` names. Throws Error, with the names that exist, when there is none or several to choose.
std::unique_ptr<ir::Function> read_function(const Source& source);
/// {"batch=128", ...} as numbers for the function's symbols. Throws Error for anything else.
Bindings parse_bindings(const std::vector<std::string>& texts, const ir::Function& function);
/// Prints a function under a comment that names its stage, so that the output can be read again.
void print_stage(const std::string& stage, const ir::Function& function, const Source& source);

}  // namespace pullback::tool
