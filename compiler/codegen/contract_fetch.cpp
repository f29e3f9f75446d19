// Translator: what a tile of a contraction fetches ahead, where the hardware does not.
#include <llvm/IR/Intrinsics.h>

#include <algorithm>
#include <utility>

#include "compiler/codegen/contract_tile.h"

namespace pullback::codegen {

using kernel::Contract;
using kernel::Index;

namespace {

// Buffers of up to so many bytes are near anyway, and shorter sums are done before anything could be fetched.
constexpr std::int64_t kNearBytes = 8 << 10, kFewestSteps = 64, kLineBytes = 64, kFewLines = 4;
// Larger matrices fill half of the smallest second level of the cache or more, and rows so far apart are streams of
// their own.
constexpr std::int64_t kFarBytes = 256 << 10, kFarRow = 1 << 10;

// A result of so many bytes is far away again when the next step writes it.
constexpr std::int64_t kFarResult = 1 << 20;

}  // namespace

// What the epilogue reads and writes for each element (a weight and its moments, the argument of an activation, the
// product itself) lies in as many short pieces as there are rows, which no hardware foresees: it is on its way while
// the sums are computed. Stores become visible one after the other: each that waits for its line holds up those behind
// it, so that even short sums fetch what they write when that is certainly far away.
void Translator::fetch_for_epilogue(const Tile& tile) {
  const kernel::If* choice = tile.choice();
  if (!choice) return fetch_rows(tile, rows_of(tile, tile.contract.epilogue));
  const std::vector<Rows> then = rows_of(tile, choice->then_block), otherwise = rows_of(tile, choice->else_block);
  if (then.empty() && otherwise.empty()) return;
  either(get(choice->condition).value, [&] { fetch_rows(tile, then); }, [&] { fetch_rows(tile, otherwise); });
}

// A tile that starts at zero, while others start with what it stores.
void Translator::fetch_for_partial_sums(const Tile& tile) {
  const Contract& c = tile.contract;
  if (is_fetched(tile, c.start.buffer, false))
    fetch_rows(tile, {{c.start.buffer, c.start.base + Index(c.row) * c.start.stride_row + Index(c.column)}});
}

// Loads are fetched where the innermost loop alone takes long enough, stores where all loops over k together do.
bool Translator::is_fetched(const Tile& tile, int position, bool is_load) const {
  const kernel::Buffer& buffer = kernel_->buffers[static_cast<std::size_t>(position)];
  const std::int64_t bytes = buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
  if (is_load) return tile.contract.depth >= kFewestSteps && bytes > kNearBytes;
  return tile.steps() < kFewestSteps ? bytes >= kFarResult : bytes > kNearBytes;
}

std::vector<Translator::Rows> Translator::rows_of(const Tile& tile, const kernel::Block& ending) const {
  const Contract& c = tile.contract;
  std::vector<Rows> rows;
  const auto add = [&](int buffer, const Index& index, bool is_load) {
    if (!index.is_contiguous_in(c.column) || !index.depends_on(c.row) || !is_fetched(tile, buffer, is_load)) return;
    const Rows place(buffer, index);
    if (std::find(rows.begin(), rows.end(), place) == rows.end()) rows.push_back(place);
  };
  for (const kernel::Statement& statement : ending.statements) {
    if (const auto* define = std::get_if<kernel::Define>(&statement)) {
      if (define->value->opcode == kernel::Opcode::load && define->value->operands.empty())
        add(define->value->buffer, define->value->index, true);
    } else if (const auto* store = std::get_if<kernel::Store>(&statement)) {
      if (store->buffer != c.start.buffer) add(store->buffer, store->index, false);  // the start is near
    }
  }
  return rows;
}

void Translator::fetch_rows(const Tile& tile, const std::vector<Rows>& places) {
  for (const Rows& place : places)
    for (std::int64_t row = 0; row < tile.contract.rows; ++row) fetch_row(tile, place, Index(row));
}

void Translator::fetch_row(const Tile& tile, const Rows& place, const Index& row) {
  const Contract& c = tile.contract;
  const auto& [buffer, index] = place;
  const auto size = static_cast<std::int64_t>(size_of(dtype_of(buffer)));
  const auto fetch_line = [&](std::int64_t column) {
    replace(c.row, row);
    replace(c.column, Index(column));
    prefetch(address(buffer, resolve(index)).value, CacheLevel::first);
  };
  for (std::int64_t column = 0; column < c.columns; column += kLineBytes / size) fetch_line(column);
  if (c.columns * size % kLineBytes != 0) fetch_line(c.columns - 1);  // rows begin anywhere in a line
}

// Rows of a large matrix that are a few lines long and lie apart: nothing tells the hardware where the next one begins.
// Most often the next tile is the one below.
void Translator::fetch_rows_below(const Tile& tile) {
  const Contract& c = tile.contract;
  const kernel::Buffer& buffer = kernel_->buffers[static_cast<std::size_t>(c.a.buffer)];
  const auto size = static_cast<std::int64_t>(size_of(buffer.dtype));
  const bool short_rows =
      c.a.stride_depth == 1 && c.a.stride_column == 0 && c.a.run == 0 && c.depth * size <= kFewLines * kLineBytes;
  if (!short_rows || c.a.stride_row <= c.depth || c.depth == 0 || buffer.elements * size <= kNearBytes) return;
  for (std::int64_t row = c.rows; row < 2 * c.rows; ++row)
    for (std::int64_t k = 0; k < c.depth; k += kLineBytes / size)
      prefetch(b_.CreateConstGEP1_64(arithmetic_.type(buffer.dtype), tile.a.value,
                                     static_cast<std::uint64_t>(row * c.a.stride_row + k)),
               CacheLevel::first);
}

void Translator::prefetch(llvm::Value* from, CacheLevel to) {
  constexpr std::uint32_t kToRead = 0, kData = 1;
  const std::uint32_t locality = to == CacheLevel::first ? 3 : 2;
  b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {from->getType()},
                     {from, b_.getInt32(kToRead), b_.getInt32(locality), b_.getInt32(kData)});
}

