// Translator: blocks, branches, and the functions that it writes.
#include <llvm/IR/Intrinsics.h>

#include <pullback/error.h>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

Translator::Translator(ModuleContext& context, llvm::Function* function)
    : context_(context), function_(function), b_(context.llvm()), arithmetic_(b_, context.target()) {
  b_.SetInsertPoint(llvm::BasicBlock::Create(context.llvm(), "entry", function));
  scopes_.push_back({});
}

llvm::BasicBlock* Translator::new_block(const std::string& name) const {
  return llvm::BasicBlock::Create(context_.llvm(), name, function_);
}

void Translator::translate_kernel(const kernel::Kernel& kernel) {
  kernel_ = &kernel;
  llvm::Value* scratch = function_->getArg(function_->arg_size() - 1);
  end_ = function_->getArg(function_->arg_size() - 2);
  begin_ = function_->getArg(function_->arg_size() - 3);
  for (int i = 0; i < static_cast<int>(kernel.buffers.size()); ++i) {
    if (kernel.buffers[static_cast<std::size_t>(i)].access == kernel::Access::scratch)
      buffers_.push_back(
          b_.CreateConstGEP1_64(b_.getInt8Ty(), scratch, static_cast<std::uint64_t>(kernel.scratch_offset(i))));
    else
      buffers_.push_back(function_->getArg(static_cast<unsigned>(kernel.parameter_index(i))));
  }
  block(kernel.body);
  b_.CreateRetVoid();
}

void Translator::translate_function(const kernel::Function& source, int width) {
  lanes_.width = lanes_.active = width;
  for (std::size_t i = 0; i < source.parameters.size(); ++i)
    bind(source.parameters[i], {function_->getArg(static_cast<unsigned>(i)), 0});
  block(source.body);
  b_.CreateRet(at_width(get(source.result).value, width));
}

void Translator::block(const kernel::Block& block) {
  for (const kernel::Statement& statement : block.statements) {
    if (const auto* definition = std::get_if<kernel::Define>(&statement))
      define(*definition->value);
    else if (const auto* write = std::get_if<kernel::Store>(&statement))
      store(*write);
    else if (const auto* inner = std::get_if<std::unique_ptr<kernel::Loop>>(&statement))
      loop(**inner);
    else if (const auto* condition = std::get_if<std::unique_ptr<kernel::If>>(&statement))
      branch(**condition);
    else
      contract(*std::get<std::unique_ptr<kernel::Contract>>(statement));
  }
}

void Translator::branch(const kernel::If& statement) {
  const Bound condition = get(statement.condition);
  if (condition.varies()) {
    masked(statement.then_block, condition.value);
    if (!statement.else_block.statements.empty()) masked(statement.else_block, b_.CreateNot(condition.value));
    return;
  }
  either(condition.value, [&] { block(statement.then_block); }, [&] { block(statement.else_block); });
}

void Translator::either(llvm::Value* condition, const std::function<void()>& then,
                        const std::function<void()>& otherwise) {
  llvm::BasicBlock* then_block = new_block("then");
  llvm::BasicBlock* else_block = new_block("else");
  llvm::BasicBlock* after = new_block("after");
  llvm::Instruction* entry = b_.CreateCondBr(condition, then_block, else_block);
  for (const auto& [start, body] : {std::pair(then_block, &then), std::pair(else_block, &otherwise)}) {
    b_.SetInsertPoint(start);
    scopes_.push_back({entry, true});
    (*body)();
    scopes_.pop_back();
    b_.CreateBr(after);
  }
  b_.SetInsertPoint(after);
}

// Lanes disagree about the condition: the block runs for all of them, and only those in the mask touch memory. It is
// skipped when the mask is empty.
void Translator::masked(const kernel::Block& body, llvm::Value* condition) {
  llvm::Value* around = lanes_.mask;
  lanes_.mask = around ? b_.CreateAnd(around, condition) : condition;
  llvm::BasicBlock* then = new_block("masked");
  llvm::BasicBlock* after = new_block("after");
  llvm::Instruction* entry = b_.CreateCondBr(arithmetic_.any(lanes_.mask), then, after);
  b_.SetInsertPoint(then);
  scopes_.push_back({entry, true});
  block(body);
  scopes_.pop_back();
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  lanes_.mask = around;
}

llvm::Function* ModuleContext::create_function(llvm::FunctionType* type, const std::string& name) {
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module_);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);  // not internal: profilers skip those
  function->setDSOLocal(true);
  function->addFnAttr("target-cpu", target_.cpu);
  if (!target_.features.empty()) function->addFnAttr("target-features", target_.features);
  // Both, or LLVM splits 512-bit vectors in two.
  const std::string bits = std::to_string(target_.vector_bytes * 8);
  function->addFnAttr("prefer-vector-width", bits);
  function->addFnAttr("min-legal-vector-width", bits);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  return function;
}

llvm::Function* ModuleContext::vector_function(const kernel::Function& source, int width) {
  llvm::Function*& function = functions_[{&source, width}];
  if (function) return function;
  llvm::IRBuilder<> builder(llvm());
  const Arithmetic arithmetic(builder, target_);
  llvm::SmallVector<llvm::Type*, 3> parameters;
  for (const kernel::Value* parameter : source.parameters)
    parameters.push_back(arithmetic.type(parameter->dtype, width));
  auto* type = llvm::FunctionType::get(arithmetic.type(source.result->dtype, width), parameters, false);
  function = create_function(type, "math." + source.name + ".x" + std::to_string(width));
  function->setLinkage(llvm::GlobalValue::WeakODRLinkage);  // parts of a schedule may each have one
  function->addFnAttr(llvm::Attribute::NoInline);
  function->setDoesNotAccessMemory();
  // `function` refers into the map, which a nested call may grow: node-based, so it stays valid.
  Translator(*this, function).translate_function(source, width);
  return function;
}

llvm::Constant* ModuleContext::table(const kernel::Table& table) {
  llvm::Constant*& global = tables_[&table];
  if (global) return global;
  llvm::IRBuilder<> builder(llvm());
  const Arithmetic arithmetic(builder, target_);
  std::vector<llvm::Constant*> elements;
  for (std::uint64_t bits : table.bits) {
    const DType dtype = table.dtype == DType::boolean ? DType::u8 : table.dtype;
    elements.push_back(llvm::cast<llvm::Constant>(arithmetic.constant(dtype, bits)));
  }
  auto* type = llvm::ArrayType::get(arithmetic.memory_type(table.dtype), elements.size());
  auto* variable = new llvm::GlobalVariable(module_, type, true, llvm::GlobalValue::InternalLinkage,
                                            llvm::ConstantArray::get(type, elements), "table." + table.name);
  variable->setAlignment(llvm::Align(64));
  return global = variable;
}

llvm::Constant* ModuleContext::blank() {
  if (blank_) return blank_;
  auto* type = llvm::ArrayType::get(llvm::Type::getInt8Ty(llvm()), kBlankBytes);
  auto* variable = new llvm::GlobalVariable(module_, type, true, llvm::GlobalValue::InternalLinkage,
                                            llvm::ConstantAggregateZero::get(type), "blank");
  variable->setAlignment(llvm::Align(64));
  return blank_ = variable;
}

}  // namespace pullback::codegen
