#include "compiler/driver/forms.h"

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/driver/schedule_cache.h"
#include "compiler/driver/tune.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/schedule.h"
#include "compiler/ir/text.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/pipeline.h"
#include "compiler/support/dump.h"
#include "runtime/environment.h"
#include "runtime/thread_pool.h"

namespace pullback::driver {

namespace {

void require_known_sizes(const ir::Function& function) {
  std::set<std::string> unknown = ir::symbols_of(function);
  for (const auto& op : function.body.ops)
    for (const auto& result : op->results)
      for (const Dim& size : result->type.shape) unknown.merge(size.symbols());
  if (!unknown.empty())
    throw Error(fmt::format("{}: the size {} is not known: no input that it reads has it", function.name,
                            fmt::join(unknown, ", ")));
}

void reduce_precision(ir::Function& function, DType precision) {
  if (precision == DType::bf16)
    passes::to_bf16(function);
  else if (precision == DType::f16)
    passes::to_f16(function);
  else if (precision != DType::f32)
    throw Error(fmt::format("{}: precision is f32, bf16 or f16, not {}", function.name, name_of(precision)));
}

/// By the rules, or tuned.
schedule::Module lowered(const Request& request, std::unique_ptr<ir::Function> optimized, StageTimer& timer) {
  const Environment& environment = request.environment;
  lower::Options lowering{.threads = request.has_one_thread() ? lower::Threads::one : lower::Threads::where_worth,
                          .memory_limit = request.options.memory_limit,
                          .winograd = request.options.winograd};
  const auto lower_it = [&] {
    return timer.measure("lower", [&] { return lower::lower(std::move(optimized), request.target, lowering); });
  };
  if (!request.is_tuned()) return lower_it();
  std::optional<CacheFolder> folder;
  if (!environment.cache_dir.empty()) folder.emplace(environment.cache_dir, environment.cache_bytes);
  ScheduleCache schedules(std::move(folder), request.target, request.threads());
  if (request.measures_schedules) {
    TuneOptions options{.lowering = lowering, .pool = request.pool()};
    if (environment.time || environment.tune)
      options.log = [](const std::string& line) { std::fputs(line.c_str(), stderr); };
    timer.measure("tune", [&] { tune(*optimized, request.target, options, schedules); });
  }
  lowering.schedules = [&](const lower::ContractionProblem& problem) { return schedules.find(problem); };
  return lower_it();
}

/// Sizes get their numbers; then the passes work on them.
std::unique_ptr<ir::Function> optimized(const Request& request, StageTimer& timer) {
  std::unique_ptr<ir::Function> function = timer.measure("specialize", [&] { return specialize(request); });
  timer.measure("passes", [&] { return passes::optimize(*function, {.verify = request.environment.verify}); });
  return function;
}

}  // namespace

int Request::threads() const {
  return options.threads > 0 ? options.threads : runtime::thread_count();
}

runtime::ThreadPool* Request::pool() const {
  if (options.threads <= 0) return nullptr;
  static std::mutex mutex;
  static std::map<int, std::unique_ptr<runtime::ThreadPool>> pools;
  const std::lock_guard lock(mutex);
  auto& entry = pools[options.threads];
  if (!entry) entry = std::make_unique<runtime::ThreadPool>(options.threads);
  return entry.get();
}

bool Request::is_tuned() const {
  return (options.tune || environment.tune) && target.runs_here();
}

std::unique_ptr<ir::Function> specialize(const Request& request) {
  std::unique_ptr<ir::Function> specialized = request.bindings.empty()
                                                  ? request.source->copy()
                                                  : passes::specialize(*request.source->whole(), request.bindings);
  require_known_sizes(*specialized);
  reduce_precision(*specialized, request.options.precision);
  return specialized;
}

Forms make_forms(const Request& request, StageTimer& timer) {
  const Environment& environment = request.environment;
  const std::string& name = request.source->declaration().name;
  const DumpSink dump(environment);

  std::unique_ptr<ir::Function> function = optimized(request, timer);
  if (dump.wants(Stage::optimized)) dump.write(Stage::optimized, name, ir::print(*function));

  // Tensors become kernels over planned buffers.
  const auto module = std::make_shared<const schedule::Module>(lowered(request, std::move(function), timer));
  if (environment.verify) schedule::verify(*module, "lower");
  if (dump.wants(Stage::schedule)) dump.write(Stage::schedule, name, schedule::print(*module));
  if (dump.wants(Stage::kernel)) dump.write(Stage::kernel, name, kernel_text(*module));
  return {[request]() -> std::shared_ptr<const ir::Function> {
            StageTimer again;
            return optimized(request, again);
          },
          module};
}

}  // namespace pullback::driver