// Is B a strip of a large matrix, a line or two out of each of its rows? Those are too many streams for the hardware to
// follow: each step fetches what lies beside it, which the next strip begins with.
bool Translator::is_far_panel(const Contract& c) const {
  const kernel::Buffer& b = kernel_->buffers[static_cast<std::size_t>(c.b.buffer)];
  const auto size = static_cast<std::int64_t>(size_of(b.dtype));
  return c.depth >= kFewestSteps && c.rows > 1 && c.b.stride_column == 1 && b.elements * size > kFarBytes &&
         c.b.stride_depth * size >= kFarRow;
}

// What `steps` steps from here on fetch. Of neighbouring steps in the code that move by less than a line, those that
// every line needs do.
void Translator::fetch_ahead(const Tile& tile, const Place& at, std::int64_t steps) {
  for (std::size_t f = 0; f < at.fetches.size(); ++f) {
    const Contract::Fetch& fetch = tile.contract.fetches[f];
    const DType dtype = dtype_of(fetch.buffer);
    const std::int64_t line = kLineBytes / static_cast<std::int64_t>(size_of(dtype));
    const std::int64_t steps_of_line = std::max<std::int64_t>(1, line / fetch.each);
    const auto [from, offset] = at.fetches[f];
    for (std::int64_t step = 0; step < steps; ++step) {
      if ((offset / fetch.each + step) % steps_of_line != 0) continue;
      for (std::int64_t each = 0; each < fetch.each; each += line)
        prefetch(b_.CreateConstGEP1_64(arithmetic_.type(dtype), from,
                                       static_cast<std::uint64_t>(offset + step * fetch.each + each)),
                 CacheLevel::second);
    }
  }
}

void Translator::fetch_beside(const Tile& tile, llvm::Value* b, std::int64_t offset) {
  const Contract& c = tile.contract;
  const DType dtype = dtype_of(c.b.buffer);
  const std::int64_t line = kLineBytes / static_cast<std::int64_t>(size_of(dtype));
  for (std::int64_t column = c.columns; column < 2 * c.columns; column += line)
    prefetch(b_.CreateConstGEP1_64(arithmetic_.type(dtype), b, static_cast<std::uint64_t>(offset + column)),
             CacheLevel::second);
}

}  // namespace pullback::codegen
