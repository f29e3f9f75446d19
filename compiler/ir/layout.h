// Physical layouts: the order in which a value's dimensions lie in memory. Logical dimension order never changes; an op
// whose result 0 is not row-major carries the attribute "layout", the dimensions from outermost to innermost.
// Arguments and results of functions, and values of nested regions, are always row-major.
#pragma once

#include "compiler/ir/graph.h"

namespace pullback::ir {

/// Dimensions of `value` from outermost to innermost in memory: {0, 1, ...} unless its op says otherwise.
Integers layout_of(const Value& value);
bool is_row_major(const Value& value);
/// Sets or (for the identity) removes the layout of the op's result 0.
void set_layout(Op& op, const Integers& order);
/// Elements between neighbours along each logical dimension, by the value's layout. Sizes must be known.
Integers strides_of(const Value& value);

}  // namespace pullback::ir
