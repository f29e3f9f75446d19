// A few columns behind whole vectors of them, for rows that are neighbours in memory, as in the gradient of a weight:
// rather than a vector of few columns for each row, which takes as long as a whole one or half as long, vectors of rows
// for each column. Each element is the same chain of sums.
#pragma once

#include <functional>

#include "compiler/lower/emitter.h"

namespace pullback::lower {

/// How many of the columns, the last ones, are better computed so; 0: none.
std::int64_t columns_across(std::int64_t rows, std::int64_t columns, std::int64_t width);

using ElementEnd = std::function<void(const kernel::Index& row, const kernel::Index& column, kernel::Value* sum)>;

/// Writes them for `rows` rows, in tiles. `tile` has the columns as its rows: its A is B, and its B is A from the first
/// row on. `registers`: how many there are. `end` completes an element, whose row and column count from the first ones.
void contract_across(Emitter& emitter, const kernel::Contract& tile, std::int64_t rows, DType accumulate,
                     std::int64_t registers, const ElementEnd& end);

}  // namespace pullback::lower
