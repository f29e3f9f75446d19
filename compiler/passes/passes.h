// The passes: each rewrites a function in place, is idempotent, keeps its meaning, and returns whether it changed
// anything. Nested regions are rewritten too. Each is in the file of its name. "Keeps its meaning" includes NaN,
// infinities and the sign of zero, bit for bit, unless a pass says otherwise here (NaN payloads are never promised).
#pragma once

#include <memory>

#include <pullback/dim.h>

#include "compiler/ir/graph.h"

namespace pullback::passes {

/// A copy in which the symbols that `bindings` names are numbers; types are inferred anew. Throws Error for a size
/// below zero, and where an op's shape rule fails at these sizes (a reshape that does not divide).
std::unique_ptr<ir::Function> specialize(const ir::Function& function, const Bindings& bindings);

/// Replaces composites by their bodies, and other ops that stand for several by those, but where they have a better
/// lowering of their own.
bool inline_composites(ir::Function& function);
/// Computes ops whose operands are constants, with the generated code's arithmetic. Bounded in size and work.
bool fold(ir::Function& function);
/// Contractions of f32 read and give 16 bits, summing in f32; everything else stays. Changes results: asked for by
/// CompileOptions::precision.
bool to_bf16(ir::Function& function);
bool to_f16(ir::Function& function);
/// Algebraic identities, from a table of rules. Two of them do not keep every bit: a sum of the one element -0 is -0,
/// not +0, and x^2 is x*x, correctly rounded where pow may not be.
bool simplify(ir::Function& function);
/// Loops carry, read, compute and stack only what is read and differs from iteration to iteration.
bool simplify_loops(ir::Function& function);
/// Equal ops are computed once.
bool cse(ir::Function& function);
/// Removes ops that nothing reads; effectful ops stay.
bool dce(ir::Function& function);
/// Moves transposes towards readers that absorb them, contractions and reductions; past elementwise ops and broadcasts.
bool sink_transposes(ir::Function& function);
/// Moves broadcasts past elementwise ops, which then compute less, and out of reductions. Sums over broadcast axes
/// become products: exact in real numbers, rounded differently.
bool sink_broadcasts(ir::Function& function);
/// Comparisons read a clamped value (relu) where that says the same as what was clamped, which need not be kept then.
bool compare_clamped(ir::Function& function);
/// The gradient of a clamp before max pooling is masked by the pool's result, so that what was pooled need not be kept.
bool mask_windows(ir::Function& function);
/// Decides the dimension order in which intermediates lie in memory (ir/layout.h); identity unless it pays.
bool assign_layouts(ir::Function& function);

}  // namespace pullback::passes
