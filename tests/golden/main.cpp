// Runs reference cases from PyTorch: golden DIRECTORY. One line for each case and dtype that fails, or for each case
// with --verbose; the last line counts. Exit codes: 0 all passed, 1 some failed, 2 a wrong command line or directory.
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/golden/run.h"

namespace {

using namespace pullback;
using namespace pullback::golden;

struct Options {
  std::string directory, filter, dtype;
  bool list = false, verbose = false, reference = false;
  CompileOptions compile;
};

/// Comparisons at one dtype; what() of an exception is a finding too.
std::vector<Finding> guarded(const std::function<std::vector<Finding>()>& run) {
  try {
    return run();
  } catch (const std::exception& problem) {
    return {{"", 0, 0, problem.what()}};
  }
}

class Report {
 public:
  explicit Report(const Options& options) : options_(options) {}

  template <class Case>
  void add(const Case& c) {
    if (!options_.filter.empty() && !std::regex_search(c.name, std::regex(options_.filter))) return;
    if (options_.list) {
      fmt::print("{}\n", c.name);
      return;
    }
    std::string problems, details;
    for (const DType dtype : {f64, f32}) {
      if (!options_.dtype.empty() && options_.dtype != name_of(dtype)) continue;
      for (const Finding& f : guarded([&] { return run(c, dtype, options_.compile); })) {
        const std::string place = fmt::format("{}{}{}", name_of(dtype), f.what.empty() ? "" : " ", f.what);
        if (!f.problem.empty()) problems += fmt::format("; {}: {}", place, f.problem);
        details += fmt::format("    {}: error {:.2g}, tolerance {:.2g}\n", place, f.error, f.tolerance);
      }
    }
    ++(problems.empty() ? passed_ : failed_);
    fmt::print("{} {}{}\n", problems.empty() ? "passed" : "FAILED", c.name,
               problems.empty() ? "" : ": " + problems.substr(2));
    if (options_.verbose) fmt::print("{}", details);
    std::fflush(stdout);
  }

  int finish() const {
    if (!options_.list) fmt::print("{} passed, {} failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  const Options& options_;
  int passed_ = 0, failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs reference cases from PyTorch through the compiled path, at f64 and f32");
  app.add_option("directory", options.directory, "manifest.json and the files it names")->required();
  app.add_option("--filter,-f", options.filter, "a regular expression: only cases whose name matches");
  app.add_option("--dtype", options.dtype, "f64 or f32 alone")->check(CLI::IsMember({"f64", "f32"}));
  app.add_option("--target", options.compile.target, "host, x86-64-v2, x86-64-v3 or x86-64-v4");
  app.add_option("--threads", options.compile.threads, "0: PULLBACK_THREADS, else one for each core");
  app.add_flag("--reference", options.reference, "by the reference evaluator instead");
  app.add_flag("--list", options.list, "names of cases, nothing is run");
  app.add_flag("--verbose,-v", options.verbose, "every comparison with its error and tolerance");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.reference) options.compile.executor = CompileOptions::Executor::reference;
  try {
    const Manifest manifest = read_manifest(options.directory);
    Report report(options);
    for (const OpCase& op_case : manifest.ops) report.add(op_case);
    for (const Trajectory& trajectory : manifest.trajectories) report.add(trajectory);
    return report.finish();
  } catch (const std::exception& problem) {
    fmt::print(stderr, "golden: {}\n", problem.what());
    return 2;
  }
}
