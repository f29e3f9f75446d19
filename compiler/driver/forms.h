// The forms between a function and its machine code.
#pragma once

#include <memory>

#include <pullback/dim.h>
#include <pullback/program.h>

#include "compiler/driver/compile.h"
#include "compiler/driver/function_source.h"
#include "compiler/support/environment.h"
#include "compiler/support/target.h"

namespace pullback {
class StageTimer;
}
namespace pullback::runtime {
class ThreadPool;
}

namespace pullback::driver {

/// One compilation: everything that what comes out depends on.
struct Request {
  std::shared_ptr<const FunctionSource> source;
  Bindings bindings;
  CompileOptions options;
  Environment environment;
  Target target = Target::parse(options.target);
  bool measures_schedules = true;  ///< false: a program that is tuned uses what is known already

  bool measures_kernels() const { return options.profile || environment.profile; }
  /// One thread needs no parts, which would pack the operands they share again.
  bool has_one_thread() const { return threads() == 1; }
  /// The most that run kernels.
  int threads() const;
  /// Programs with the same number of threads share their pool; null: the process's own.
  runtime::ThreadPool* pool() const;
  /// Are contractions cut as measurements say? Code that cannot run here cannot be measured.
  bool is_tuned() const;
};

/// The function with numbers for its symbols. Throws Error where sizes don't fit or are not known.
std::unique_ptr<ir::Function> specialize(const Request& request);

/// Specializes, optimizes, tunes if it is asked for, and lowers; prints each stage that PULLBACK_DUMP names. Times are
/// added to `timer`.
Forms make_forms(const Request& request, StageTimer& timer);

}  // namespace pullback::driver
