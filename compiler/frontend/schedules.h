// What the schedules and those who keep steps on disk share.
#pragma once

#include <utility>

#include <pullback/schedules.h>

namespace pullback::detail {

/// A formula of Pullback's own: it holds all that it depends on, and writes the same ops whenever it is called. A
/// user's may read what changes, or is gone by then.
struct KnownFormula {
  Schedule::Formula write;
  Tensor operator()(const ScheduleInputs& inputs) const { return write(inputs); }
};

inline bool is_known(const Schedule::Formula& formula) {
  return !formula || formula.target<KnownFormula>();
}

}  // namespace pullback::detail
