// Modules: layers that own parameters, and networks made of them.
//
// A network of one's own derives from Module, registers its parts and says how they are applied:
//
//   struct Block : nn::Module {
//     using Module::Module;
//     nn::Linear fc1 = register_module("fc1", nn::Linear(64, 256));
//     nn::Linear fc2 = register_module("fc2", nn::Linear(256, 64));
//     Tensor forward(const Tensor& x) const override { return x + fc2(relu(fc1(x))); }
//   };
//   Block block("encoder");
//   Tensor y = block(x);  // parameters encoder.fc1.w, encoder.fc1.b, encoder.fc2.w, encoder.fc2.b
//
// A module is a handle: copies are the same layer, and one that was moved from throws Error. Its parameters are made
// when it first meets a graph, and each call in that graph uses them again. It may meet several graphs and then has
// parameters in each of them.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pullback/graph.h>

namespace pullback::detail {
struct ModuleNode;
}

namespace pullback::nn {

/// A parameter or statistic of a module.
struct ParameterInfo {
  std::string name;            ///< in full: "encoder.0.fc1.w"
  std::optional<Shape> shape;  ///< nothing while it is not yet known
  bool trainable = true;       ///< false: a statistic, which training steps update but no optimizer does
  bool frozen = false;
  Tensor tensor;  ///< in the graph met last; undefined when there is none
  /// The number of its elements; 0 while the shape is not known.
  std::int64_t count() const;
};

class Module {
 public:
  /// The name of a module that is registered with none. Left out, a layer is named after its type ("linear",
  /// "linear_1"), and the parts of a user's own module stand without a prefix.
  explicit Module(std::string name = {});
  virtual ~Module() = default;

  /// forward(x). Ops belong to the module in dumps. Throws Error naming the module, the shapes and `where` when x does
  /// not fit.
  Tensor operator()(const Tensor& x, SourceLocation where = SourceLocation::current()) const;

  /// Throws Error when the module has met a graph already, as its parameters have their names then.
  void set_name(std::string name, SourceLocation where = SourceLocation::current());
  /// As parameters are named in the graph met last; before that as far as it is known.
  std::string full_name() const;

  /// The parameter or statistic "w" in the graph met last. Throws Error when there is none of that name, or no graph.
  Tensor parameter(const std::string& name, SourceLocation where = SourceLocation::current()) const;
  /// The same in `graph`, made there if need be.
  Tensor parameter(const std::string& name, const Graph& graph, SourceLocation where = SourceLocation::current()) const;

  /// From now on this module's parameter `name` is the parameter `owner_name` of another module, which is updated with
  /// the sum of the gradients. Throws Error when this module has made its own already, or when the shapes differ.
  void tie(const std::string& name, const Module& owner, const std::string& owner_name,
           SourceLocation where = SourceLocation::current()) const;

  /// Keeps all parameters, those of the parts too, as they are: a Trainer that is made from now on neither
  /// differentiates nor updates them. Statistics still follow the data unless eval() is called as well.
  void freeze() const { set_frozen(true); }
  void unfreeze() const { set_frozen(false); }

  /// In calls from now on the module and its parts behave as in evaluation, even in training steps: batch norm uses its
  /// running statistics and leaves them alone, dropout does nothing.
  void eval() const { set_mode(false); }
  /// As in training, even in programs that only compute.
  void train() const { set_mode(true); }
  /// As the program does: training in training steps, evaluation elsewhere. So are modules at first.
  void follow_program() const { set_mode(std::nullopt); }

  /// The dtype of parameters that are made from now on, here and in the parts. Without it they take the dtype of the
  /// first floating tensor that they are used with, else f32.
  void to(DType dtype, SourceLocation where = SourceLocation::current()) const;

  /// Of the module and its parts, each once, in the order of registration; tied ones stand with their owner.
  std::vector<ParameterInfo> named_parameters() const;
  /// Running statistics.
  std::vector<ParameterInfo> named_statistics() const;
  /// The parameters in the graph met last.
  std::vector<Tensor> parameters() const;
  /// The number of elements in all parameters.
  std::int64_t parameter_count() const;
  /// A table of the parts: name, type, shape of the last result, number of parameters.
  std::string summary() const;

  /// What one call does: while it lives, ops and errors belong to the module. For modules that are called with more
  /// than one tensor, which define an operator() of their own: `const Call call = enter(query);`.
  class Call;
  Call enter(const Tensor& x, SourceLocation where = SourceLocation::current()) const;

  /// Throws Error when the module was moved from.
  const std::shared_ptr<detail::ModuleNode>& node(SourceLocation where = {}) const;

 protected:
  // Copied as the derived class only: the base alone cannot be called.
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;

  /// What a call computes.
  virtual Tensor forward(const Tensor& x) const;
  /// For modules that pass the user's line on to their parts.
  virtual Tensor forward_at(const Tensor& x, SourceLocation where) const;

  /// Makes `part` a part of this module and returns it. Throws Error when the name is taken or holds other characters
  /// than letters, digits and '_'. A module that is a part of two is named after the first.
  template <std::derived_from<Module> Part>
  Part register_module(const std::string& name, Part part, SourceLocation where = SourceLocation::current()) {
    attach(name, part, where);
    return part;
  }
  /// Declares a parameter; parameter(name) is its tensor within forward().
  void register_parameter(const std::string& name, const Shape& shape, Initializer initializer = Initializer::zeros(),
                          std::optional<DType> dtype = {}, SourceLocation where = SourceLocation::current()) const;
  /// Declares a statistic: a variable that Graph::update replaces.
  void register_statistic(const std::string& name, const Shape& shape, Initializer initializer = Initializer::zeros(),
                          std::optional<DType> dtype = {}, SourceLocation where = SourceLocation::current()) const;
  void attach(const std::string& name, const Module& part, SourceLocation where = SourceLocation::current()) const;

  // For the library's layers.
  /// A layer: errors inside of it carry the line of its call, unless it is a container and has lines of its own.
  struct Layer {
    std::string type;         ///< "Linear"
    std::string description;  ///< "Linear(784, 512)"
    bool container = false;
  };
  explicit Module(Layer layer);
  bool has_parameter(const std::string& name) const;
  /// tie() to the owner's matrix with its axes swapped.
  void tie_transposed(const std::string& name, const Module& owner, const std::string& owner_name,
                      SourceLocation where) const;
  /// "Linear encoder.fc1", for errors.
  std::string label() const;

 private:
  void set_frozen(bool frozen) const;
  void set_mode(std::optional<bool> training) const;

  std::shared_ptr<detail::ModuleNode> node_;
};

class Module::Call {
 public:
  Call(const Module& module, const Tensor& x, SourceLocation where);
  Call(Call&&) noexcept;
  ~Call();
  /// body(), with errors that name the layer. (Those of a user's own module and of containers stay as they are.)
  template <class Body>
  auto run(const Body& body) const {
    try {
      return body();
    } catch (const Error& error) {
      rethrow(error);
    }
  }
  /// Notes what the call results in, for summary(), and returns it.
  Tensor result(Tensor y) const;
  /// The user's line.
  const SourceLine& line() const;
  Graph graph() const;

 private:
  [[noreturn]] void rethrow(const Error& error) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The module under a name: nn::named("fc1", nn::Linear(784, 512)).
template <std::derived_from<Module> Part>
Part named(std::string name, Part part) {
  part.set_name(std::move(name));
  return part;
}

}  // namespace pullback::nn
