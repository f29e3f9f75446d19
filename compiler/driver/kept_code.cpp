#include "compiler/driver/kept_code.h"

#include <algorithm>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/driver/compiler_identity.h"
#include "compiler/driver/schedule_cache.h"
#include "compiler/support/dump.h"

namespace pullback::driver {

namespace {

/// Everything that the code depends on: the function with its sizes, the options, the target, and the compiler itself,
/// which is known by its files.
std::string key_of(const Request& request) {
  const Target& target = request.target;
  std::string key = fmt::format("{}\n{}\n", runtime::kAbiVersion, compiler_fingerprint());
  key += fmt::format("{} {} {} {} {}\n", target.name, target.cpu, target.features, target.vector_bytes,
                     target.second_level);
  key += fmt::format("{} {} {} {} {}\n", name_of(request.options.precision), request.options.winograd,
                     request.options.memory_limit, request.has_one_thread(), request.measures_kernels());
  // Code that was tuned is never taken for code that was not, nor for code tuned elsewhere.
  key += request.is_tuned() ? "tuned on " + tuned_machine(target, request.threads()) : "by the rules\n";
  for (const auto& [symbol, size] : request.bindings) key += fmt::format("{} {}\n", symbol, size);
  request.source->add_identity(key);
  return key;
}

}  // namespace

bool KeptCode::is_used(const Request& request) {
  const DumpSink dump(request.environment);
  const auto& stages = all_stages();
  const bool shows_forms = std::any_of(std::find(stages.begin(), stages.end(), Stage::optimized), stages.end(),
                                       [&](Stage stage) { return dump.wants(stage); });
  return !request.environment.cache_dir.empty() && !request.environment.verify && !shows_forms &&
         request.target.runs_here();
}

KeptCode::KeptCode(const Request& request)
    : cache_(request.environment.cache_dir, request.environment.cache_bytes), key_(key_of(request)) {}

std::optional<runtime::ExecutableImage> KeptCode::find() const {
  std::optional<runtime::StoredProgram> program = cache_.find(key_);
  if (!program) return std::nullopt;
  try {
    runtime::LoadedCode code = runtime::load(program->code);
    return runtime::ExecutableImage{std::move(program->layout), code.entry, std::move(code.memory)};
  } catch (const Error&) {
    return std::nullopt;  // code that cannot be loaded here is compiled
  }
}

}  // namespace pullback::driver
