// Opens the code generator's library when something must be compiled: programs that compile nothing never load LLVM.
#pragma once

#include <future>
#include <string>

#include "compiler/codegen/api.h"

namespace pullback::driver {

/// codegen::generate of libpullback_codegen.so: the one that the environment variable PULLBACK_CODEGEN names, else the
/// one beside libpullback.so. Opened at the first call, then kept. Throws Error when it cannot be opened.
codegen::Compiled generate_code(const schedule::Module& module, const codegen::Options& options);
/// Opens the library beside what else is done, as long as the object lives. An error is left to generate_code().
class CodegenAhead {
 public:
  CodegenAhead();

 private:
  std::future<void> opening_;  ///< waits at its end
};
/// The library's path, which need not exist.
std::string codegen_path();

}  // namespace pullback::driver
