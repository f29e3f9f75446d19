#include "compiler/driver/load_codegen.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>

#include <pullback/error.h>

#include "compiler/support/environment.h"

namespace pullback::driver {
namespace {

codegen::GenerateFunction open_library() {
  const std::string path = codegen_path();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw Error("the code generator cannot be loaded (" + std::string(dlerror()) +
                "); PULLBACK_CODEGEN may name libpullback_codegen.so");
  void* symbol = dlsym(library, codegen::kGenerateSymbol);
  if (!symbol) throw Error(path + " is not Pullback's code generator: it lacks " + codegen::kGenerateSymbol);
  return reinterpret_cast<codegen::GenerateFunction>(symbol);
}

/// Opened once, whoever comes first; tried again after an error.
codegen::GenerateFunction library() {
  static const codegen::GenerateFunction generate = open_library();
  return generate;
}

}  // namespace

CodegenAhead::CodegenAhead()
    : opening_(std::async(std::launch::async, [] {
        try {
          library();
        } catch (const Error&) {  // generate_code() meets it again
        }
      })) {}

std::string codegen_path() {
  if (const std::string path = read_environment().codegen_library; !path.empty()) return path;
  // Found by looking at every symbol of this library.
  static const std::string beside = [] {
    Dl_info info{};
    const bool known = dladdr(reinterpret_cast<const void*>(&generate_code), &info) != 0 && info.dli_fname;
    const std::filesystem::path folder = known ? std::filesystem::path(info.dli_fname).parent_path() : "";
    return (folder / "libpullback_codegen.so").string();
  }();
  return beside;
}

codegen::Compiled generate_code(const schedule::Module& module, const codegen::Options& options) {
  codegen::Compiled result;
  library()(module, options, result);
  return result;
}

}  // namespace pullback::driver
