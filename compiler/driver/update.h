// An optimizer's rule, and all that surrounds it, as the step builder wants it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <pullback/trainer.h>

#include "compiler/autodiff/step.h"

namespace pullback::driver {

// Names of the state, behind the Trainer's own prefix.
inline constexpr const char* kLearningRate = "learning_rate";  ///< f64 scalar; ".I" behind it for group I
inline constexpr const char* kStep = "step";                   ///< i64 scalar: updates done
inline constexpr const char* kEpoch = "epoch";                 ///< i64 scalar: epochs done, when a schedule counts them
inline constexpr const char* kFed = "schedule.fed";            ///< f64 scalars: what a schedule's functions gave
inline constexpr const char* kPlateauScale = "schedule.scale";  ///< f64 scalar
inline constexpr const char* kLossScale =
    "loss_scale";  ///< scalar of the loss's type; ".good" behind it: steps without overflow
inline constexpr const char* kGradientNorm = "grad_norm";  ///< a result
inline constexpr const char* kMomentum = "momentum";       ///< a result

std::string group_rate_name(const std::string& prefix, std::size_t group);
std::string average_name(const std::string& prefix, const std::string& parameter);

struct UpdateSpec {
  TrainerOptions options;
  std::string prefix;                         ///< of what is kept in the state
  std::optional<LossScale> loss_scale;        ///< gradients come multiplied by the state kLossScale
  std::map<std::string, std::size_t> groups;  ///< of the trained parameters that belong to one
  SourceLocation where;                       ///< of the Trainer
};

/// Undoes the scaling of the loss, accumulates and clips gradients, evaluates the schedule, applies the rule, averages
/// weights and counts the updates.
autodiff::UpdateBuilder update_builder(const UpdateSpec& spec);

/// Bytes that stand for what update_builder() gives: equal ones write the same update for the same step. Nothing where
/// the rule is the user's own, which nobody can compare.
std::optional<std::string> update_identity(const UpdateSpec& spec);

}  // namespace pullback::driver
