// PyTorch's functions by name, each as a call of Pullback's own: tables, one for each theme.
//
// An entry is a name ("a|b": two names for the same), PyTorch's signature and the call. The signature binds positional
// and keyword arguments as Python would; the call reads them by name.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <pullback/pullback.h>

namespace pullback::golden {

struct None {};
struct Ellipsis {};
/// start:stop:step of an index.
struct Slice {
  std::optional<std::int64_t> start, stop, step;
};

/// What a part of an expression evaluates to. Lists and tuples are the same.
struct Value;
using List = std::vector<Value>;
struct Value : std::variant<None, bool, std::int64_t, double, std::string, Tensor, DType, Slice, Ellipsis, List> {
  using variant::variant;
  /// "f32[2,3]", "4", "a list": for messages.
  std::string describe() const;
  bool is_none() const { return std::holds_alternative<None>(*this); }
  const Tensor* tensor() const { return std::get_if<Tensor>(this); }
  const List* list() const { return std::get_if<List>(this); }
  /// Integers and floats; nothing else.
  std::optional<double> number() const;
};

/// The graph that is built, and the floating type that it is built at.
struct Context {
  Graph& graph;
  DType dtype;
};

/// The arguments of one call by the names of the signature. Readers throw Error naming function and argument when an
/// argument is missing or of another kind.
class Arguments {
 public:
  Arguments(const Context& of, std::string function) : context(of), function_(std::move(function)) {}

  bool given(const std::string& name) const { return !at(name).is_none(); }
  const Value& at(const std::string& name) const;
  Tensor tensor(const std::string& name) const;
  /// An undefined tensor for None.
  Tensor optional_tensor(const std::string& name) const;
  std::vector<Tensor> tensors(const std::string& name) const;
  Operand operand(const std::string& name) const;
  double number(const std::string& name) const;
  std::optional<double> optional_number(const std::string& name) const;
  std::int64_t integer(const std::string& name) const;
  std::optional<std::int64_t> optional_integer(const std::string& name) const;
  int axis(const std::string& name) const { return static_cast<int>(integer(name)); }
  bool flag(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  /// A number gives a list of one; None an empty one.
  std::vector<std::int64_t> integers(const std::string& name) const;
  /// The same; one number stands for all `count`.
  std::vector<std::int64_t> integers(const std::string& name, std::size_t count) const;
  Shape shape(const std::string& name) const;
  Axes axes(const std::string& name) const;
  /// None: the case's.
  DType dtype(const std::string& name) const;
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;

  void set(std::string name, Value value) { values_.emplace_back(std::move(name), std::move(value)); }

  const Context& context;

 private:
  std::string function_;
  std::vector<std::pair<std::string, Value>> values_;
};

struct TorchFunction {
  std::string names, signature;
  std::function<Value(const Arguments&)> call;
};
using FunctionTable = std::vector<TorchFunction>;

FunctionTable elementwise_functions();
FunctionTable activation_functions();
FunctionTable reduction_functions();
FunctionTable shape_functions();
FunctionTable indexing_functions();
FunctionTable creation_functions();
FunctionTable product_functions();
FunctionTable convolution_functions();
FunctionTable pooling_functions();
FunctionTable normalization_functions();
FunctionTable attention_functions();
FunctionTable loss_functions();
FunctionTable derivative_functions();
/// Functions that the library has whole while PyTorch's cases spell them out: named by the whole expression, with the
/// case's inputs and attributes as arguments.
FunctionTable spelled_out_functions();
/// The name of such a function.
std::string spelled_out(const std::string& expression);

/// Arguments by a signature, as Python binds them. Throws Error naming what is missing or unknown.
Arguments bind_arguments(const Context& context, const std::string& function, const std::string& signature,
                         const std::vector<Value>& positional,
                         const std::vector<std::pair<std::string, Value>>& keywords);

bool is_function(const std::string& name);
/// Calls an entry of the tables. Throws Error when there is none or the arguments don't fit its signature.
Value call_function(const Context& context, const std::string& name, const std::vector<Value>& positional,
                    const std::vector<std::pair<std::string, Value>>& keywords);

/// A list of tensors as a value.
Value list_of(const std::vector<Tensor>& tensors);

/// Operators of Python's: at least one side is a tensor. Dtypes are promoted as PyTorch does.
Value apply_operator(const std::string& op, const Value& left, const Value& right, const Context& context);
/// x[...].
Tensor index(const Tensor& x, const std::vector<Value>& subscripts);

}  // namespace pullback::golden
