// A network: inputs, parameters and the ops between them, as the user wrote them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <pullback/initializers.h>
#include <pullback/program.h>
#include <pullback/tensor.h>

namespace pullback {

namespace ir {
class Function;
}
namespace detail {
class ScopeGuard;
}
class State;

/// A piece of a graph with named inputs and results: what is differentiated, printed and compiled. Moving copies the
/// handle.
class Function {
 public:
  Function(std::shared_ptr<const ir::Function> function, std::shared_ptr<State> state);
  Function(const Function&) = default;
  Function& operator=(const Function&) = default;

  const std::string& name() const;
  std::vector<std::string> input_names() const;
  std::vector<std::string> result_names() const;
  /// Its textual IR.
  std::string text() const;
  /// A Program of it. It shares the graph's state.
  Program compile(const CompileOptions& options = {}) const;

  const ir::Function& ir() const { return *function_; }
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<const ir::Function> function_;
  std::shared_ptr<State> state_;
};

struct GraphOptions {
  std::uint64_t seed = 0;  ///< of first values and random numbers
};

/// A handle: copies are the same graph, and moving copies.
class Graph {
 public:
  explicit Graph(std::string name, GraphOptions options = {});
  /// The graph that a tensor belongs to: Graph(x.trace()). Throws Error when the tensor is undefined.
  explicit Graph(std::shared_ptr<detail::Trace> trace, SourceLocation where = SourceLocation::current());
  Graph(const Graph&) = default;
  Graph& operator=(const Graph&) = default;

  const std::string& name() const;
  /// A tensor that is given with each step. Throws Error when the name is taken or no identifier.
  Tensor input(const std::string& name, DType dtype, Shape shape, SourceLocation where = SourceLocation::current());
  /// A trainable tensor. Its full name begins with the open scopes: "encoder.fc1.w". The shape has no symbols.
  Tensor parameter(const std::string& name, const Shape& shape, Initializer initializer = Initializer::zeros(),
                   DType dtype = f32, SourceLocation where = SourceLocation::current());
  /// A tensor that lives in the state but is not trained: a running mean.
  Tensor variable(const std::string& name, const Shape& shape, Initializer initializer = Initializer::zeros(),
                  DType dtype = f32, SourceLocation where = SourceLocation::current());
  /// Replaces the variable with `value` at the end of each training step.
  void update(const Tensor& variable, const Tensor& value, SourceLocation where = SourceLocation::current());
  /// The same in those steps only whose outputs depend on `along`: a layer's statistics follow its result. Several such
  /// updates of one variable go on from each other, each made from latest(variable).
  void update_along(const Tensor& along, const Tensor& variable, const Tensor& value,
                    SourceLocation where = SourceLocation::current());
  /// What replaces the variable so far: its last update, or itself.
  Tensor latest(const Tensor& variable, SourceLocation where = SourceLocation::current()) const;
  /// Keeps a parameter as it is: a Trainer that is made from then on neither differentiates nor updates it. Throws
  /// Error when it is no parameter of this graph.
  void freeze(const Tensor& parameter, bool frozen = true, SourceLocation where = SourceLocation::current());
  bool is_frozen(const Tensor& parameter) const;
  /// A constant of any shape, filled with one number.
  Tensor constant(double value, const Shape& shape = {}, DType dtype = f32,
                  SourceLocation where = SourceLocation::current());
  /// 0, 1, 2, ... along `axis` of `shape`.
  Tensor iota(const Shape& shape, int axis, DType dtype = i64, SourceLocation where = SourceLocation::current());
  /// A bool scalar: true in training steps, false in programs that only compute. While a module with a mode of its
  /// own is called (nn::Module::eval), that mode.
  Tensor training();

  /// While it lives, parameters and ops belong to the layer `name`.
  class Scope {
   public:
    Scope(Scope&&) = delete;
    ~Scope();

   private:
    friend class Graph;
    Scope(std::shared_ptr<detail::Trace> trace, const std::string& name);
    std::shared_ptr<detail::Trace> trace_;
    std::unique_ptr<detail::ScopeGuard> guard_;
  };
  [[nodiscard]] Scope scope(const std::string& name);

  /// Parameters in the order of their creation.
  std::vector<Tensor> parameters() const;

  /// What computes `outputs`, with the inputs that they depend on.
  Function function(const std::vector<Tensor>& outputs, SourceLocation where = SourceLocation::current()) const;
  /// d(loss)/d(wrt[i]), results named "d.NAME". `loss` is a floating scalar; wrt may be any tensors it depends on.
  Function gradient(const Tensor& loss, const std::vector<Tensor>& wrt,
                    SourceLocation where = SourceLocation::current()) const;
  /// The forward derivative of outputs along directions of `wrt`, which become inputs named "t.NAME". Results are
  /// the outputs' derivatives.
  Function jvp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
               SourceLocation where = SourceLocation::current()) const;
  /// The vector-Jacobian product in two halves. `forward` gives the outputs and what `backward` needs of them;
  /// `backward` takes those by name, the cotangents "d.OUTPUT" and inputs, and gives "d.NAME" for each of wrt, which
  /// are inputs or parameters.
  struct Halves;
  Halves halves(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                SourceLocation where = SourceLocation::current()) const;
  /// Hessian of `loss` times directions (inputs "t.NAME"), a result for each of `wrt`.
  Function hvp(const Tensor& loss, const std::vector<Tensor>& wrt,
               SourceLocation where = SourceLocation::current()) const;
  /// function(outputs).compile(options).
  Program compile(const std::vector<Tensor>& outputs, const CompileOptions& options = {},
                  SourceLocation where = SourceLocation::current()) const;

  /// The values of parameters and variables, shared by all programs of this graph.
  const std::shared_ptr<State>& state() const;

  const std::shared_ptr<detail::Trace>& trace() const { return trace_; }

 private:
  std::shared_ptr<detail::Trace> trace_;
};

struct Graph::Halves {
  Function forward, backward;
  std::vector<std::string> saved;  ///< results of forward that are inputs of backward
};

/// Receives warnings ("parameter fc3.w does not affect the loss"). The default writes to standard error; returns the
/// sink that was there.
using WarningSink = std::function<void(const std::string&)>;
WarningSink set_warning_sink(WarningSink sink);

}  // namespace pullback
