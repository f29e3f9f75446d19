// From a function to something that runs: the forms of forms.h and the code, or what the cache on disk has of it.
#include "compiler/driver/compile.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "compiler/codegen/api.h"
#include "compiler/driver/forms.h"
#include "compiler/driver/kept_code.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/driver/reference.h"
#include "compiler/driver/report.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/schedule.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"
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

// What the runtime needs of a module besides its code.
runtime::ExecutableLayout layout_of(const schedule::Module& module, bool measures_kernels) {
  runtime::ExecutableLayout layout;
  if (measures_kernels) layout.profiled_calls = schedule::calls_of(module).size();
  layout.arena_bytes = static_cast<std::size_t>(module.arena_bytes);
  layout.scratch_bytes = static_cast<std::size_t>(module.scratch_bytes);
  layout.constants = Array(u8, {static_cast<std::int64_t>(module.constants.size())});
  std::copy(module.constants.begin(), module.constants.end(), static_cast<std::byte*>(layout.constants.raw()));
  for (const schedule::Slot& slot : module.slots)
    layout.slots.push_back({slot.name, role_of(slot.role), slot.dtype, slot.dims});
  for (const schedule::CheckInfo& info : module.checks) {
    runtime::Check check{info.message, info.line, {}};
    for (std::size_t witness : info.witnesses) check.witnesses.push_back(witness_of(module.buffers.at(witness)));
    layout.checks.push_back(std::move(check));
  }
  return layout;
}

void require_options(const ir::Function& function, const CompileOptions& options) {
  const auto require = [&](bool good, const char* option, std::int64_t value, const char* wanted) {
    if (!good) throw Error(fmt::format("{}: {} is {}: it must be {}", function.name, option, value, wanted));
  };
  require(options.threads >= 0 && options.threads <= 1024, "threads", options.threads, "0, or 1 to 1024");
  require(options.memory_limit >= 0, "memory_limit", options.memory_limit, "at least 0");
  require(options.max_specializations >= 1, "max_specializations", options.max_specializations, "at least 1");
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

std::function<const Forms&()> made_already(Forms forms) {
  return [made = std::make_shared<const Forms>(std::move(forms))]() -> const Forms& { return *made; };
}

// Few ask for the forms of a program whose code was found.
std::function<const Forms&()> made_later(const Request& request) {
  struct Later {
    Request request;
    std::once_flag once;
    Forms forms;
  };
  const auto later = std::make_shared<Later>();
  later->request = request;
  later->request.measures_schedules = false;  // what was measured is known by now
  return [later]() -> const Forms& {
    std::call_once(later->once, [&] {
      StageTimer timer;
      later->forms = make_forms(later->request, timer);
    });
    return later->forms;
  };
}

// Kernels become machine code, which is kept unless `kept` is null.
runtime::ExecutableImage code_for(const Request& request, const schedule::Module& module, const KeptCode* kept,
                                  StageTimer& timer) {
  const DumpSink dump(request.environment);
  const std::string& name = request.source->declaration().name;
  const codegen::Options options{.target = request.target,
                                 .profile = request.measures_kernels(),
                                 .want_llvm_text = dump.wants(Stage::llvm),
                                 .want_asm_text = dump.wants(Stage::assembly),
                                 .want_image = kept != nullptr};
  codegen::Compiled code = timer.measure("codegen", [&] { return generate_code(module, options); });
  dump.write(Stage::llvm, name, code.llvm_text);
  dump.write(Stage::assembly, name, code.asm_text);
  if (!code.entry) throw Error(fmt::format("{}: code for {} does not run on this machine", name, request.target.name));
  runtime::ExecutableLayout layout = layout_of(module, request.measures_kernels());
  if (kept && !code.image.bytes.empty()) timer.measure("cache", [&] { kept->keep({std::move(code.image), layout}); });
  return {std::move(layout), code.entry, std::move(code.code)};
}

std::shared_ptr<const Specialization> ready(const Request& request, runtime::ExecutableImage image,
                                            std::unique_ptr<runtime::Arena> arena, std::function<const Forms&()> forms,
                                            const StageTimer& timer) {
  auto result = std::make_shared<Specialization>();
  const auto executable = std::make_shared<runtime::Executable>(std::move(image), request.pool(), std::move(arena));
  result->slots = executable->slots();
  result->run = [executable](std::span<void* const> external) { executable->run(external); };
  if (request.measures_kernels())
    result->profile = [executable, forms] { return profile_table(*forms().module, executable->profile()); };
  if (request.environment.profile) report_at_end(*result);
  result->forms = std::move(forms);
  result->times = timer.times();
  if (request.environment.time) std::fputs(timer.report(request.source->declaration().name).c_str(), stderr);
  return result;
}

}  // namespace

std::shared_ptr<const Specialization> compile(std::shared_ptr<const ir::Function> function, const Bindings& bindings,
                                              const CompileOptions& options) {
  return compile(std::make_shared<const FunctionSource>(std::move(function)), bindings, options);
}

std::shared_ptr<const Specialization> compile(std::shared_ptr<const FunctionSource> source, const Bindings& bindings,
                                              const CompileOptions& options) {
  require_options(source->declaration(), options);
  const Request request{std::move(source), bindings, options, read_environment()};
  StageTimer timer;
  if (options.executor == CompileOptions::Executor::reference)
    return evaluated(timer.measure("specialize", [&] { return specialize(request); }), timer);

  std::optional<KeptCode> kept;
  if (KeptCode::is_used(request)) {
    auto found = timer.measure("cache", [&] { return kept.emplace(request).find(); });
    if (found) return ready(request, std::move(*found), nullptr, made_later(request), timer);
  }
  const CodegenAhead ahead;
  Forms forms = make_forms(request, timer);
  // Slow pages come while code is generated: all of them may take the system longer than the first step takes.
  auto arena = std::make_unique<runtime::Arena>(static_cast<std::size_t>(forms.module->arena_bytes));
  arena->touch_slow_ahead();
  runtime::ExecutableImage image = code_for(request, *forms.module, kept ? &*kept : nullptr, timer);
  return ready(request, std::move(image), std::move(arena), made_already(std::move(forms)), timer);
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
