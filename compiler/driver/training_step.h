// The function of a training step: built, or only declared as an earlier process left it on disk.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/autodiff/step.h"
#include "compiler/driver/function_source.h"
#include "compiler/support/environment.h"

namespace pullback::driver {

struct TrainingStep {
  std::shared_ptr<const FunctionSource> function;
  std::vector<autodiff::AddedState> states;
  std::vector<std::string> independent;
};

/// What autodiff::build_step() makes of `traced`. Gradients and updates of a large network are most of the work before
/// its first step, and who finds the step's code on disk needs none of it: where the update is known (`update` are
/// bytes that stand for spec.update), what a program is asked before it runs is kept there as well, and the function is
/// built when something else is asked.
TrainingStep training_step(const std::shared_ptr<const ir::Function>& traced, const autodiff::StepSpec& spec,
                           const std::optional<std::string>& update, const Environment& environment);

}  // namespace pullback::driver
