#include "compiler/passes/pipeline.h"

#include <array>
#include <chrono>

#include "compiler/ir/prune.h"
#include "compiler/ir/text.h"
#include "compiler/passes/passes.h"
#include "compiler/support/environment.h"

namespace pullback::passes {
namespace {

constexpr auto kPipeline = std::to_array<Pass>({
    {"inline_composites", inline_composites, "first, so that the others see what composites are made of"},
    {"dce", dce, "differentiation leaves what only unwanted gradients read"},
    {"simplify_loops", simplify_loops, "before fold and simplify, which then see the numbers that loops are given"},
    {"fold", fold, "numbers become scalars that are broadcast, the form that the rules match"},
    {"simplify", simplify, "gradient rules write x * 1, conversions to the same type and the like"},
    {"cse", cse, "forward and gradient compute the same things; before sinking, which asks for equal operands"},
    {"sink_broadcasts", sink_broadcasts, "before sink_transposes, which can permute a broadcast at no cost"},
    {"sink_transposes", sink_transposes, "gradients of contractions transpose; the next contraction takes it back"},
    {"fold", fold, "sinking brought operations on broadcast numbers down to scalars"},
    {"simplify", simplify, "what moved has met its inverse"},
    {"cse", cse, "what moved may now be equal"},
    {"simplify_loops", simplify_loops, "what was simplified inside of loops may no longer read all that is handed in"},
    {"cse", cse, "what left a loop may be computed outside of it already"},
    {"compare_clamped", compare_clamped, "what both forward and gradient compare is one comparison by now"},
    {"mask_windows", mask_windows, "after compare_clamped, whose comparisons it moves"},
    {"assign_layouts", assign_layouts, "last: every reader is known"},
    {"dce", dce, "what rewriting left behind"},
});

constexpr auto kAllPasses = std::to_array<Pass>({
    {"inline_composites", inline_composites, "replaces composites by their bodies"},
    {"fold", fold, "computes constants"},
    {"simplify", simplify, "algebraic identities"},
    {"simplify_loops", simplify_loops, "loops do only what differs from iteration to iteration"},
    {"cse", cse, "equal ops once"},
    {"dce", dce, "removes what nothing reads"},
    {"sink_broadcasts", sink_broadcasts, "broadcasts after elementwise ops and reductions"},
    {"sink_transposes", sink_transposes, "transposes into contractions and reductions"},
    {"compare_clamped", compare_clamped, "relu's mask from its result"},
    {"mask_windows", mask_windows, "relu's mask from the result of the pool behind it"},
    {"assign_layouts", assign_layouts, "dimension order in memory"},
    {"to_bf16", to_bf16, "contractions in bf16, sums in f32"},
    {"to_f16", to_f16, "contractions in f16, sums in f32"},
});

}  // namespace

std::span<const Pass> pipeline() {
  return kPipeline;
}

std::span<const Pass> all_passes() {
  return kAllPasses;
}

const Pass* find_pass(std::string_view name) {
  for (const Pass& pass : kAllPasses)
    if (pass.name == name) return &pass;
  return nullptr;
}

std::vector<PassReport> run(ir::Function& function, std::span<const Pass> passes, const RunOptions& options) {
  const bool verify = options.verify || read_environment().verify;
  std::vector<PassReport> reports;
  for (const Pass& pass : passes) {
    const auto begin = std::chrono::steady_clock::now();
    PassReport report;
    report.name = pass.name;
    report.changed = pass.run(function);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report.ops = ir::count_ops(function.body);
    if (verify) ir::verify(function, report.name);
    if (options.after) options.after(report, function);
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<PassReport> optimize(ir::Function& function, const RunOptions& options) {
  return run(function, pipeline(), options);
}

}  // namespace pullback::passes
