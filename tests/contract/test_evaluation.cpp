// Every op compiled against the reference evaluator, and compiled bits against interpreted bits. All samples of an op
// make one function, so that the code generator runs once for each op and type.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/builder.h"
#include "compiler/ir/schedule.h"
#include "compiler/ir/schedule_interpret.h"
#include "compiler/lower/lower.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/registry.h"
#include "compiler/passes/passes.h"
#include "tests/contract/cases.h"

using namespace pullback;

namespace {

using Literals = std::vector<ir::Literal>;

std::unique_ptr<ir::Function> joined(const std::vector<contract::Case>& cases) {
  auto function = std::make_unique<ir::Function>();
  function->name = cases.front().op->name;
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

// Memory for the arena, the constants and the slots of one run; inputs are filled in.
class Run {
 public:
  Run(const schedule::Module& module, const Literals& arguments)
      : arena_(static_cast<std::size_t>(module.arena_bytes) + 64),
        scratch_(static_cast<std::size_t>(module.scratch_bytes) + 64),
        constants_(module.constants.size() + 64) {
    std::memcpy(aligned(constants_), module.constants.data(), module.constants.size());
    std::size_t next = 0;
    for (const schedule::Slot& slot : module.slots) {
      slots_.emplace_back(slot.dtype, slot.dims);
      if (slot.role == schedule::SlotRole::input)
        slots_.back() = arguments[next++];
      else
        ++outputs_;
    }
    bases_ = {aligned(arena_), aligned(constants_)};
    for (ir::Literal& slot : slots_) bases_.push_back(slot.bytes.data());
  }

  void* const* bases() { return bases_.data(); }
  std::span<void* const> slots() const { return std::span<void* const>(bases_).subspan(2); }
  void* scratch() { return aligned(scratch_); }
  Literals outputs() const { return {slots_.end() - static_cast<std::ptrdiff_t>(outputs_), slots_.end()}; }

 private:
  static void* aligned(std::vector<std::byte>& bytes) {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
    return bytes.data() + (64 - address % 64) % 64;
  }
  std::vector<std::byte> arena_, scratch_, constants_;
  Literals slots_;
  std::size_t outputs_ = 0;
  std::vector<void*> bases_;
};

void run_serially(runtime::ExecutionContext* context, runtime::KernelFunction kernel, void* const* buffers,
                  std::int64_t count) {
  kernel(buffers, 0, count, context->scratch);
}

Literals run_compiled(const schedule::Module& module, const Literals& arguments) {
  const codegen::Compiled code = driver::generate_code(module, {});
  Run run(module, arguments);
  runtime::ExecutionContext context{run_serially, run.scratch()};
  REQUIRE(code.entry(&context, run.bases()) == 0);
  return run.outputs();
}

Literals run_interpreted(const schedule::Module& module, const Literals& arguments) {
  Run run(module, arguments);
  REQUIRE(schedule::interpret(module, run.slots()) == 0);
  return run.outputs();
}

// What rounding may do. Elementwise: functions are within 2 ulp and the reference rounds once; composed lowerings
// (rsqrt, regions) add one or two roundings. Sums and products of n terms: n roundings of the largest partial result,
// which n times the largest term bounds. Rearranged data, integers and bool: none.
struct Tolerance {
  double relative = 0, absolute = 0;

  explicit Tolerance(const contract::Case& c, DType dtype) {
    if (!is_float(dtype) || c.op->traits.moves_data || c.op->traits.cheap) return;
    const double epsilon = dtype == DType::f64 ? 0x1p-52 : dtype == DType::f32 ? 0x1p-23 : 0x1p-7;
    relative = 4 * epsilon;
    const bool windows = c.function->body.ops.front()->attributes.has("window");
    if (!c.op->traits.reduction && !c.op->contraction && !c.op->kernel && !windows) return;
    double terms = 1;
    for (const ir::Literal& argument : c.arguments) terms = std::fmax(terms, static_cast<double>(argument.size()));
    const double largest = std::fmax(std::fabs(c.sample->low), std::fabs(c.sample->high));
    absolute = epsilon * terms * std::fmax(1, largest * largest) * std::sqrt(terms);
  }
};

bool agree(const ir::Literal& got, const ir::Literal& expected, std::int64_t e, const Tolerance& tolerance) {
  if (!is_float(got.dtype)) return got.as_integer(e) == expected.as_integer(e);
  const double x = got.as_double(e), y = expected.as_double(e);
  if (std::isnan(y)) return std::isnan(x);
  return x == y || std::fabs(x - y) <= tolerance.relative * std::fabs(y) + tolerance.absolute;
}

void check_results(const std::vector<contract::Case>& cases, const Literals& got) {
  std::size_t next = 0;
  for (const contract::Case& c : cases) {
    INFO(c.what);
    for (const ir::Literal& expected : ops::evaluate(*c.function, c.arguments)) {
      const ir::Literal& result = got.at(next++);
      REQUIRE(result.dtype == expected.dtype);
      REQUIRE(result.dims == expected.dims);
      const Tolerance tolerance(c, expected.dtype);
      for (std::int64_t e = 0; e < expected.size(); ++e)
        if (!agree(result, expected, e, tolerance)) {
          INFO("element " << e << ": " << result.as_double(e) << ", expected " << expected.as_double(e));
          CHECK(false);
          break;
        }
    }
  }
  CHECK(next == got.size());
}

void check_compiled(DType floating) {
  for (const ops::OpDef* op : ops::registry().all()) {
    const std::vector<contract::Case> cases = contract::cases_of(*op, floating);
    Literals arguments;
    for (const contract::Case& c : cases) arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const std::unique_ptr<ir::Function> function = joined(cases);
    INFO("op " << op->name << " at " << name_of(floating));
    const schedule::Module module = lower::lower(*function, Target::host());
    schedule::verify(module, "contract");
    const Literals interpreted = run_interpreted(module, arguments);
    check_results(cases, interpreted);
    const Literals compiled = run_compiled(module, arguments);
    for (std::size_t i = 0; i < compiled.size(); ++i) CHECK(compiled[i].bytes == interpreted[i].bytes);
  }
}

}  // namespace

TEST_CASE("Compiled ops agree with the reference, f32") {
  check_compiled(DType::f32);
}

TEST_CASE("Compiled ops agree with the reference, f64") {
  check_compiled(DType::f64);
}
