#include "tests/lower/lower_testing.h"

#include <algorithm>
#include <cmath>

#include "compiler/ir/schedule_interpret.h"
#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"
#include "tests/oracle/bounded.h"

namespace pullback::testing {
namespace {

std::vector<std::int64_t> dims(const ir::Value& value) {
  return ir::static_dims(value.type.shape);
}

/// Bounds that bound hardly anything would hide faults.
void require_determined(const std::vector<Bounded>& expected) {
  for (const Bounded& result : expected) {
    const auto free = std::count_if(result.error.begin(), result.error.end(), [](double e) { return std::isinf(e); });
    REQUIRE(10 * free <= static_cast<std::ptrdiff_t>(result.error.size()));
  }
}

/// Returns whether convolutions are computed by Winograd's method. Their bounds are those of the sums of all products:
/// an ulp for each of 9 products a channel, of what they add up to. Winograd's method rounds each of 16 chains once a
/// channel and its transforms add up at most 7.1 times as much, (8/3)^2, where elements are of one size, as here.
bool check_with(const ir::Function& function, const std::vector<ir::Literal>& arguments,
                const std::vector<Bounded>& expected, const char* target, const lower::Options& options) {
  const schedule::Module module = lower::lower(function, Target::parse(target), options);
  const auto text = [](const schedule::Module& m) { return schedule::print(m, {.offsets = true, .kernels = true}); };
  INFO(ir::print(function) << text(module));
  lower::Options alone = options;  // what equal groups share is what each would have got
  alone.share_kernels = false;
  CHECK(text(module) == text(lower::lower(function, Target::parse(target), alone)));
  const Ran ran = run_schedule(module, function, arguments);
  CHECK(ran.status == 0);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("result " << function.results[i].name);
    CHECK(difference(ran.results[i], expected[i]) == "");
  }
  return text(module).find("winograd_") != std::string::npos;
}

}  // namespace

std::unique_ptr<ir::Function> parse_function(const std::string& text) {
  return std::move(ir::parse(text, ops::registry()).front());
}

std::vector<ir::Literal> random_arguments(const ir::Function& function, std::mt19937& random) {
  std::vector<ir::Literal> arguments;
  for (const auto& argument : function.body.arguments) {
    ir::Literal literal(argument->type.dtype, dims(*argument));
    std::uniform_real_distribution<double> real(-2, 2);
    for (std::int64_t i = 0; i < literal.size(); ++i) {
      if (is_float(literal.dtype))
        literal.set(i, real(random));
      else
        literal.set_integer(i, static_cast<std::int64_t>(random() % (literal.dtype == DType::boolean ? 2 : 5)));
    }
    arguments.push_back(std::move(literal));
  }
  return arguments;
}

Ran run_schedule(const schedule::Module& module, const ir::Function& function,
                 const std::vector<ir::Literal>& arguments) {
  std::vector<ir::Literal> memory = arguments;
  for (std::size_t i = arguments.size(); i < module.slots.size(); ++i)
    memory.emplace_back(module.slots[i].dtype, module.slots[i].dims);
  std::vector<void*> slots;
  for (ir::Literal& literal : memory) slots.push_back(literal.bytes.data());
  Ran ran;
  ran.status = schedule::interpret(module, slots);
  std::size_t output = arguments.size();
  for (const ir::FunctionResult& result : function.results)
    ran.results.push_back(memory[result.updates >= 0 ? static_cast<std::size_t>(result.updates) : output++]);
  return ran;
}

void check_lowering(const ir::Function& function, std::uint32_t seed) {
  std::mt19937 random(seed);
  const std::vector<ir::Literal> arguments = random_arguments(function, random);
  const std::vector<Bounded> expected = evaluate_bounded(function, arguments);
  require_determined(expected);
  for (const auto& [target, reuse_memory] : {std::pair{"x86-64-v4+avx512bf16", true}, {"x86-64-v3", false}}) {
    lower::Options options{.threads = lower::Threads::several, .reuse_memory = reuse_memory};
    options.winograd = !check_with(function, arguments, expected, target, options);
    if (!options.winograd) check_with(function, arguments, expected, target, options);
  }
  check_with(function, arguments, expected, "x86-64-v2", {.fuse = false, .threads = lower::Threads::one});
}

bool is_parallel(const schedule::Module& module) {
  return std::any_of(module.kernels.begin(), module.kernels.end(),
                     [](const auto& kernel) { return kernel->parallel_loop() != nullptr; });
}

std::size_t calls_of(const std::vector<schedule::Step>& steps) {
  std::size_t calls = 0;
  for (const schedule::Step& step : steps) {
    if (std::holds_alternative<schedule::KernelCall>(step.action)) ++calls;
    if (const auto* branch = std::get_if<schedule::Branch>(&step.action))
      calls += calls_of(branch->then_steps) + calls_of(branch->else_steps);
  }
  return calls;
}

}  // namespace pullback::testing
