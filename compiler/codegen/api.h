// What the code generator offers: a schedule in, machine code out. No LLVM here; the library behind it is opened at run
// time (see compiler/driver/load_codegen.h).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "compiler/support/target.h"
#include "runtime/code_image.h"

namespace pullback::schedule {
struct Module;
}

namespace pullback::codegen {

struct Options {
  Target target = Target::host();
  bool profile = false;         ///< the code counts the time of each kernel call: see runtime::CallProfile
  bool want_llvm_text = false;  ///< the LLVM IR after optimization
  bool want_asm_text = false;   ///< the assembly of the same
  bool want_image = false;      ///< what a later run can load without this library
};

/// Seconds spent, by all threads together.
struct Timings {
  double translate = 0;  ///< kernel IR -> LLVM IR, verified
  double optimize = 0;
  double emit = 0;  ///< LLVM IR -> object
  double link = 0;  ///< object -> executable memory
};

/// How often passes of LLVM were left out (see pass_gate.h).
struct SkippedPasses {
  int strength_reduction = 0;  ///< once for each part of the code
  int scheduling = 0;          ///< once for each function with register tiles
};

struct Compiled {
  runtime::EntryFunction entry = nullptr;  ///< null when the target does not run here
  std::shared_ptr<void> code;              ///< keeps the machine code of `entry` alive
  std::string llvm_text, asm_text;         ///< when asked for
  runtime::CodeImage image;                ///< when asked for; no bytes when the code cannot be kept
  Timings timings;
  SkippedPasses skipped;
};

/// Compiles the module's kernels and its entry function, which runs them in the order of the schedule. Throws
/// InternalError when the generated code does not verify.
Compiled generate(const schedule::Module& module, const Options& options);

/// The one symbol that the library exports, and its type: generate(), with the result as a parameter.
inline constexpr const char* kGenerateSymbol = "pullback_codegen_generate";
using GenerateFunction = void (*)(const schedule::Module& module, const Options& options, Compiled& result);

}  // namespace pullback::codegen
