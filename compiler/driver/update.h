// An optimizer's rule as the step builder wants it.
#pragma once

#include <pullback/optimizers.h>

#include "compiler/autodiff/step.h"

namespace pullback::driver {

inline constexpr const char* kLearningRate = "learning_rate";  ///< f64 scalar of the state
inline constexpr const char* kStep = "step";                   ///< i64 scalar of the state: steps done

/// Applies the rule to each parameter and counts the steps.
autodiff::UpdateBuilder update_builder(const Optimizer& optimizer);

}  // namespace pullback::driver
