// A measured search for the fastest way to cut each contraction of a program on this machine.
#pragma once

#include <functional>
#include <string>

#include "compiler/driver/schedule_cache.h"
#include "compiler/lower/lower.h"

namespace pullback::ir {
class Function;
}
namespace pullback::runtime {
class ThreadPool;
}

namespace pullback::driver {

struct TuneOptions {
  lower::Options lowering;              ///< as the program will be lowered, but for the schedules
  runtime::ThreadPool* pool = nullptr;  ///< null: the process's own
  std::function<void(const std::string&)> log = [](const std::string&) {};  ///< takes lines
};

/// Measures the contractions of `function` that make up a good part of its work and of which `known` knows nothing, and
/// tells it how each is best cut: the static rules' way unless another is faster by more than noise. Each candidate is
/// the program's own kernel, with what is fused into it, on memory of its own.
void tune(const ir::Function& function, const Target& target, const TuneOptions& options, ScheduleCache& known);

}  // namespace pullback::driver
