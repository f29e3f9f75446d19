// Where the text of the stages goes: standard error, or a folder with one file for each program and stage.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <pullback/program.h>

namespace pullback {

struct Environment;

/// The stages in the order in which they are made.
const std::vector<Stage>& all_stages();
/// "tensor", "grad", "step", "opt", "schedule", "kernel", "llvm", "asm".
std::string_view name_of(Stage stage);
/// The inverse; throws Error with the known names.
Stage stage_from_name(std::string_view name);
/// Names separated by commas, or "all"; "" is the empty set. Throws Error for an unknown name.
std::set<Stage> parse_stages(std::string_view names);

class DumpSink {
 public:
  /// Dumps nothing.
  DumpSink() = default;
  /// Dumps `stages` to standard error, or to files in `folder` when it is not "".
  DumpSink(std::set<Stage> stages, std::string folder) : stages_(std::move(stages)), folder_(std::move(folder)) {}
  /// What PULLBACK_DUMP and PULLBACK_DUMP_DIR ask for.
  explicit DumpSink(const Environment& environment);

  /// Ask before printing a stage: the text of a big program is not free.
  bool wants(Stage stage) const { return stages_.count(stage) != 0; }
  /// Writes `text` if the stage is wanted. A file is DIR/PROGRAM.STAGE.EXTENSION; a program's further versions (other
  /// sizes) get numbers: mlp.step.opt.2.ir. Throws Error when the file cannot be written.
  void write(Stage stage, const std::string& program, const std::string& text) const;

 private:
  std::set<Stage> stages_;
  std::string folder_;
};

/// Measures the time of stages, in the order in which they ran.
class StageTimer {
 public:
  /// Calls `work`, adds its time under `stage`, and returns its result.
  template <class Work>
  auto measure(const std::string& stage, Work&& work) {
    const Running running(*this, stage);
    return work();
  }
  const std::vector<StageTime>& times() const { return times_; }
  /// A line for each stage and one for the sum: "time mlp.step: opt 1.25 ms".
  std::string report(const std::string& program) const;

 private:
  struct Running {
    Running(StageTimer& timer, std::string name) : owner(timer), stage(std::move(name)) {}
    ~Running();
    StageTimer& owner;
    std::string stage;
    std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  };
  std::vector<StageTime> times_;
};

}  // namespace pullback
