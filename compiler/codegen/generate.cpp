// The code generator's stages in order, a part of the schedule to a thread, and the library's one exported symbol.
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include <pullback/error.h>

#include "compiler/codegen/api.h"
#include "compiler/codegen/emit_module.h"
#include "compiler/codegen/flatten.h"
#include "compiler/codegen/machine.h"
#include "compiler/codegen/pass_gate.h"

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

/// What becomes of one part.
struct Piece {
  std::string llvm_text, asm_text;
  llvm::SmallVector<char, 0> object;
  Timings timings;
  SkippedPasses skipped;
};

Piece compile_part(const schedule::Module& schedule, const Part& part, const Options& options,
                   llvm::TargetMachine& machine) {
  Piece piece;
  Timings& times = piece.timings;
  PassGate gate;
  llvm::LLVMContext context;  // one for each part: a context belongs to one thread
  context.setOptPassGate(gate);
  const auto module =
      timed(times.translate, [&] { return emit_module(context, schedule, part, options.target, machine); });
  timed(times.optimize, [&] { optimize(*module, machine); });
  gate.note_functions(*module);
  if (options.want_llvm_text) {
    llvm::raw_string_ostream stream(piece.llvm_text);
    module->print(stream, nullptr);
  }
  if (options.want_asm_text) piece.asm_text = emit_assembly(*module, machine);
  piece.object = timed(times.emit, [&] { return emit_object(*module, machine, gate.skipped()); });
  piece.skipped = gate.skipped();
  return piece;
}

/// Each of `threads` threads takes the next part as soon as it has done one: how long LLVM takes is known only roughly
/// before. Pieces are in the order of their parts.
std::vector<Piece> compile_parts(const schedule::Module& schedule, const std::vector<Part>& parts,
                                 const Options& options, std::size_t threads) {
  std::vector<Piece> pieces(parts.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    double seconds = 0;
    const auto machine = timed(seconds, [&] { return create_machine(options.target); });
    for (std::size_t i = next++; i < parts.size(); i = next++) {
      pieces[i] = compile_part(schedule, parts[i], options, *machine);
      pieces[i].timings.translate += std::exchange(seconds, 0);
    }
  };
  std::vector<std::future<void>> others;
  for (std::size_t i = 1; i < std::min(threads, parts.size()); ++i)
    others.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& other : others) other.get();
  return pieces;
}

/// Empty when the objects hold something that an image cannot: such code runs, it is only not kept.
runtime::CodeImage image_of(const std::vector<llvm::ArrayRef<char>>& objects) {
  try {
    return flatten(objects);
  } catch (const InternalError&) {
    return {};
  }
}

}  // namespace

Compiled generate(const schedule::Module& schedule, const Options& options) {
  Compiled result;
  // Texts for a reader are of one piece.
  const bool whole = options.want_llvm_text || options.want_asm_text;
  const std::size_t threads = whole ? 1 : std::thread::hardware_concurrency();
  std::vector<Part> parts = split(schedule, options.target, threads);
  parts.front().profile = options.profile;
  std::vector<Piece> pieces = compile_parts(schedule, parts, options, threads);
  result.llvm_text = std::move(pieces.front().llvm_text);
  result.asm_text = std::move(pieces.front().asm_text);
  std::vector<llvm::ArrayRef<char>> objects;
  for (const Piece& piece : pieces) {
    objects.push_back(piece.object);
    result.timings.translate += piece.timings.translate;
    result.timings.optimize += piece.timings.optimize;
    result.timings.emit += piece.timings.emit;
    result.skipped.strength_reduction += piece.skipped.strength_reduction;
    result.skipped.scheduling += piece.skipped.scheduling;
  }
  if (options.want_image) result.image = timed(result.timings.link, [&] { return image_of(objects); });
  if (options.target.runs_here()) {
    Linked linked = timed(result.timings.link, [&] { return link(objects); });
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
