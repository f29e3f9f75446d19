// Builder: writes kernel IR at one place of a block; blocks are opened and closed by lambdas.
//
//   kernel::Builder b(kernel, &ops::math_functions());
//   int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, n, Access::out);
//   b.vector_loop("i", n, 16, 1, [&](const Index& i) { b.store(y, i, b.call("exp", b.load(x, i))); });
//
// Equal values (same opcode, operands, payload) visible from the current place are made once; loads too, as long as no
// store to that buffer can have come between. Nothing is folded but what is exact and trivial: neutral integer
// operands, x * 1.0, select of a constant or of equal values, conversions to the same dtype and of constants.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

class Builder {
 public:
  /// Appends to the kernel's body. `functions` is what call() looks in.
  explicit Builder(Kernel& kernel, const FunctionLibrary* functions = nullptr);
  /// Appends to a function's body: no buffers, loops or stores there.
  explicit Builder(Function& function, const FunctionLibrary* functions = nullptr);
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  /// Adds a buffer to the kernel and returns its position.
  int buffer(std::string name, DType dtype, std::int64_t elements, Access access);
  const Buffer& buffer(int position) const { return kernel_->buffers[position]; }
  /// Adds a parameter to the function.
  Value* parameter(DType dtype, std::string name = {});

  // Constants.
  /// `value` converted to dtype (nearest even; saturating for integers; bool: != 0).
  Value* constant(DType dtype, double value);
  Value* integer(DType dtype, std::int64_t value);
  Value* bits(DType dtype, std::uint64_t pattern);
  Value* boolean(bool value) { return bits(DType::boolean, value); }
  /// A constant of x's dtype.
  Value* like(const Value* x, double value) { return constant(x->dtype, value); }

  // Arithmetic; operands have one dtype. f16 and bf16 operands are computed in f32 and converted back.
  Value* add(Value* x, Value* y) { return arithmetic(Opcode::add, {x, y}); }
  Value* sub(Value* x, Value* y) { return arithmetic(Opcode::sub, {x, y}); }
  Value* mul(Value* x, Value* y) { return arithmetic(Opcode::mul, {x, y}); }
  Value* div(Value* x, Value* y) { return arithmetic(Opcode::div, {x, y}); }
  Value* rem(Value* x, Value* y) { return arithmetic(Opcode::rem, {x, y}); }
  Value* min(Value* x, Value* y) { return arithmetic(Opcode::min, {x, y}); }
  Value* max(Value* x, Value* y) { return arithmetic(Opcode::max, {x, y}); }
  Value* neg(Value* x) { return arithmetic(Opcode::neg, {x}); }
  Value* abs(Value* x) { return arithmetic(Opcode::abs, {x}); }
  Value* fma(Value* x, Value* y, Value* z) { return arithmetic(Opcode::fma, {x, y, z}); }
  Value* scale(Value* x, Value* n) { return make(Opcode::scale, x->dtype, {x, n}); }
  Value* sqrt(Value* x) { return arithmetic(Opcode::sqrt, {x}); }
  Value* floor(Value* x) { return arithmetic(Opcode::floor, {x}); }
  Value* ceil(Value* x) { return arithmetic(Opcode::ceil, {x}); }
  Value* trunc(Value* x) { return arithmetic(Opcode::trunc, {x}); }
  Value* round_even(Value* x) { return arithmetic(Opcode::round_even, {x}); }
  /// Any of the above by opcode; `combine` as an operation of two values.
  Value* arithmetic(Opcode opcode, std::vector<Value*> operands);
  Value* combine(Combine how, Value* x, Value* y);

  // Bits: integers and bool.
  Value* bit_and(Value* x, Value* y) { return make(Opcode::bit_and, x->dtype, {x, y}); }
  Value* bit_or(Value* x, Value* y) { return make(Opcode::bit_or, x->dtype, {x, y}); }
  Value* bit_xor(Value* x, Value* y) { return make(Opcode::bit_xor, x->dtype, {x, y}); }
  Value* bit_not(Value* x) { return make(Opcode::bit_not, x->dtype, {x}); }
  Value* shl(Value* x, Value* amount) { return make(Opcode::shl, x->dtype, {x, amount}); }
  Value* shr(Value* x, Value* amount) { return make(Opcode::shr, x->dtype, {x, amount}); }
  Value* sar(Value* x, Value* amount) { return make(Opcode::sar, x->dtype, {x, amount}); }
  Value* mulhi(Value* x, Value* y) { return make(Opcode::mulhi, x->dtype, {x, y}); }

