#include "compiler/driver/machine_code.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include "compiler/driver/code_cache.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/schedule.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"

namespace pullback::driver {

namespace {

/// Everything that the code depends on: the target, the schedule with its kernels, and the code generator itself, which
/// is known by its file.
std::string key_of(const schedule::Module& module, const Target& target) {
  struct stat library{};
  ::stat(codegen_path().c_str(), &library);
  std::string key = fmt::format("{} {} {} {} {}.{} {}\n", runtime::kAbiVersion, target.name, target.cpu,
                                target.features, library.st_mtim.tv_sec, library.st_mtim.tv_nsec, library.st_size);
  key += schedule::print(module);
  for (const auto& kernel : module.kernels) key += kernel::canonical_text(*kernel);
  return key;
}

}  // namespace

codegen::Compiled machine_code(const schedule::Module& module, const codegen::Options& options,
                               const Environment& environment, StageTimer& timer) {
  const bool texts = options.want_llvm_text || options.want_asm_text;
  if (environment.cache_dir.empty() || texts || !options.target.runs_here())
    return timer.measure("codegen", [&] { return generate_code(module, options); });
  const CodeCache cache(environment.cache_dir, environment.cache_bytes);
  std::string key;
  codegen::Compiled found;
  timer.measure("cache", [&] {
    key = key_of(module, options.target);
    if (const auto image = cache.find(key)) {
      runtime::LoadedCode code = runtime::load(*image);
      found.entry = code.entry;
      found.code = std::move(code.memory);
    }
  });
  if (found.entry) return found;
  codegen::Options with_image = options;
  with_image.want_image = true;
  codegen::Compiled compiled = timer.measure("codegen", [&] { return generate_code(module, with_image); });
  timer.measure("cache", [&] { cache.keep(key, compiled.image); });
  return compiled;
}

}  // namespace pullback::driver
