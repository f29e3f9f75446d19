// One kernel of a schedule as a program of its own, to be measured.
#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include <pullback/array.h>

#include "compiler/ir/schedule.h"
#include "runtime/executable.h"

namespace pullback {
struct Target;
}

namespace pullback::driver {

/// Memory that kernels of the same buffers share, filled with small numbers.
class TestMemory {
 public:
  /// The `nth` of the buffers of this type and size.
  void* buffer(DType dtype, std::int64_t elements, int nth);

 private:
  std::map<std::tuple<DType, std::int64_t, int>, Array> arrays_;
};

class KernelRun {
 public:
  /// Compiles the call's kernel alone. Arguments that are one buffer in `module` are one here.
  KernelRun(const schedule::Module& module, const schedule::KernelCall& call, const Target& target,
            runtime::ThreadPool* pool);

  void bind(TestMemory& memory);
  void run() { executable_->run(slots_); }
  /// Microseconds that `repeat` runs take, each: of the processor if they use one thread, so that it does not count
  /// when others have it meanwhile, else of the clock.
  double measure(int repeat);

 private:
  bool one_thread_ = false;
  std::unique_ptr<runtime::Executable> executable_;
  std::vector<void*> slots_;
};

}  // namespace pullback::driver
