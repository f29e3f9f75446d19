#include "compiler/ir/kernel/builder.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/ir/kernel/interpret.h"

namespace pullback::kernel {
namespace {

bool is_storage_float(DType d) {
  return d == DType::f16 || d == DType::bf16;
}

std::uint64_t mix(std::uint64_t h, std::uint64_t x) {
  h = (h ^ x) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

std::uint64_t key_of(const Value& v) {
  std::uint64_t h = mix(static_cast<std::uint64_t>(v.opcode), static_cast<std::uint64_t>(v.dtype));
  for (const Value* operand : v.operands) h = mix(h, static_cast<std::uint64_t>(operand->id));
  h = mix(mix(h, v.bits), static_cast<std::uint64_t>(v.buffer));
  h = mix(h, v.index.hash());
  return mix(h, static_cast<std::uint64_t>(v.operands.size()));
}

bool same(const Value& a, const Value& b) {
  return a.opcode == b.opcode && a.dtype == b.dtype && a.operands == b.operands && a.bits == b.bits &&
         a.buffer == b.buffer && a.index == b.index && a.table == b.table && a.function == b.function;
}

bool is_integer_constant(const Value* v, std::uint64_t bits) {
  return v->opcode == Opcode::constant && is_integer(v->dtype) && v->bits == bits;
}

bool is_float_constant(const Value* v, double value) {
  if (v->opcode != Opcode::constant) return false;
  if (v->dtype == DType::f32) return v->bits == std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return v->dtype == DType::f64 && v->bits == std::bit_cast<std::uint64_t>(value);
}

}  // namespace

Builder::Builder(Kernel& kernel, const FunctionLibrary* functions)
    : kernel_(&kernel), values_(&kernel.values), functions_(functions), versions_(kernel.buffers.size()) {
  scopes_.push_back({&kernel.body, {}});
}

Builder::Builder(Function& function, const FunctionLibrary* functions)
    : function_(&function), values_(&function.values), functions_(functions) {
  scopes_.push_back({&function.body, {}});
}

int Builder::buffer(std::string name, DType dtype, std::int64_t elements, Access access) {
  kernel_->buffers.push_back({std::move(name), dtype, elements, access});
  versions_.push_back(0);
  return static_cast<int>(kernel_->buffers.size()) - 1;
}

Value* Builder::parameter(DType dtype, std::string name) {
  Value* value = values_->create(Opcode::argument, dtype);
  value->name = std::move(name);
  function_->parameters.push_back(value);
  return value;
}

Value* Builder::bits(DType dtype, std::uint64_t pattern) {
  Value*& known = constants_[mix(pattern, static_cast<std::uint64_t>(dtype))];
  if (known && known->bits == pattern && known->dtype == dtype) return known;
  Value* value = values_->create(Opcode::constant, dtype);
  value->bits = pattern;
  if (!known) known = value;
  return value;
}

Value* Builder::constant(DType dtype, double value) {
  const std::uint64_t pattern = std::bit_cast<std::uint64_t>(value);
  return bits(dtype, evaluate(Opcode::convert, DType::f64, dtype, std::span(&pattern, 1)));
}

Value* Builder::integer(DType dtype, std::int64_t value) {
  const auto pattern = static_cast<std::uint64_t>(value);
  return bits(dtype, evaluate(Opcode::convert, DType::i64, dtype, std::span(&pattern, 1)));
}

Value* Builder::make(Opcode opcode, DType dtype, std::vector<Value*> operands) {
  if (Value* simpler = simplify(opcode, dtype, operands)) return simpler;
  Value prototype;
  prototype.opcode = opcode;
  prototype.dtype = dtype;
  prototype.operands = std::move(operands);
  return make(std::move(prototype));
}

Value* Builder::make(Value prototype) {
  std::uint64_t key = key_of(prototype);
  // A load from memory that may be written is only shared within its block, and not across a store.
  const bool volatile_load = prototype.opcode == Opcode::load && buffer(prototype.buffer).access != Access::in;
  if (volatile_load) key = mix(key, versions_[static_cast<std::size_t>(prototype.buffer)]);
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto [first, last] = scope->values.equal_range(key);
    for (auto it = first; it != last; ++it)
      if (same(*it->second, prototype)) return it->second;
    if (volatile_load) break;
  }
  Value* value = values_->create(prototype.opcode, prototype.dtype);
  prototype.id = value->id;
  *value = std::move(prototype);
  scopes_.back().block->statements.emplace_back(Define{value});
  scopes_.back().values.emplace(key, value);
  return value;
}

// Only what is exact for every operand, NaN and signed zeros included.
Value* Builder::simplify(Opcode opcode, DType dtype, const std::vector<Value*>& operands) {
  const auto operand = [&](std::size_t i) { return operands[i]; };
  switch (opcode) {
    case Opcode::add:
      if (is_integer_constant(operand(1), 0)) return operand(0);
      if (is_integer_constant(operand(0), 0)) return operand(1);
      break;
    case Opcode::sub:
    case Opcode::shl:
    case Opcode::shr:
    case Opcode::sar:
      if (is_integer_constant(operand(1), 0)) return operand(0);
      break;
    case Opcode::mul:
      if (is_integer_constant(operand(1), 1) || is_float_constant(operand(1), 1.0)) return operand(0);
      if (is_integer_constant(operand(0), 1) || is_float_constant(operand(0), 1.0)) return operand(1);
      break;
    case Opcode::div:
      if (is_integer_constant(operand(1), 1) || is_float_constant(operand(1), 1.0)) return operand(0);
      break;
    case Opcode::bit_not:
      if (operand(0)->opcode == Opcode::bit_not) return operand(0)->operands[0];
      break;
    case Opcode::bit_and:
    case Opcode::bit_or: {
      if (operand(0) == operand(1)) return operand(0);
      for (std::size_t i : {0u, 1u}) {  // bool only: neutral or absorbing
        if (dtype != DType::boolean || operand(i)->opcode != Opcode::constant) continue;
        return (operand(i)->bits != 0) == (opcode == Opcode::bit_and) ? operand(1 - i) : operand(i);
      }
      break;
    }
    case Opcode::select:
      if (operand(1) == operand(2)) return operand(1);
      if (operand(0)->opcode == Opcode::constant) return operand(operand(0)->bits ? 1 : 2);
      break;
    case Opcode::convert:
      if (operand(0)->dtype == dtype) return operand(0);
      if (operand(0)->opcode == Opcode::constant)
        return bits(dtype, evaluate(opcode, operand(0)->dtype, dtype, std::span(&operand(0)->bits, 1)));
      break;
    case Opcode::bitcast:
      if (operand(0)->dtype == dtype) return operand(0);
      if (operand(0)->opcode == Opcode::constant) return bits(dtype, operand(0)->bits);
      if (operand(0)->opcode == Opcode::bitcast) return make(opcode, dtype, {operand(0)->operands[0]});
      break;
    default:
      break;
  }
  return nullptr;
}

Value* Builder::arithmetic(Opcode opcode, std::vector<Value*> operands) {
  const DType dtype = operands[0]->dtype;
  if (!is_storage_float(dtype)) return make(opcode, dtype, std::move(operands));
  for (Value*& operand : operands) operand = convert(operand, DType::f32);
  return convert(make(opcode, DType::f32, std::move(operands)), dtype);
}

Value* Builder::combine(Combine how, Value* x, Value* y) {
  switch (how) {
    case Combine::add:
      return add(x, y);
    case Combine::mul:
      return mul(x, y);
    case Combine::max:
      return max(x, y);
    case Combine::min:
      return min(x, y);
    case Combine::none:
      break;
  }
  throw InternalError("kernel builder: combine none is not an operation");
}

Value* Builder::compare(Opcode opcode, Value* x, Value* y) {
  if (is_storage_float(x->dtype)) {
    x = convert(x, DType::f32);
    y = convert(y, DType::f32);
  }
  return make(opcode, DType::boolean, {x, y});
}

Value* Builder::select(Value* condition, Value* x, Value* y) {
  return make(Opcode::select, x->dtype, {condition, x, y});
}
Value* Builder::convert(Value* x, DType to) {
  return make(Opcode::convert, to, {x});
}
Value* Builder::bitcast(Value* x, DType to) {
  return make(Opcode::bitcast, to, {x});
}

Value* Builder::index_value(const Index& index) {
  if (index.is_constant()) return integer(DType::i64, index.constant());
  const Term& term = index.terms()[0];
  const bool plain = index.terms().size() == 1 && index.constant() == 0 && term.coefficient == 1;
  if (plain && term.atom.kind == Atom::Kind::dynamic) return term.atom.value;
  Value prototype;
  prototype.opcode = Opcode::index_value;
  prototype.dtype = DType::i64;
  prototype.index = index;
  return make(std::move(prototype));
}

Value* Builder::load(int buffer_position, const Index& index) {
  Value prototype;
  prototype.opcode = Opcode::load;
  prototype.dtype = buffer(buffer_position).dtype;
  prototype.buffer = buffer_position;
  prototype.index = index;
  return make(std::move(prototype));
}

Value* Builder::load_if(Value* predicate, int buffer_position, const Index& index, Value* fallback) {
  if (predicate->opcode == Opcode::constant) return predicate->bits ? load(buffer_position, index) : fallback;
  Value prototype;
  prototype.opcode = Opcode::load;
  prototype.dtype = buffer(buffer_position).dtype;
  prototype.operands = {predicate, fallback};
  prototype.buffer = buffer_position;
  prototype.index = index;
  return make(std::move(prototype));
}

Value* Builder::lookup(std::shared_ptr<const Table> table, Value* position) {
  Value prototype;
  prototype.opcode = Opcode::lookup;
  prototype.dtype = table->dtype;
  prototype.operands = {position};
  prototype.table = std::move(table);
  return make(std::move(prototype));
}

void Builder::store(int buffer_position, const Index& index, Value* value) {
  store_if(nullptr, buffer_position, index, value);
}

void Builder::store_if(Value* predicate, int buffer_position, const Index& index, Value* value) {
  if (predicate && predicate->opcode == Opcode::constant) {
    if (!predicate->bits) return;
    predicate = nullptr;
  }
  scopes_.back().block->statements.emplace_back(Store{buffer_position, index, value, predicate});
  ++versions_[static_cast<std::size_t>(buffer_position)];
}

Value* Builder::call(std::string_view name, std::vector<Value*> arguments) {
  const DType dtype = arguments[0]->dtype;
  const DType computed = is_storage_float(dtype) ? DType::f32 : dtype;
  const Function* function = functions_ ? functions_->find(name, computed) : nullptr;
  if (!function) throw InternalError(fmt::format("kernel builder: no function {} over {}", name, name_of(dtype)));
  for (Value*& argument : arguments) argument = convert(argument, computed);
  return convert(call(*function, std::move(arguments)), dtype);
}

Value* Builder::call(const Function& function, std::vector<Value*> arguments) {
  Value prototype;
  prototype.opcode = Opcode::call;
  prototype.dtype = function.result->dtype;
  prototype.operands = std::move(arguments);
  prototype.function = &function;
  return make(std::move(prototype));
}

Value* Builder::call_where(Value* mask, const Function& function, std::vector<Value*> arguments, Value* fallback) {
  Value prototype;
  prototype.opcode = Opcode::call_where;
  prototype.dtype = fallback->dtype;
  prototype.operands.push_back(mask);
  prototype.operands.insert(prototype.operands.end(), arguments.begin(), arguments.end());
  prototype.operands.push_back(fallback);
  prototype.function = &function;
  return make(std::move(prototype));
}

LoopVar Builder::variable(std::string name, std::int64_t extent) {
  return {std::move(name), extent, kernel_->next_variable++};
}

void Builder::within(Block& block, const std::function<void()>& write) {
  scopes_.push_back({&block, {}});
  write();
  scopes_.pop_back();
}

std::vector<Value*> Builder::loop(std::string name, std::int64_t extent, Shape shape, const std::vector<Carry>& carries,
                                  const CarryingBody& body) {
  auto loop = std::make_unique<Loop>();
  loop->variable = variable(std::move(name), extent);
  loop->kind = shape.kind;
  loop->width = shape.width;
  loop->accumulators = shape.accumulators;
  std::vector<Value*> arguments, results;
  for (const Carry& carry : carries) {
    arguments.push_back(values_->create(Opcode::argument, carry.init->dtype));
    loop->carried.push_back({carry.init, carry.combine, arguments.back(), nullptr, nullptr});
  }
  within(loop->body, [&] {
    const std::vector<Value*> yielded = body(Index(loop->variable), arguments);
    if (yielded.size() != carries.size())
      throw InternalError(fmt::format("kernel builder: loop {} carries {} values but yields {}", loop->variable.name,
                                      carries.size(), yielded.size()));
    for (std::size_t i = 0; i < yielded.size(); ++i) loop->carried[i].yielded = yielded[i];
  });
  for (Carried& carried : loop->carried)
    results.push_back(carried.result = values_->create(Opcode::argument, carried.init->dtype));
  scopes_.back().block->statements.emplace_back(std::move(loop));
  return results;
}

Value* Builder::reduce(std::string name, std::int64_t extent, Shape shape, Combine how, Value* init,
                       const std::function<Value*(const Index& i)>& element) {
  return loop(std::move(name), extent, shape, {{init, how}},
              [&](const Index& i, const std::vector<Value*>& arguments) {
                return std::vector<Value*>{combine(how, arguments[0], element(i))};
              })
      .front();
}

namespace {
Builder::CarryingBody carrying_nothing(const Builder::Body& body) {
  return [&body](const Index& i, const std::vector<Value*>&) {
    body(i);
    return std::vector<Value*>{};
  };
}
}  // namespace

void Builder::parallel_loop(std::string name, std::int64_t extent, const Body& body) {
  loop(std::move(name), extent, {LoopKind::parallel}, {}, carrying_nothing(body));
}
void Builder::serial_loop(std::string name, std::int64_t extent, const Body& body) {
  loop(std::move(name), extent, {LoopKind::serial}, {}, carrying_nothing(body));
}
void Builder::unrolled_loop(std::string name, std::int64_t extent, const Body& body) {
  loop(std::move(name), extent, {LoopKind::unrolled}, {}, carrying_nothing(body));
}
void Builder::vector_loop(std::string name, std::int64_t extent, int width, int accumulators, const Body& body) {
  loop(std::move(name), extent, {LoopKind::vector, width, accumulators}, {}, carrying_nothing(body));
}

void Builder::if_then(Value* condition, const std::function<void()>& then) {
  if_then_else(condition, then, [] {});
}

void Builder::if_then_else(Value* condition, const std::function<void()>& then,
                           const std::function<void()>& otherwise) {
  auto statement = std::make_unique<If>();
  statement->condition = condition;
  within(statement->then_block, then);
  within(statement->else_block, otherwise);
  scopes_.back().block->statements.emplace_back(std::move(statement));
}

void Builder::contract(Contract tile, DType accumulate, const Epilogue& epilogue) {
  auto statement = std::make_unique<Contract>(std::move(tile));
  statement->row = variable("row", statement->rows);
  statement->column = variable("column", statement->columns);
  statement->accumulator = values_->create(Opcode::argument, accumulate);
  within(statement->epilogue,
         [&] { epilogue(Index(statement->row), Index(statement->column), statement->accumulator); });
  if (statement->copy.buffer >= 0) ++versions_[static_cast<std::size_t>(statement->copy.buffer)];
  scopes_.back().block->statements.emplace_back(std::move(statement));
}

Value* Builder::copysign(Value* x, Value* y) {
  const DType integers = x->dtype == DType::f64 ? DType::i64 : DType::i32;
  Value* sign = bits(integers, x->dtype == DType::f64 ? std::uint64_t{1} << 63 : std::uint64_t{1} << 31);
  return bitcast(bit_or(bitcast(abs(x), integers), bit_and(bitcast(y, integers), sign)), x->dtype);
}

}  // namespace pullback::kernel
