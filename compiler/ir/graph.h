// The tensor IR: typed, shaped, pure SSA over whole tensors.
//
// A Function has one Region. A Region has arguments, ops in an order in which every value is defined before it is used,
// and result values. Ops that own regions (composite, cond) are isolated: a nested region reads its own arguments only,
// and the op passes it what it needs as operands. An op that is not marked effectful may be removed, duplicated and
// reordered. Elementwise ops take equal shapes and dtypes: broadcasts and conversions are ops of their own.
// Shapes may be symbolic until specialization. Ownership: Function -> Region -> Op -> result Values; all other
// pointers are references into the same function.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <pullback/error.h>

#include "compiler/ir/attribute.h"
#include "compiler/support/small_vector.h"

namespace pullback::ops {
struct OpDef;
}

namespace pullback::ir {

class Op;
class Region;

struct Type {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t rank() const { return shape.size(); }
  bool operator==(const Type&) const = default;
};
/// "f32[batch,784]".
std::string to_string(const Type& type);
/// The sizes as numbers; throws InternalError while a symbol is left.
std::vector<std::int64_t> static_dims(const Shape& shape);
/// The product of the sizes.
Dim element_count(const Shape& shape);

/// Where an op comes from: the user's line, the layer (scope), and what wrote it when it was not the user.
/// Printed loc("model.cpp":9, "fc1", grad "relu").
struct Location {
  SourceLine line;
  std::string scope;
  std::string role;    ///< "grad", "jvp", "update" or ""
  std::string origin;  ///< with a role: the op or optimizer it was derived from

  bool operator==(const Location&) const = default;
};

/// A Location that ops share: a function has few, each of many ops, which are copied often. Null is an unknown one.
class LocationRef {
 public:
  LocationRef() = default;
  LocationRef(Location location)  // NOLINT: a location is one that nobody shares yet
      : shared_(std::make_shared<Location>(std::move(location))) {}

  const Location& operator*() const { return shared_ ? *shared_ : unknown(); }
  const Location* operator->() const { return &**this; }
  /// Are they the same one in memory? To be asked before one is copied, which counts it once more.
  bool shares(const LocationRef& other) const { return shared_ == other.shared_; }
  /// To be changed: others keep what they have.
  Location& edit() {
    if (!shared_ || shared_.use_count() > 1) shared_ = std::make_shared<Location>(**this);
    return *shared_;
  }
  bool operator==(const LocationRef& other) const { return shared_ == other.shared_ || **this == *other; }

 private:
  static const Location& unknown();
  std::shared_ptr<Location> shared_;
};

/// A tensor in the graph: the result of an op, or the argument of a region.
class Value {
 public:
  Type type;
  std::string name;          ///< without %; "" is numbered by the printer, which also makes names unique
  Op* definer = nullptr;     ///< null for an argument
  Region* region = nullptr;  ///< for an argument: whose
  std::size_t index = 0;     ///< which result or argument

  Value() = default;
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
};

class Op {
 public:
  const ops::OpDef* def = nullptr;
  std::vector<Value*> operands;
  SmallVector<std::unique_ptr<Value>, 1> results;
  Attributes attributes;
  std::vector<std::unique_ptr<Region>> regions;
  LocationRef location;

  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op();

  Value* result(std::size_t i = 0) const { return results[i].get(); }
  Value* operand(std::size_t i) const { return operands[i]; }
};

class Region {
 public:
  std::vector<std::unique_ptr<Value>> arguments;
  std::vector<std::unique_ptr<Op>> ops;
  std::vector<Value*> results;

  Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Value* add_argument(Type type, std::string name = {});
};

/// What a function's argument is to the caller.
enum class ArgumentRole : std::uint8_t {
  input,  ///< given with each call
  state   ///< lives in the State; a result may replace it
};

/// A function's result. When `updates` names an argument (by index, role state), the value replaces that state.
struct FunctionResult {
  std::string name;
  std::ptrdiff_t updates = -1;
  bool operator==(const FunctionResult&) const = default;
};

class Function {
 public:
  std::string name;
  Region body;
  std::vector<ArgumentRole> roles;      ///< one for each argument of body
  std::vector<FunctionResult> results;  ///< one for each result of body

  Value* add_argument(Type type, std::string value_name, ArgumentRole role = ArgumentRole::input);
  void add_result(Value* value, std::string result_name, std::ptrdiff_t updates = -1);
};

/// A deep copy, nested regions included.
std::unique_ptr<Function> clone(const Function& function);
/// The symbols that occur in argument types.
std::set<std::string> symbols_of(const Function& function);

}  // namespace pullback::ir
