#include "compiler/driver/kept_code.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/canonical.h"
#include "compiler/support/dump.h"

namespace pullback::driver {

namespace {

std::string fingerprint(const std::string& path) {
  struct stat file{};
  ::stat(path.c_str(), &file);
  return fmt::format("{}.{} {}", file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_size);
}

/// The library that holds this function, and with it the passes, lowering, and the math functions that kernels call.
std::string own_path() {
  Dl_info info{};
  return dladdr(reinterpret_cast<const void*>(&own_path), &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

/// Everything that the code depends on: the function with its sizes, the options, the target, and the compiler itself,
/// which is known by its files.
std::string key_of(const Request& request) {
  const Target& target = request.target;
  std::string key = fmt::format("{}\n{}\n", runtime::kAbiVersion, compiler_fingerprint());
  key += fmt::format("{} {} {} {} {}\n", target.name, target.cpu, target.features, target.vector_bytes,
                     target.second_level);
  key += fmt::format("{} {} {} {}\n", name_of(request.options.precision), request.options.memory_limit,
                     request.has_one_thread(), request.measures_kernels());
  for (const auto& [symbol, size] : request.bindings) key += fmt::format("{} {}\n", symbol, size);
  return key + ir::canonical_bytes(*request.function);
}

/// How contractions are cut depends on what was measured before, but no result does. Code is told apart by what was
/// asked for: that of a program that was tuned, for so many threads; that of one that was not, but may use what others
/// found.
std::string key_of(Tuning tuning, const Request& request) {
  switch (tuning) {
    case Tuning::off:
      return "rules\n";
    case Tuning::found:
      return "found\n";
    case Tuning::measured:
      break;
  }
  return fmt::format("measured {}\n", request.threads());
}

}  // namespace

std::string compiler_fingerprint() {
  return fingerprint(codegen_path()) + "\n" + fingerprint(own_path());
}

bool KeptCode::is_used(const Request& request) {
  const DumpSink dump(request.environment);
  const auto& stages = all_stages();
  const bool shows_forms = std::any_of(std::find(stages.begin(), stages.end(), Stage::optimized), stages.end(),
                                       [&](Stage stage) { return dump.wants(stage); });
  return !request.environment.cache_dir.empty() && !request.environment.verify && !shows_forms &&
         request.target.runs_here();
}

KeptCode::KeptCode(const Request& request) : cache_(request.environment.cache_dir, request.environment.cache_bytes) {
  const std::string key = key_of(request);
  keys_.push_back(key_of(request.tuning(), request) + key);
  if (request.tuning() == Tuning::found) keys_.push_back(key_of(Tuning::measured, request) + key);
}

std::optional<runtime::ExecutableImage> KeptCode::find() const {
  // Measured code, the last, is the fastest.
  for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) {
    std::optional<runtime::StoredProgram> program = cache_.find(*key);
    if (!program) continue;
    try {
      runtime::LoadedCode code = runtime::load(program->code);
      return runtime::ExecutableImage{std::move(program->layout), code.entry, std::move(code.memory)};
    } catch (const Error&) {
      // Code that cannot be loaded here is compiled.
    }
  }
  return std::nullopt;
}

}  // namespace pullback::driver
