// The step builder: from a traced function to the pure functions that programs run.
//
// A traced function has inputs and states as arguments, and named results; a result that updates a state (a running
// mean, the step counter) belongs to the training step only. All functions made here name their results, drop the
// arguments that nothing reads, and leave the traced function as it is. Unknown names throw Error with those that
// exist.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/builder.h"

namespace pullback::autodiff {

/// A state that the optimizer adds: its name, type and first elements, all `initial` or those of another state.
struct AddedState {
  std::string name;
  ir::Type type;
  double initial = 0;
  std::string copy_of = {};
};

/// What an optimizer sees: parameters, their gradients, and where its update is written.
class UpdateContext {
 public:
  virtual ~UpdateContext() = default;
  /// Appends to the step's region; locations have role "update".
  virtual ir::Builder& build() = 0;
  /// The loss, a floating scalar.
  virtual ir::Value* loss() = 0;
  /// Trainable parameters and their gradients, index by index.
  virtual const std::vector<ir::Value*>& parameters() const = 0;
  virtual const std::vector<ir::Value*>& gradients() const = 0;
  /// A new state argument ("adam.m.fc1.w"), or the argument of that name when there is one.
  virtual ir::Value* state(const std::string& name, ir::Type type, double initial = 0) = 0;
  /// The same, at first a copy of the state `original`.
  virtual ir::Value* copied_state(const std::string& name, const ir::Value& original) = 0;
  /// A new input (a learning rate that changes from step to step), or the input of that name.
  virtual ir::Value* input(const std::string& name, ir::Type type) = 0;
  /// The state argument `argument` (of a parameter, or from state()) is `value` after the step.
  virtual void update(ir::Value* argument, ir::Value* value) = 0;
  /// A further result of the step: the gradient's norm, the learning rate.
  virtual void result(const std::string& name, ir::Value* value) = 0;
};

using UpdateBuilder = std::function<void(UpdateContext&)>;

struct StepSpec {
  std::string name;                    ///< of the step function: "mlp.step"
  std::string loss;                    ///< a result of the traced function, a floating scalar
  std::vector<std::string> metrics;    ///< further results to return
  std::vector<std::string> trainable;  ///< state arguments to differentiate and update
  UpdateBuilder update;
  std::string loss_scale = {};  ///< a state, a scalar of the loss's type that gradients are multiplied by; "": none
  double initial_loss_scale = 1;
};

struct Step {
  std::unique_ptr<ir::Function> function;
  std::vector<AddedState> states;        ///< what the update added, in order
  std::vector<std::string> independent;  ///< trainable parameters that the loss does not depend on: warn
};

/// Forward, gradients, metrics and update in one function (state, inputs) -> (state', outputs): results are the loss,
/// the metrics, what the update added, then the new states (the traced function's own updates too). A parameter that
/// the loss does not depend on is updated with a gradient of zeros (weight decay still acts on it).
Step build_step(const ir::Function& traced, const StepSpec& spec);

/// Only the results called `outputs`, without updates: inference.
std::unique_ptr<ir::Function> forward_only(const ir::Function& traced, const std::string& name,
                                           const std::vector<std::string>& outputs);

/// The results called `outputs` (which may be empty), and "d.NAME" for each of `wrt` (arguments), without updates.
Step gradients_only(const ir::Function& traced, const std::string& name, const std::string& loss,
                    const std::vector<std::string>& wrt, const std::vector<std::string>& outputs);

/// Forward and backward as functions of their own.
struct Split {
  std::unique_ptr<ir::Function> forward;   ///< results: outputs, then `saved`
  std::unique_ptr<ir::Function> backward;  ///< inputs: the saved values by name, "d.OUTPUT" cotangents, and the
                                           ///< arguments that it reads; results "d.NAME" for each of wrt
  std::vector<std::string> saved;          ///< what backward needs of forward; cheap values are recomputed instead
  std::vector<std::string> independent;    ///< wrt arguments that no output depends on
};
/// Splits the vector-Jacobian product of the floating results called `outputs` (any shape).
Split split_gradient(const ir::Function& traced, const std::string& name, const std::vector<std::string>& outputs,
                     const std::vector<std::string>& wrt);

}  // namespace pullback::autodiff
