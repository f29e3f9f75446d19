// The code generator's stages in order, and the library's one exported symbol.
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <chrono>

#include "compiler/codegen/api.h"
#include "compiler/codegen/emit_module.h"
#include "compiler/codegen/machine.h"

namespace pullback::codegen {
namespace {

/// Runs `work` and adds the seconds that it takes.
template <class Work>
auto timed(double& seconds, Work work) {
  struct Clock {
    double& seconds;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    ~Clock() { seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
  } clock{seconds};
  return work();
}

}  // namespace

Compiled generate(const schedule::Module& schedule, const Options& options) {
  Compiled result;
  Timings& times = result.timings;
  llvm::LLVMContext context;
  const auto machine = timed(times.translate, [&] { return create_machine(options.target); });
  const auto module = timed(times.translate, [&] { return emit_module(context, schedule, options.target, *machine); });
  timed(times.optimize, [&] { optimize(*module, *machine); });
  if (options.want_llvm_text) {
    llvm::raw_string_ostream stream(result.llvm_text);
    module->print(stream, nullptr);
  }
  if (options.want_asm_text) result.asm_text = emit_assembly(*module, *machine);
  const auto object = timed(times.emit, [&] { return emit_object(*module, *machine); });
  if (options.want_object) {
    const auto* bytes = reinterpret_cast<const std::byte*>(object.data());
    result.object.assign(bytes, bytes + object.size());
  }
  if (options.target.runs_here()) {
    Linked linked = timed(times.link, [&] { return link(object); });
    result.entry = linked.entry;
    result.code = std::move(linked.code);
  }
  return result;
}

}  // namespace pullback::codegen

extern "C" __attribute__((visibility("default"))) void pullback_codegen_generate(
    const pullback::schedule::Module& module, const pullback::codegen::Options& options,
    pullback::codegen::Compiled& result) {
  result = pullback::codegen::generate(module, options);
}
