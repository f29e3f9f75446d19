// Translator: values. Pure ones are computed in the outermost scope that has their operands.
#include <algorithm>

#include <pullback/error.h>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Opcode;

namespace {

// A function is written into its caller up to this many statements, else called: machine code for a large one at
// each of its uses costs more compile time than the call does.
constexpr std::size_t kInlineLimit = 64;
// call_where computes both ways up to this many statements, else branches.
constexpr std::size_t kSelectLimit = 12;

}  // namespace

int Translator::conditional_depth() const {
  for (int d = depth(); d > 0; --d)
    if (scopes_[static_cast<std::size_t>(d)].conditional) return d;
  return 0;
}

llvm::Value* Translator::at_width(llvm::Value* value, int width) const {
  return width_of(value) == width ? value : arithmetic_.splat(value, width);
}

Translator::Bound Translator::get(const kernel::Value* value) {
  if (value->opcode == Opcode::constant) return {arithmetic_.constant(value->dtype, value->bits), 0};
  const auto found = values_.find(value);
  if (found == values_.end())
    throw InternalError("codegen: value " + std::to_string(value->id) + " (" +
                        std::string(kernel::name_of(value->opcode)) + ") is used before its definition");
  return found->second;
}

void Translator::define(const kernel::Value& value) {
  switch (value.opcode) {
    case Opcode::constant:
    case Opcode::argument:
      return;
    case Opcode::index_value: {
      const kernel::Index index = resolve(value.index);
      bind(&value, varies(index) ? here(lane_number(index)) : scalar_index(index));
      return;
    }
    case Opcode::load:
      bind(&value, load(value));
      return;
    case Opcode::lookup:
      bind(&value, lookup(value));
      return;
    case Opcode::call: {
      std::vector<Bound> arguments;
      for (const kernel::Value* operand : value.operands) arguments.push_back(get(operand));
      bind(&value, call(*value.function, std::move(arguments)));
      return;
    }
    case Opcode::call_where:
      bind(&value, call_where(value));
      return;
    default:
      bind(&value, pure(value));
      return;
  }
}

Translator::Bound Translator::pure(const kernel::Value& value) {
  int at = conditional_depth();
  int width = 1;
  llvm::SmallVector<Bound, 3> operands;
  for (const kernel::Value* operand : value.operands) {
    operands.push_back(get(operand));
    at = std::max(at, operands.back().depth);
    width = std::max(width, width_of(operands.back().value));
  }
  llvm::SmallVector<llvm::Value*, 3> values;
  for (const Bound& operand : operands) {
    AtDepth insert(*this, operand.depth);
    values.push_back(at_width(operand.value, width));
  }
  AtDepth insert(*this, at);
  return {arithmetic_.operation(value.opcode, value.operands.back()->dtype, value.dtype, values), at};
}

Translator::Bound Translator::lookup(const kernel::Value& value) {
  const Bound position = get(value.operands[0]);
  llvm::Constant* table = context_.table(*value.table);
  llvm::Type* element = arithmetic_.memory_type(value.dtype);
  const llvm::Align align(size_of(value.dtype));
  const int width = width_of(position.value);
  const bool bounded = width > 1 && kernel_;
  const int at = bounded ? depth() : std::max(position.depth, conditional_depth());
  AtDepth insert(*this, at);
  llvm::Value* pointer = b_.CreateGEP(element, table, position.value);
  if (width == 1) return {from_memory(b_.CreateAlignedLoad(element, pointer, align), value.dtype), at};
  // Lanes beyond a tail or outside an If may hold any position.
  llvm::Type* type = arithmetic_.memory_type(value.dtype, width);
  llvm::Value* lanes = bounded ? mask(nullptr) : nullptr;
  if (!lanes) lanes = llvm::Constant::getAllOnesValue(arithmetic_.type(DType::boolean, width));
  llvm::Value* loaded = b_.CreateMaskedGather(type, pointer, align, lanes, llvm::Constant::getNullValue(type));
  return {from_memory(loaded, value.dtype), at};
}

Translator::Bound Translator::call(const kernel::Function& function, std::vector<Bound> arguments) {
  if (function.body.statements.size() <= kInlineLimit) {
    for (std::size_t i = 0; i < arguments.size(); ++i) bind(function.parameters[i], arguments[i]);
    block(function.body);
    return get(function.result);
  }
  int at = conditional_depth();
  int width = 1;
  for (const Bound& argument : arguments) {
    at = std::max(at, argument.depth);
    width = std::max(width, width_of(argument.value));
  }
  AtDepth insert(*this, at);
  llvm::SmallVector<llvm::Value*, 3> values;
  for (const Bound& argument : arguments) values.push_back(at_width(argument.value, width));
  llvm::Function* callee = context_.vector_function(function, width);
  llvm::CallInst* result = b_.CreateCall(callee, values);
  result->setCallingConv(callee->getCallingConv());
  return {result, at};
}

Translator::Bound Translator::call_where(const kernel::Value& value) {
  const Bound condition = get(value.operands.front());
  const Bound fallback = get(value.operands.back());
  std::vector<Bound> arguments;
  int width = std::max(width_of(condition.value), width_of(fallback.value));
  for (std::size_t i = 1; i + 1 < value.operands.size(); ++i) {
    arguments.push_back(get(value.operands[i]));
    width = std::max(width, width_of(arguments.back().value));
  }
  const auto chosen = [&](llvm::Value* result) {
    return b_.CreateSelect(at_width(condition.value, width), at_width(result, width), at_width(fallback.value, width));
  };
  if (value.function->body.statements.size() <= kSelectLimit)
    return here(chosen(call(*value.function, std::move(arguments)).value));

  llvm::BasicBlock* slow = new_block(value.function->name);
  llvm::BasicBlock* after = new_block("after");
  llvm::Value* otherwise = at_width(fallback.value, width);
  llvm::BasicBlock* before = b_.GetInsertBlock();
  b_.CreateCondBr(arithmetic_.any(condition.value), slow, after);
  b_.SetInsertPoint(slow);
  llvm::SmallVector<llvm::Value*, 3> values;
  for (const Bound& argument : arguments) values.push_back(at_width(argument.value, width));
  llvm::Function* callee = context_.vector_function(*value.function, width);
  callee->addFnAttr(llvm::Attribute::Cold);
  llvm::CallInst* result = b_.CreateCall(callee, values);
  result->setCallingConv(callee->getCallingConv());
  llvm::Value* slow_result = chosen(result);
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  llvm::PHINode* phi = b_.CreatePHI(otherwise->getType(), 2);
  phi->addIncoming(slow_result, slow);
  phi->addIncoming(otherwise, before);
  return here(phi);
}

}  // namespace pullback::codegen
