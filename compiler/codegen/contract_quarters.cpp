// Translator: tiles whose last columns fill a quarter of a vector at most. With a vector of 64 bytes, which some cores
// take twice as long for as for any shorter one, four rows of them are one vector: its quarters are the rows' sums. A
// quarter's elements of A are the same, and are read for as many steps of k as a quarter has lanes at once.
#include <algorithm>

#include "compiler/codegen/contract_tile.h"

namespace pullback::codegen {

using kernel::Contract;

namespace {

constexpr std::int64_t kQuarters = 4;

}  // namespace

bool Translator::Tile::may_join_rows(const Target& target) const {
  constexpr std::int64_t kFewestRows = 3;  // two halves of vectors take as long as one for both rows
  return may_halve(target) && vector >= 2 * kQuarters && contract.rows >= kFewestRows && contract.around.empty() &&
         contract.bounds.empty() && contract.a.stride_depth == 1 && contract.a.run == 0 &&
         contract.depth >= vector / kQuarters;
}

// The rows' sums of the last segment are joined before the first step and are single ones again behind the last.
void Translator::contract_joined(const Tile& tile, const Place& at, std::vector<llvm::Value*>& sums) {
  const std::size_t last = tile.segments.size() - 1;
  const auto rows = static_cast<std::size_t>(tile.contract.rows);
  JoinedSums state;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t s = 0; s < last; ++s) state.push_back(sums[tile.at(static_cast<std::int64_t>(row), s)]);
  for (std::size_t row = 0; row < rows; row += kQuarters)
    state.push_back(join_quarters([&](std::size_t quarter) {
      return sums[tile.at(static_cast<std::int64_t>(std::min(row + quarter, rows - 1)), last)];
    }));

  const std::int64_t together = tile.vector / kQuarters, depth = tile.loops.front().extent;
  const std::int64_t whole = depth / together * together;
  const auto number = [&](std::int64_t value) { return b_.getInt64(static_cast<std::uint64_t>(value)); };
  if (whole > together)
    state = counted_loop("k", number(0), number(whole), together, state,
                         [&](Bound position, std::span<llvm::Value* const> carried) {
                           JoinedSums next(carried.begin(), carried.end());
                           joined_steps(tile, moved(tile, 0, at, position.value), together, next);
                           return next;
                         });
  else if (whole > 0)
    joined_steps(tile, at, whole, state);
  if (whole < depth) joined_steps(tile, moved(tile, 0, at, number(whole)), depth - whole, state);

  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t s = 0; s < last; ++s) sums[tile.at(static_cast<std::int64_t>(row), s)] = state[row * last + s];
    llvm::SmallVector<int, 8> lanes;
    for (int lane = 0; lane < tile.segments.back().width; ++lane)
      lanes.push_back(static_cast<int>(row % kQuarters) * tile.segments.back().width + lane);
    sums[tile.at(static_cast<std::int64_t>(row), last)] =
        b_.CreateShuffleVector(state[rows * last + row / kQuarters], lanes);
  }
}

/// A vector of four parts that are as long as each other.
llvm::Value* Translator::join_quarters(const std::function<llvm::Value*(std::size_t quarter)>& part) {
  std::vector<llvm::Value*> parts;
  for (std::size_t i = 0; i < kQuarters; ++i) parts.push_back(part(i));
  while (parts.size() > 1) {
    llvm::SmallVector<int, 16> lanes;
    for (int lane = 0; lane < 2 * width_of(parts.front()); ++lane) lanes.push_back(lane);
    std::vector<llvm::Value*> pairs;
    for (std::size_t i = 0; i < parts.size(); i += 2)
      pairs.push_back(b_.CreateShuffleVector(parts[i], parts[i + 1], lanes));
    parts = std::move(pairs);
  }
  return parts.front();
}

/// As many steps as a quarter has lanes, or those that are left.
void Translator::joined_steps(const Tile& tile, const Place& at, std::int64_t count, JoinedSums& sums) {
  const Contract& c = tile.contract;
  const bool pairs = kernel::is_of_pairs(*kernel_, c);
  const DType a_type = dtype_of(c.a.buffer), b_type = dtype_of(c.b.buffer);
  const Segment& quarter = tile.segments.back();
  const std::size_t last = tile.segments.size() - 1;
  const auto factor_of = [&](llvm::Value* loaded, DType from) {
    return pairs ? loaded : arithmetic_.convert(loaded, from, tile.sum);
  };
  const auto add = [&](llvm::Value* a, llvm::Value* b, llvm::Value*& sum) {
    sum = pairs ? arithmetic_.fma_of_pairs(a, b, sum) : arithmetic_.fma(a, b, sum);
  };
  keep_order();
  fetch_ahead(tile, at, count);
  std::vector<llvm::Value*> elements;  // for each four rows: quarters of the next elements of a row
  for (std::int64_t row = 0; row < c.rows; row += kQuarters)
    elements.push_back(join_quarters([&](std::size_t i) {
      const std::int64_t of = std::min(row + static_cast<std::int64_t>(i), c.rows - 1);
      return factor_of(load_operand(a_type, at.a, at.a_offset + c.a.of_row(of), quarter.width, static_cast<int>(count)),
                       a_type);
    }));
  for (std::int64_t step = 0; step < count; ++step) {
    keep_order();
    const std::int64_t b_offset = at.b_offset + step * c.b.stride_depth;
    std::vector<llvm::Value*> columns;
    for (const Segment& segment : tile.segments) {
      llvm::Value* loaded = load_operand(b_type, at.b, b_offset + segment.offset, segment.width, segment.active);
      columns.push_back(factor_of(loaded, b_type));
      if (at.copy) copy_columns(tile, at, at.copy_offset + step * c.copy.stride_depth, segment, loaded, columns.back());
    }
    if (tile.fetches_beside) fetch_beside(tile, at.b, b_offset);
    for (std::int64_t row = 0; row < c.rows; ++row) {
      llvm::Value* scalar = factor_of(load_element(a_type, at.a, at.a_offset + c.a.of_row(row) + step, false), a_type);
      for (std::size_t s = 0; s < last; ++s)
        add(arithmetic_.splat(scalar, tile.segments[s].width), columns[s],
            sums[static_cast<std::size_t>(row) * last + s]);
    }
    llvm::Value* column = join_quarters([&](std::size_t) { return columns.back(); });
    llvm::SmallVector<int, 16> lanes;
    for (int lane = 0; lane < tile.vector; ++lane)
      lanes.push_back(lane / quarter.width * quarter.width + static_cast<int>(step));
    for (std::size_t i = 0; i < elements.size(); ++i)
      add(b_.CreateShuffleVector(elements[i], lanes), column, sums[static_cast<std::size_t>(c.rows) * last + i]);
  }
}

}  // namespace pullback::codegen
