#include "tests/oracle/compiled.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/builder.h"
#include "compiler/ir/schedule_interpret.h"
#include "compiler/lower/lower.h"
#include "compiler/ops/registry.h"
#include "compiler/passes/passes.h"
#include "tests/oracle/bounded.h"

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

// One function that computes all the cases.
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

// The results by machine code and by the interpreter.
struct Results {
  Literals compiled, interpreted;
};

Results run(const ir::Function& function, const std::vector<Case>& cases, const Target& target) {
  const schedule::Module module = lower::lower(function, target);
  schedule::verify(module, "contract");
  Memory interpreted(module, cases), compiled(module, cases);
  const codegen::Compiled code = driver::generate_code(module, {.target = target});
  runtime::ExecutionContext context{run_in_pieces, compiled.scratch()};
  if (!code.entry) throw Error("contract: code for " + target.name + " does not run here");
  if (code.entry(&context, compiled.bases()) != 0 || schedule::interpret(module, interpreted.slots()) != 0)
    throw Error("contract: a check failed");
  return {compiled.outputs(), interpreted.outputs()};
}

// A result and what it should be; bounds that bound nothing would hide faults.
std::string difference(const ir::Literal& compiled, const ir::Literal& interpreted, const testing::Bounded& expected) {
  if (compiled.bytes != interpreted.bytes) return "compiled and interpreted bits differ";
  if (std::any_of(expected.error.begin(), expected.error.end(), [](double e) { return std::isinf(e); }))
    return "the sample has results that are not determined";
  return testing::difference(compiled, expected);
}

}  // namespace

std::string differences(const std::vector<Case>& cases, const Target& target) {
  const Results results = run(*joined(cases), cases, target);
  std::size_t next = 0;
  for (const Case& c : cases)
    for (const testing::Bounded& bounded : testing::evaluate_bounded(*c.function, c.arguments)) {
      const std::string found = difference(results.compiled.at(next), results.interpreted.at(next), bounded);
      if (!found.empty()) return fmt::format("{} on {}: {}", c.what, target.name, found);
      ++next;
    }
  return next == results.compiled.size() ? "" : "more results than expected";
}

std::string differences_of_ops(const Target& target, const MakeCases& cases) {
  constexpr std::size_t kCasesOfModule = 100;
  std::vector<Case> batch;
  for (const ops::OpDef* op : ops::registry().all()) {
    std::vector<Case> made = cases(*op);
    std::move(made.begin(), made.end(), std::back_inserter(batch));
    if (batch.size() < kCasesOfModule && op != ops::registry().all().back()) continue;
    if (const std::string found = differences(batch, target); !found.empty()) return found;
    batch.clear();
  }
  return {};
}

std::vector<Case> at_few_sizes(std::vector<Case> cases) {
  const std::vector<Bindings> sizes{{}, {{"a", 2}, {"b", 33}}, {{"a", 37}, {"b", 1}}, {{"a", 0}, {"b", 4}}};
  std::erase_if(cases, [&](const Case& c) { return std::find(sizes.begin(), sizes.end(), c.sizes) == sizes.end(); });
  return cases;
}

std::vector<Target> narrow_targets() {
  const Target narrow = Target::parse("x86-64-v3");
  if (narrow.runs_here() && Target::host().cpu != narrow.cpu) return {narrow};
  return {};
}

}  // namespace pullback::contract
