// The stages in order. Each takes the form above and gives the form below; each can be printed and is timed.
#include "compiler/driver/compile.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/codegen/api.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/driver/machine_code.h"
#include "compiler/driver/reference.h"
#include "compiler/driver/report.h"
#include "compiler/driver/schedule_cache.h"
#include "compiler/driver/tune.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/schedule.h"
#include "compiler/ir/text.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/pipeline.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"
#include "runtime/environment.h"
#include "runtime/thread_pool.h"

namespace pullback::driver {

namespace {

runtime::SlotRole role_of(schedule::SlotRole role) {
  switch (role) {
    case schedule::SlotRole::input:
      return runtime::SlotRole::input;
    case schedule::SlotRole::state:
      return runtime::SlotRole::state;
    case schedule::SlotRole::output:
      break;
  }
  return runtime::SlotRole::output;
}

// Where a check's value lies, as the entry addresses memory: arena, constants, slots.
runtime::Witness witness_of(const schedule::Buffer& buffer) {
  switch (buffer.placement) {
    case schedule::Placement::arena:
      return {buffer.dtype, 0, static_cast<std::size_t>(buffer.offset)};
    case schedule::Placement::constant:
      return {buffer.dtype, 1, static_cast<std::size_t>(buffer.offset)};
    case schedule::Placement::external:
      break;
  }
  return {buffer.dtype, 2 + buffer.slot, static_cast<std::size_t>(buffer.offset)};
}

// Programs with the same number of threads share their pool; null: the process's own.
runtime::ThreadPool* pool(int threads) {
  if (threads <= 0) return nullptr;
  static std::mutex mutex;
  static std::map<int, std::unique_ptr<runtime::ThreadPool>> pools;
  const std::lock_guard lock(mutex);
  auto& entry = pools[threads];
  if (!entry) entry = std::make_unique<runtime::ThreadPool>(threads);
  return entry.get();
}

// What the runtime needs of a compiled module, as plain data.
runtime::ExecutableImage image_of(const schedule::Module& module, const codegen::Compiled& compiled) {
  runtime::ExecutableImage image;
  image.entry = compiled.entry;
  image.code = compiled.code;
  image.arena_bytes = static_cast<std::size_t>(module.arena_bytes);
  image.scratch_bytes = static_cast<std::size_t>(module.scratch_bytes);
  image.constants = Array(u8, {static_cast<std::int64_t>(module.constants.size())});
  std::copy(module.constants.begin(), module.constants.end(), static_cast<std::byte*>(image.constants.raw()));
  for (const schedule::Slot& slot : module.slots)
    image.slots.push_back({slot.name, role_of(slot.role), slot.dtype, slot.dims});
  for (const schedule::CheckInfo& info : module.checks) {
    runtime::Check check{info.message, info.line, {}};
    for (std::size_t witness : info.witnesses) check.witnesses.push_back(witness_of(module.buffers.at(witness)));
    image.checks.push_back(std::move(check));
  }
  return image;
}

void require_known_sizes(const ir::Function& function) {
  std::set<std::string> unknown = ir::symbols_of(function);
  for (const auto& op : function.body.ops)
    for (const auto& result : op->results)
      for (const Dim& size : result->type.shape) unknown.merge(size.symbols());
  if (!unknown.empty())
    throw Error(fmt::format("{}: the size {} is not known: no input that it reads has it", function.name,
                            fmt::join(unknown, ", ")));
}

void require_options(const ir::Function& function, const CompileOptions& options) {
  const auto require = [&](bool good, const char* option, std::int64_t value, const char* wanted) {
    if (!good) throw Error(fmt::format("{}: {} is {}: it must be {}", function.name, option, value, wanted));
  };
  require(options.threads >= 0 && options.threads <= 1024, "threads", options.threads, "0, or 1 to 1024");
  require(options.memory_limit >= 0, "memory_limit", options.memory_limit, "at least 0");
  require(options.max_specializations >= 1, "max_specializations", options.max_specializations, "at least 1");
}

void reduce_precision(ir::Function& function, DType precision) {
  if (precision == DType::bf16)
    passes::to_bf16(function);
  else if (precision == DType::f16)
    passes::to_f16(function);
  else if (precision != DType::f32)
    throw Error(fmt::format("{}: precision is f32, bf16 or f16, not {}", function.name, name_of(precision)));
}

// Prints the profile to standard error when nobody holds the specialization any more.
void report_at_end(Specialization& specialization) {
  struct Report {
    std::function<std::string()> table;
    ~Report() { std::fputs(table().c_str(), stderr); }
  };
  const auto report = std::make_shared<Report>(Report{specialization.profile});
  specialization.profile = [report] { return report->table(); };
}

/// Lowers as was measured to be fast, if it was or is to be.
schedule::Module lowered(const ir::Function& function, const Target& target, const CompileOptions& options,
                         const Environment& environment, StageTimer& timer) {
  // One thread needs no parts, which would pack the operands they share again.
  const int threads = options.threads > 0 ? options.threads : runtime::thread_count();
  lower::Options lowering{.threads = threads == 1 ? lower::Threads::one : lower::Threads::where_worth,
                          .memory_limit = options.memory_limit};
  std::optional<CacheFolder> folder;
  if (!environment.cache_dir.empty()) folder.emplace(environment.cache_dir, environment.cache_bytes);
  ScheduleCache schedules(std::move(folder), target, threads);
  if (environment.tune != Tuning::off && target.runs_here()) {
    if (options.tune || environment.tune == Tuning::measured) {
      TuneOptions tuning{.lowering = lowering, .pool = pool(options.threads)};
      if (environment.time || environment.tune == Tuning::measured)
        tuning.log = [](const std::string& line) { std::fputs(line.c_str(), stderr); };
      timer.measure("tune", [&] { tune(function, target, tuning, schedules); });
    }
    lowering.schedules = [&](const lower::ContractionProblem& problem) { return schedules.find(problem); };
  }
  return timer.measure("lower", [&] { return lower::lower(function, target, lowering); });
}

}  // namespace

std::shared_ptr<const Specialization> compile(const ir::Function& function, const Bindings& bindings,
                                              const CompileOptions& options) {
  require_options(function, options);
  const Environment environment = read_environment();
  const DumpSink dump(environment);
  StageTimer timer;
  auto result = std::make_shared<Specialization>();

  // Sizes get their numbers; then the passes work on them.
  std::shared_ptr<ir::Function> specialized =
      timer.measure("specialize", [&] { return passes::specialize(function, bindings); });
  require_known_sizes(*specialized);
  reduce_precision(*specialized, options.precision);
  if (options.executor == CompileOptions::Executor::reference) return evaluated(std::move(specialized), timer);
  timer.measure("passes", [&] { return passes::optimize(*specialized, {.verify = environment.verify}); });
  result->optimized = specialized;
  if (dump.wants(Stage::optimized)) dump.write(Stage::optimized, function.name, ir::print(*specialized));

  // Tensors become kernels over planned buffers.
  const Target target = Target::parse(options.target);
  result->module = std::make_shared<const schedule::Module>(lowered(*specialized, target, options, environment, timer));
  if (environment.verify) schedule::verify(*result->module, "lower");
  if (dump.wants(Stage::schedule)) dump.write(Stage::schedule, function.name, schedule::print(*result->module));
  if (dump.wants(Stage::kernel)) dump.write(Stage::kernel, function.name, kernel_text(*result->module));

  // Kernels become machine code.
  const codegen::Options code_options{.target = target,
                                      .profile = options.profile || environment.profile,
                                      .want_llvm_text = dump.wants(Stage::llvm),
                                      .want_asm_text = dump.wants(Stage::assembly)};
  const codegen::Compiled code = machine_code(*result->module, code_options, environment, timer);
  dump.write(Stage::llvm, function.name, code.llvm_text);
  dump.write(Stage::assembly, function.name, code.asm_text);
  if (!code.entry) throw Error(fmt::format("{}: code for {} does not run on this machine", function.name, target.name));

  runtime::ExecutableImage image = image_of(*result->module, code);
  if (code_options.profile) image.profiled_calls = schedule::calls_of(*result->module).size();
  const auto executable = std::make_shared<runtime::Executable>(std::move(image), pool(options.threads));
  if (code_options.profile)
    result->profile = [executable, module = result->module] { return profile_table(*module, executable->profile()); };
  if (environment.profile) report_at_end(*result);
  result->slots = executable->slots();
  result->run = [executable](std::span<void* const> external) { executable->run(external); };
  result->times = timer.times();
  if (environment.time) std::fputs(timer.report(function.name).c_str(), stderr);
  return result;
}

CodeText code_text(const schedule::Module& module, const CompileOptions& options) {
  codegen::Compiled code =
      generate_code(module, {.target = Target::parse(options.target), .want_llvm_text = true, .want_asm_text = true});
  return {std::move(code.llvm_text), std::move(code.asm_text)};
}

std::string kernel_text(const schedule::Module& module) {
  std::string text;
  for (const auto& kernel : module.kernels) text += kernel::print(*kernel) + "\n";
  return text;
}

}  // namespace pullback::driver
