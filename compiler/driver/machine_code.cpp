#include "compiler/driver/machine_code.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/driver/code_cache.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/schedule.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"

namespace pullback::driver {

namespace {

std::string fingerprint(const std::string& path) {
  struct stat file{};
  ::stat(path.c_str(), &file);
  return fmt::format("{}.{} {}", file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_size);
}

/// The library that holds this function, and with it the math functions that kernels call.
std::string own_path() {
  Dl_info info{};
  return dladdr(reinterpret_cast<const void*>(&machine_code), &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

/// Everything that the code depends on: the target, the schedule with its kernels, and the compiler itself, which is
/// known by its files.
std::string key_of(const schedule::Module& module, const codegen::Options& options) {
  const Target& target = options.target;
  std::string key = fmt::format("{} {} {} {} {}\n{}\n", runtime::kAbiVersion, target.name, target.cpu, target.features,
                                options.profile, compiler_fingerprint());
  key += schedule::print(module);
  for (const auto& kernel : module.kernels) key += kernel::canonical_text(*kernel);
  return key;
}

}  // namespace

std::string compiler_fingerprint() {
  return fingerprint(codegen_path()) + "\n" + fingerprint(own_path());
}

codegen::Compiled machine_code(const schedule::Module& module, const codegen::Options& options,
                               const Environment& environment, StageTimer& timer) {
  const bool texts = options.want_llvm_text || options.want_asm_text;
  if (environment.cache_dir.empty() || texts || !options.target.runs_here())
    return timer.measure("codegen", [&] { return generate_code(module, options); });
  const CodeCache cache(environment.cache_dir, environment.cache_bytes);
  std::string key;
  codegen::Compiled found;
  timer.measure("cache", [&] {
    key = key_of(module, options);
    const auto image = cache.find(key);
    if (!image) return;
    try {
      runtime::LoadedCode code = runtime::load(*image);
      found.entry = code.entry;
      found.code = std::move(code.memory);
    } catch (const Error&) {
      // Code that cannot be loaded here is compiled.
    }
  });
  if (found.entry) return found;
  codegen::Options with_image = options;
  with_image.want_image = true;
  codegen::Compiled compiled = timer.measure("codegen", [&] { return generate_code(module, with_image); });
  if (!compiled.image.bytes.empty()) timer.measure("cache", [&] { cache.keep(key, compiled.image); });
  return compiled;
}

}  // namespace pullback::driver
