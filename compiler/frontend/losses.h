// What the losses share.
#pragma once

#include <string>

#include <pullback/losses.h>
#include <pullback/tensor.h>

namespace pullback::detail {

/// Floating, of one type and shape; else Error.
void require_pair(const char* op, const Tensor& prediction, const Tensor& target, const SourceLocation& where);

/// Labels: i32 or i64, of the logits' shape without `axis`, which counts from the front. Returns the user's line.
SourceLine require_labels(const char* op, const Tensor& logits, const Tensor& labels, int axis,
                          const SourceLocation& where);

/// Fails the run when a label, called `name`, lies outside of 0..classes-1.
void check_labels(const char* op, const std::string& name, const Tensor& logits, const Tensor& labels, int axis);

/// Whether a class is the label's, in the logits' shape. Compared rather than gathered: it fuses with what makes the
/// logits, and its gradient is no scatter.
Tensor chosen_classes(const Tensor& logits, const Tensor& labels, int axis);

/// `losses` of single elements or examples, reduced; batch_mean divides by the size of axis 0 of `prediction`.
Tensor reduced(const Tensor& losses, Reduction reduction, const Tensor& prediction);

/// log(1 + exp x) for all x, with the gradient sigmoid(x) also at 0.
Tensor stable_softplus(const Tensor& x);

/// max(x, 0) with the gradient 1 at 0, as clamp's.
Tensor hinged(const Tensor& x);

/// "logits x are f32[8,10]".
std::string described(const char* role, const Tensor& x);

}  // namespace pullback::detail
