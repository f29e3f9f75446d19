#include "compiler/driver/compiler_identity.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "compiler/driver/load_codegen.h"

namespace pullback::driver {

namespace {

std::string fingerprint(const std::string& path) {
  struct stat file{};
  ::stat(path.c_str(), &file);
  return fmt::format("{}.{} {}", file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_size);
}

/// The library that holds this function, and with it the passes, lowering, and the math functions that kernels call.
const std::string& own_path() {
  // Found by looking at every symbol of the library.
  static const std::string path = [] {
    Dl_info info{};
    return dladdr(reinterpret_cast<const void*>(&own_path), &info) != 0 && info.dli_fname ? info.dli_fname : "";
  }();
  return path;
}

}  // namespace

std::string compiler_fingerprint() {
  return fingerprint(codegen_path()) + "\n" + fingerprint(own_path());
}

}  // namespace pullback::driver
