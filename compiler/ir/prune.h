// Counting ops, and removing those that nothing reads.
#pragma once

#include "compiler/ir/graph.h"

namespace pullback::ir {

/// Is the op, or one in its regions, effectful?
bool has_effect(const Op& op);

/// The ops of the region and of all regions in it.
std::size_t count_ops(const Region& region);

/// Removes ops whose results nothing reads and that have no effect, in nested regions too.
bool remove_unread_ops(Region& region);

/// Removes ops, then arguments, that nothing reads. Effectful ops, and arguments that a result updates, stay.
void remove_unread(Function& function);

/// Reduces a function to what its results need: effectful ops that read arguments which no result needs are removed
/// (a check of labels in a function that only predicts), then what nothing reads.
void keep_needed(Function& function);

}  // namespace pullback::ir
