#include "tests/contract/compiled.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/builder.h"
#include "compiler/ir/schedule_interpret.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"

namespace pullback::contract {
namespace {

using Literals = std::vector<ir::Literal>;

// Memory for the arena, the constants and the slots of one run; inputs are filled in.
class Memory {
 public:
  Memory(const schedule::Module& module, const std::vector<Case>& cases)
      : arena_(static_cast<std::size_t>(module.arena_bytes) + 64),
        scratch_(static_cast<std::size_t>(module.scratch_bytes) + 64),
        constants_(module.constants.size() + 64) {
    std::copy(module.constants.begin(), module.constants.end(), aligned(constants_));
    for (const Case& c : cases) slots_.insert(slots_.end(), c.arguments.begin(), c.arguments.end());
    inputs_ = slots_.size();
    for (std::size_t i = inputs_; i < module.slots.size(); ++i)
      slots_.emplace_back(module.slots[i].dtype, module.slots[i].dims);
    bases_ = {aligned(arena_), aligned(constants_)};
    for (ir::Literal& slot : slots_) bases_.push_back(slot.bytes.data());
  }

  void* const* bases() { return bases_.data(); }
  std::span<void* const> slots() const { return std::span<void* const>(bases_).subspan(2); }
  void* scratch() { return aligned(scratch_); }
  Literals outputs() const { return {slots_.begin() + static_cast<std::ptrdiff_t>(inputs_), slots_.end()}; }

 private:
  static std::byte* aligned(std::vector<std::byte>& bytes) {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
    return bytes.data() + (64 - address % 64) % 64;
  }
  std::vector<std::byte> arena_, scratch_, constants_;
  Literals slots_;
  std::size_t inputs_ = 0;
  std::vector<void*> bases_;
};

void run_in_pieces(runtime::ExecutionContext* context, runtime::KernelFunction kernel, void* const* buffers,
                   std::int64_t count) {
  const std::int64_t half = count / 2;
  kernel(buffers, half, count, context->scratch);
  kernel(buffers, 0, half, context->scratch);
}

}  // namespace

std::unique_ptr<ir::Function> joined(const std::vector<Case>& cases) {
  auto function = std::make_unique<ir::Function>();
  function->name = "contract";
  ir::Builder builder(function->body);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    ir::ValueMap map;
    for (const auto& argument : cases[i].function->body.arguments)
      map[argument.get()] = function->add_argument(argument->type, "x" + std::to_string(i));
    for (ir::Value* result : builder.copy_body(cases[i].function->body, map))
      function->add_result(result, "y" + std::to_string(i));
  }
  passes::inline_composites(*function);
  return function;
}

Results run(const ir::Function& function, const std::vector<Case>& cases, const Target& target) {
  const schedule::Module module = lower::lower(function, target);
  schedule::verify(module, "contract");
  Results results;
  Memory interpreted(module, cases), compiled(module, cases);
  REQUIRE(schedule::interpret(module, interpreted.slots()) == 0);
  const codegen::Compiled code = driver::generate_code(module, {.target = target});
  runtime::ExecutionContext context{run_in_pieces, compiled.scratch()};
  REQUIRE(code.entry);
  REQUIRE(code.entry(&context, compiled.bases()) == 0);
  return {compiled.outputs(), interpreted.outputs()};
}

}  // namespace pullback::contract
