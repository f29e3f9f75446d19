// What a Program holds: a function, its compiled versions, and the state they work on.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <pullback/program.h>
#include <pullback/state.h>

#include "compiler/driver/compile.h"
#include "compiler/driver/function_source.h"
#include "compiler/ir/graph.h"

namespace pullback {

struct Program::Impl {
  std::shared_ptr<const driver::FunctionSource> source;
  std::shared_ptr<State> state;
  /// Waits for first values that are still being computed. May be empty.
  std::function<void()> finish_values;
  CompileOptions options;
  /// What writes the texts of the forms before the function that is compiled, and of that: tensor, gradient, step.
  std::map<Stage, std::function<std::string()>> earlier;
  /// Called before each step: writes what the host feeds through the state. May be empty.
  std::function<void()> before_step;

  std::mutex mutex;  ///< guards what follows
  struct Version {
    Bindings bindings;
    std::shared_ptr<const driver::Specialization> code;
  };
  std::deque<Version> versions;  ///< used last first
  std::vector<std::string> compilations;

  std::shared_ptr<const driver::Specialization> version_for(const Bindings& bindings);
  std::shared_ptr<const driver::Specialization> latest(const char* what);
  const ir::Function& declaration() const { return source->declaration(); }
  /// For who reads or writes what is in it.
  State& finished_state() const {
    if (finish_values) finish_values();
    return *state;
  }
};

struct BoundStep::Impl {
  std::shared_ptr<Program::Impl> program;
  std::shared_ptr<const driver::Specialization> code;
  std::vector<Array> held;  ///< inputs and state, whose memory the pointers name
  std::vector<void*> pointers;
  Outputs outputs;
};

namespace driver {

/// Orders the feeds like the function's inputs and solves its symbols. Throws Error for a missing or unknown input, a
/// wrong dtype or shape, and a size of 0.
struct BoundInputs {
  std::vector<Array> inputs;
  Bindings bindings;
};
BoundInputs bind_inputs(const ir::Function& function, const std::vector<Feed>& feeds, const SourceLine& line);
/// Program::bind; `line` may be unknown.
BoundStep bind(const std::shared_ptr<Program::Impl>& program, const std::vector<Feed>& feeds, const SourceLine& line);

/// What a program is given, and what it gives besides new state.
std::vector<std::string> input_names(const ir::Function& function);
std::vector<std::string> result_names(const ir::Function& function);

}  // namespace driver

}  // namespace pullback