  // Comparisons give bool; f16 and bf16 are compared as f32.
  Value* eq(Value* x, Value* y) { return compare(Opcode::eq, x, y); }
  Value* ne(Value* x, Value* y) { return compare(Opcode::ne, x, y); }
  Value* lt(Value* x, Value* y) { return compare(Opcode::lt, x, y); }
  Value* le(Value* x, Value* y) { return compare(Opcode::le, x, y); }
  Value* gt(Value* x, Value* y) { return compare(Opcode::gt, x, y); }
  Value* ge(Value* x, Value* y) { return compare(Opcode::ge, x, y); }
  Value* compare(Opcode opcode, Value* x, Value* y);
  Value* select(Value* condition, Value* x, Value* y);
  Value* convert(Value* x, DType to);
  Value* bitcast(Value* x, DType to);

  // Memory.
  Value* index_value(const Index& index);
  Value* load(int buffer, const Index& index);
  /// fallback where predicate is false; memory is not touched then.
  Value* load_if(Value* predicate, int buffer, const Index& index, Value* fallback);
  Value* lookup(std::shared_ptr<const Table> table, Value* position);
  void store(int buffer, const Index& index, Value* value);
  void store_if(Value* predicate, int buffer, const Index& index, Value* value);

  // Calls. By name the function for the arguments' dtype is looked up; f16 and bf16 arguments are computed in f32.
  // Throws InternalError for an unknown name.
  Value* call(std::string_view name, std::vector<Value*> arguments);
  Value* call(std::string_view name, Value* x) { return call(name, std::vector<Value*>{x}); }
  Value* call(std::string_view name, Value* x, Value* y) { return call(name, std::vector<Value*>{x, y}); }
  Value* call(const Function& function, std::vector<Value*> arguments);
  Value* call_where(Value* mask, const Function& function, std::vector<Value*> arguments, Value* fallback);

  // Loops without carried values.
  using Body = std::function<void(const Index& i)>;
  void parallel_loop(std::string name, std::int64_t extent, const Body& body);
  void serial_loop(std::string name, std::int64_t extent, const Body& body);
  void unrolled_loop(std::string name, std::int64_t extent, const Body& body);
  void vector_loop(std::string name, std::int64_t extent, int width, int accumulators, const Body& body);

  /// What a loop carries: see Carried. The dtype is init's.
  struct Carry {
    Value* init = nullptr;
    Combine combine = Combine::none;
  };
  struct Shape {
    LoopKind kind = LoopKind::serial;
    int width = 1;
    int accumulators = 1;
  };
  using CarryingBody = std::function<std::vector<Value*>(const Index& i, const std::vector<Value*>& arguments)>;
  /// The general loop: body receives the carried arguments and returns what it yields. Returns the results.
  std::vector<Value*> loop(std::string name, std::int64_t extent, Shape shape, const std::vector<Carry>& carries,
                           const CarryingBody& body);
  /// A reduction: init combined with element(i) over all i.
  Value* reduce(std::string name, std::int64_t extent, Shape shape, Combine combine, Value* init,
                const std::function<Value*(const Index& i)>& element);

  void if_then(Value* condition, const std::function<void()>& then);
  void if_then_else(Value* condition, const std::function<void()>& then, const std::function<void()>& otherwise);

  /// Everything of `tile` but row, column, accumulator and epilogue is read; epilogue(row, column, accumulator) writes
  /// the epilogue. `accumulate` is f32 or f64.
  using Epilogue = std::function<void(const Index& row, const Index& column, Value* accumulator)>;
  void contract(Contract tile, DType accumulate, const Epilogue& epilogue);

  // Conveniences.
  Value* is_nan(Value* x) { return ne(x, x); }
  Value* logical_not(Value* x) { return bit_not(x); }
  /// The magnitude of x with the sign bit of y; f32 and f64.
  Value* copysign(Value* x, Value* y);
  const FunctionLibrary* functions() const { return functions_; }

 private:
  struct Scope {
    Block* block;
    std::unordered_multimap<std::uint64_t, Value*> values;
  };
  Value* make(Opcode opcode, DType dtype, std::vector<Value*> operands);
  Value* make(Value prototype);
  Value* simplify(Opcode opcode, DType dtype, const std::vector<Value*>& operands);
  LoopVar variable(std::string name, std::int64_t extent);
  void within(Block& block, const std::function<void()>& write);

  Kernel* kernel_ = nullptr;
  Function* function_ = nullptr;
  ValuePool* values_;
  const FunctionLibrary* functions_;
  std::vector<Scope> scopes_;
  std::unordered_map<std::uint64_t, Value*> constants_;
  std::vector<std::uint64_t> versions_;  // of each buffer: the number of stores so far
};

}  // namespace pullback::kernel
