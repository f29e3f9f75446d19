// Translator: tiles one after the other whose endings run while the next tile computes. A long ending (an optimizer's,
// with a square root and a division for each element) leaves the multipliers idle: a core looks a few hundred
// instructions ahead, not as far as the next tile. Here a row of the tile before is ended after every few steps over k.
#include <algorithm>

#include "compiler/codegen/contract_tile.h"
#include "compiler/codegen/pass_gate.h"

namespace pullback::codegen {

using kernel::Contract;
using kernel::Index;
using kernel::Loop;

namespace {

constexpr std::int64_t kFewestTiles = 4;
/// Steps over k between two rows that are ended: with fewer, sums that leave their registers meanwhile cost more.
constexpr std::int64_t kStepsBetween = 4;

}  // namespace

const Contract* Translator::deferred_tile(const Loop& loop) const {
  // With fewer registers, too many sums leave theirs for each row.
  constexpr int kManyRegisters = 32;
  if (context_.target().vector_registers < kManyRegisters) return nullptr;
  if (!loop.carried.empty() || loop.variable.extent < kFewestTiles || loop.body.statements.size() != 1) return nullptr;
  const auto* statement = std::get_if<std::unique_ptr<Contract>>(&loop.body.statements.front());
  if (!statement) return nullptr;
  const Contract& c = **statement;
  if (!c.around.empty() || !c.bounds.empty() || c.copy.buffer >= 0 || c.start.buffer >= 0) return nullptr;
  const Tile tile(c, context_.target());
  if (c.depth / c.rows < std::max(kStepsBetween, tile.unrolled_steps(0, context_.target()))) return nullptr;
  if (tile.choice() || !tile.is_long(c.epilogue) || tile.epilogue(c.epilogue) != Tile::Epilogue::looped) return nullptr;
  // What the next tile reads, an ending must not have written.
  return may_store_to(c.epilogue, c.a.buffer) || may_store_to(c.epilogue, c.b.buffer) ? nullptr : &c;
}

void Translator::deferred_endings(const Loop& loop, const Contract& source) {
  const auto number = [&](std::int64_t value) { return b_.getInt64(static_cast<std::uint64_t>(value)); };
  function_->addFnAttr(kInOrder);
  const std::int64_t tiles = loop.variable.extent, rows = source.rows;
  Tile tile(source, context_.target());
  tile.fetches_beside = is_far_panel(source);
  const Parked parked = space_for(by_segment(tile, zeros(tile)));
  const std::int64_t unrolled = tile.unrolled_steps(0, context_.target());
  const std::int64_t steps = source.depth / rows / unrolled * unrolled;

  const auto begin_tile = [&](Bound position) {
    variables_[&loop.variable] = {std::nullopt, position, 1};
    tile.a = address(source.a.buffer, resolve(source.a.base));
    tile.b = address(source.b.buffer, resolve(source.b.base));
    fetch_rows_below(tile);
    return Place{tile.a.value, tile.b.value, nullptr, 0, 0, 0, {0}};
  };
  const std::vector<Rows> fetched = rows_of(tile, source.epilogue);
  const auto fetch_row_of = [&](Bound position, Bound row) {
    variables_[&loop.variable] = {std::nullopt, position, 1};
    const kernel::LoopVar* variable = new_variable(rows);
    variables_[variable] = {std::nullopt, row, 1};
    for (const Rows& place : fetched) fetch_row(tile, place, Index(*variable));
  };
  const auto end_row = [&](Bound position, Bound row) {
    variables_[&loop.variable] = {std::nullopt, position, 1};
    end_position(parked, rows, row, [&](const Index& at, std::size_t s, llvm::Value* sum) {
      ending_of_row(tile, source.epilogue, at, tile.segments[s], sum);
    });
  };

  std::vector<llvm::Value*> sums = zeros(tile);
  contract_loops(tile, 0, begin_tile(here(number(0))), sums);
  park(by_segment(tile, sums), parked);
  counted_loop(loop.variable.name, number(1), number(tiles), 1, {}, [&](Bound position, std::span<llvm::Value* const>) {
    const Place at = begin_tile(position);
    const Bound before = here(b_.CreateSub(position.value, number(1)));
    sums = counted_loop("row", number(0), number(rows), 1, zeros(tile),
                        [&](Bound row, std::span<llvm::Value* const> carried) {
                          std::vector<llvm::Value*> next(carried.begin(), carried.end());
                          some_steps(tile, at, b_.CreateMul(row.value, number(steps)), steps, next);
                          fetch_row_of(position, row);
                          end_row(before, row);
                          return next;
                        });
    if (rows * steps < source.depth) some_steps(tile, at, number(rows * steps), source.depth - rows * steps, sums);
    park(by_segment(tile, sums), parked);
    return std::vector<llvm::Value*>{};
  });
  counted_loop("row", number(0), number(rows), 1, {}, [&](Bound row, std::span<llvm::Value* const>) {
    end_row(here(number(tiles - 1)), row);
    return std::vector<llvm::Value*>{};
  });
}

void Translator::some_steps(const Tile& tile, const Place& at, llvm::Value* first, std::int64_t count,
                            std::vector<llvm::Value*>& sums) {
  Tile part = tile;
  part.loops.front().extent = count;
  contract_loops(part, 0, moved(tile, 0, at, first), sums);
}

}  // namespace pullback::codegen
