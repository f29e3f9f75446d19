// Translator: register tiles of contractions. rows x segments accumulators are SSA values that a loop over k carries;
// each k loads one vector of B for each segment, or broadcasts an element, and for each row broadcasts one element of
// A, or loads as many vectors of A.
#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/Intrinsics.h>

#include <pullback/error.h>

#include "compiler/codegen/contract_tile.h"
#include "compiler/codegen/pass_gate.h"

namespace pullback::codegen {

using kernel::Contract;
using kernel::Index;
using kernel::LoopVar;

void Translator::contract(const Contract& source) {
  function_->addFnAttr(kInOrder);
  Tile tile(source, context_.target());
  if (source.depth > 0) {
    tile.a = address(source.a.buffer, resolve(source.a.base));
    tile.b = address(source.b.buffer, resolve(source.b.base));
    if (source.copy.buffer >= 0) tile.copy = address(source.copy.buffer, resolve(source.copy.base));
  }
  tile.fetches_beside = is_far_panel(source);
  if (source.start.buffer >= 0) tile.start = address(source.start.buffer, resolve(source.start.base));
  std::vector<llvm::Value*> sums = start_tile(tile);
  fetch_for_epilogue(tile);
  fetch_rows_below(tile);
  if (source.depth > 0) {
    Place begin{tile.a.value, tile.b.value, tile.copy.value, 0, 0, 0, std::vector<std::int64_t>(tile.loops.size()), {}};
    for (const Contract::Fetch& fetch : source.fetches)
      begin.fetches.emplace_back(address(fetch.buffer, resolve(fetch.base)).value, 0);
    contract_loops(tile, 0, begin, sums);
  }
  epilogues(tile, sums);
}

std::vector<llvm::Value*> Translator::start_tile(const Tile& tile) {
  const Contract::Start& start = tile.contract.start;
  if (start.buffer < 0) return zeros(tile);
  if (!start.condition) return load_start(tile);
  std::vector<llvm::Value*> loaded, sums = zeros(tile);
  llvm::BasicBlock *loads = nullptr, *none = nullptr;
  either(
      get(start.condition).value,
      [&] {
        loaded = load_start(tile);
        loads = b_.GetInsertBlock();
      },
      [&] {
        fetch_for_partial_sums(tile);
        none = b_.GetInsertBlock();
      });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    llvm::PHINode* sum = b_.CreatePHI(sums[i]->getType(), 2);
    sum->addIncoming(loaded[i], loads);
    sum->addIncoming(sums[i], none);
    sums[i] = sum;
  }
  return sums;
}

std::vector<llvm::Value*> Translator::zeros(const Tile& tile) const {
  std::vector<llvm::Value*> sums;
  for (std::int64_t row = 0; row < tile.contract.rows; ++row)
    for (const Segment& segment : tile.segments)
      sums.push_back(llvm::Constant::getNullValue(arithmetic_.type(tile.sum, segment.width)));
  return sums;
}

std::vector<llvm::Value*> Translator::load_start(const Tile& tile) {
  const Contract& c = tile.contract;
  std::vector<llvm::Value*> sums;
  llvm::Type* element = arithmetic_.type(tile.sum);
  for (std::int64_t row = 0; row < c.rows; ++row) {
    for (const Segment& segment : tile.segments) {
      llvm::Type* type = arithmetic_.type(tile.sum, segment.width);
      const auto offset = static_cast<std::uint64_t>(row * c.start.stride_row + segment.offset);
      llvm::Value* pointer = b_.CreateConstGEP1_64(element, tile.start.value, offset);
      const llvm::Align align = alignment(c.start.buffer);
      if (segment.active == segment.width)
        sums.push_back(b_.CreateAlignedLoad(type, pointer, align));
      else
        sums.push_back(b_.CreateMaskedLoad(type, pointer, align, tail_mask(segment.width, segment.active),
                                           llvm::Constant::getNullValue(type)));
    }
  }
  return sums;
}

/// `active` elements of an operand as a vector of `width` lanes.
llvm::Value* Translator::load_operand(DType dtype, llvm::Value* base, std::int64_t offset, int width, int active) {
  llvm::Type* type = arithmetic_.type(dtype, width);
  llvm::Value* from = b_.CreateConstGEP1_64(arithmetic_.type(dtype), base, static_cast<std::uint64_t>(offset));
  const llvm::Align align(size_of(dtype));
  if (active == width) return b_.CreateAlignedLoad(type, from, align);
  return b_.CreateMaskedLoad(type, from, align, tail_mask(width, active), llvm::Constant::getNullValue(type));
}

/// One element of an operand. `again`: not by the load that was written before, which is one of another type.
llvm::Value* Translator::load_element(DType dtype, llvm::Value* base, std::int64_t offset, bool again) {
  if (!again) return load_operand(dtype, base, offset, 1, 1);
  llvm::Type* type = arithmetic_.type(dtype);
  llvm::Value* from = b_.CreateConstGEP1_64(type, base, static_cast<std::uint64_t>(offset));
  llvm::Value* vector = b_.CreateAlignedLoad(llvm::FixedVectorType::get(type, 1), from, llvm::Align(size_of(dtype)));
  return b_.CreateExtractElement(vector, std::uint64_t{0});
}

/// Columns of B go to the copy: as they were loaded, or converted.
void Translator::copy_columns(const Tile& tile, const Place& at, std::int64_t offset, const Segment& segment,
                              llvm::Value* loaded, llvm::Value* converted) {
  const Contract& c = tile.contract;
  const DType to = dtype_of(c.copy.buffer);
  llvm::Value* pointer =
      b_.CreateConstGEP1_64(arithmetic_.type(to), at.copy, static_cast<std::uint64_t>(offset + segment.offset));
  store_first(to == dtype_of(c.b.buffer) ? loaded : converted, segment.active, pointer, llvm::Align(size_of(to)),
              false);
}

void Translator::tile_step(const Tile& tile, const Place& at, std::vector<llvm::Value*>& sums) {
  const Contract& c = tile.contract;
  const bool pairs = kernel::is_of_pairs(*kernel_, c);
  llvm::SmallVector<std::int64_t, 16> rows;
  for (std::int64_t row = 0; row < c.rows; ++row)
    if (tile.has_row(row, at.steps)) rows.push_back(row);
  if (rows.empty()) return;
  keep_order();
  llvm::Value* const a = tile.meets_in_code(context_.target()) ? another(at.a) : at.a;
  const auto factor_of = [&](llvm::Value* loaded, DType from) {
    return pairs ? loaded : arithmetic_.convert(loaded, from, tile.sum);
  };
  const DType a_type = dtype_of(c.a.buffer), b_type = dtype_of(c.b.buffer);
  llvm::SmallVector<llvm::Value*, 4> columns;
  llvm::Value* filter =
      c.b.stride_column == 0 ? factor_of(load_operand(b_type, at.b, at.b_offset, 1, 1), b_type) : nullptr;
  for (const Segment& segment : tile.segments) {
    if (filter) {
      columns.push_back(arithmetic_.splat(filter, segment.width));
      continue;
    }
    llvm::Value* loaded = load_operand(b_type, at.b, at.b_offset + segment.offset, segment.width, segment.active);
    columns.push_back(factor_of(loaded, b_type));
    if (at.copy) copy_columns(tile, at, at.copy_offset, segment, loaded, columns.back());
  }
  if (tile.fetches_beside) fetch_beside(tile, at.b, at.b_offset);
  fetch_ahead(tile, at, 1);
  const auto multiply = [&](std::size_t first, std::size_t end) {
    for (const std::int64_t row : rows) {
      const std::int64_t offset = at.a_offset + c.a.of_row(row);
      llvm::Value* scalar =
          c.a.stride_column == 0 ? factor_of(load_element(a_type, a, offset, first > 0), a_type) : nullptr;
      for (std::size_t s = first; s < end; ++s) {
        const Segment& segment = tile.segments[s];
        llvm::Value* factor =
            scalar ? arithmetic_.splat(scalar, segment.width)
                   : factor_of(load_operand(a_type, a, offset + segment.offset, segment.width, segment.active), a_type);
        llvm::Value*& sum = sums[tile.at(row, s)];
        sum = pairs ? arithmetic_.fma_of_pairs(factor, columns[s], sum) : arithmetic_.fma(factor, columns[s], sum);
      }
    }
  };
  const std::size_t equal = tile.equal_segments();
  multiply(0, equal);
  if (equal == tile.segments.size()) return;
  keep_order();
  multiply(equal, tile.segments.size());
}

// Steps of the innermost loop, by elements of A: what several rows read, each in another step, is loaded once. The
// steps of a row remain in order, since steps go forward in A. Which rows take part may depend on the step only where
// the loop is repeated in the code.
void Translator::tile_steps_sliding(const Tile& tile, const Place& at, std::int64_t count,
                                    std::vector<llvm::Value*>& sums) {
  const Contract& c = tile.contract;
  const Contract::Around& taps = tile.loops.back();
  const DType a_type = dtype_of(c.a.buffer), b_type = dtype_of(c.b.buffer);
  keep_order();
  fetch_ahead(tile, at, count);
  std::vector<std::vector<llvm::Value*>> filters(static_cast<std::size_t>(count));
  std::map<std::int64_t, std::vector<std::pair<std::int64_t, std::int64_t>>> readers;  // rows and their steps
  struct Product {
    std::int64_t tap, row;
    std::size_t segment;
    llvm::Value* elements;
  };
  for (std::int64_t tap = 0; tap < count; ++tap) {
    std::vector<std::int64_t> steps = at.steps;
    if (tile.written.back()) steps.back() = tap;
    for (std::int64_t row = 0; row < c.rows; ++row)
      if (tile.has_row(row, steps)) readers[c.a.of_row(row) + tap * taps.stride_a].emplace_back(row, tap);
    const std::int64_t offset = at.b_offset + tap * taps.stride_b;
    llvm::Value* one = c.b.stride_column == 0 ? load_operand(b_type, at.b, offset, 1, 1) : nullptr;
    if (one) one = arithmetic_.convert(one, b_type, tile.sum);
    for (const Segment& segment : tile.segments)
      filters[static_cast<std::size_t>(tap)].push_back(
          one ? arithmetic_.splat(one, segment.width)
              : arithmetic_.convert(load_operand(b_type, at.b, offset + segment.offset, segment.width, segment.active),
                                    b_type, tile.sum));
  }
  const auto elements_for = [&](const Segment& segment, std::int64_t offset, bool again) {
    const bool is_one = c.a.stride_column == 0;
    llvm::Value* loaded = is_one ? load_element(a_type, at.a, offset, again)
                                 : load_operand(a_type, at.a, offset + segment.offset, segment.width, segment.active);
    llvm::Value* factor = arithmetic_.convert(loaded, a_type, tile.sum);
    return is_one ? arithmetic_.splat(factor, segment.width) : factor;
  };
  // Products of a row that follow each other wait for each other: some elements are loaded together, and what they are
  // for goes step by step.
  const std::int64_t all = std::ssize(readers), most = tile.elements_together(context_.target(), count);
  const std::int64_t parts = (all + most - 1) / most, together = (all + parts - 1) / parts;
  const auto multiply = [&](std::size_t first, std::size_t behind) {
    for (auto reader = readers.begin(); reader != readers.end();) {
      keep_order();
      std::vector<Product> products;
      for (std::int64_t i = 0; i < together && reader != readers.end(); ++i, ++reader)
        for (std::size_t s = first; s < behind; ++s) {
          llvm::Value* elements = elements_for(tile.segments[s], at.a_offset + reader->first, first > 0);
          for (const auto& [row, tap] : reader->second) products.push_back({tap, row, s, elements});
        }
      std::stable_sort(products.begin(), products.end(),
                       [](const Product& x, const Product& y) { return x.tap < y.tap; });
      for (const Product& product : products) {
        llvm::Value*& sum = sums[tile.at(product.row, product.segment)];
        sum = arithmetic_.fma(product.elements, filters[static_cast<std::size_t>(product.tap)][product.segment], sum);
      }
    }
  };
  multiply(0, tile.equal_segments());
  multiply(tile.equal_segments(), tile.segments.size());
}

// LLVM's instruction selection brings together loads from near addresses: the columns of several steps, for which
// registers are missing then. No load crosses an empty assembly statement, which costs nothing else.
void Translator::keep_order() {
  llvm::InlineAsm* nothing =
      llvm::InlineAsm::get(llvm::FunctionType::get(b_.getVoidTy(), false), "", "", /*hasSideEffects=*/true);
  b_.CreateCall(nothing)->setMemoryEffects(llvm::MemoryEffects::inaccessibleMemOnly());
}

// The same address, of which nothing else is known: what is loaded from it again is loaded.
llvm::Value* Translator::another(llvm::Value* address) {
  llvm::InlineAsm* nothing = llvm::InlineAsm::get(
      llvm::FunctionType::get(address->getType(), {address->getType()}, false), "", "=r,0", /*hasSideEffects=*/true);
  llvm::CallInst* call = b_.CreateCall(nothing, {address});
  call->setMemoryEffects(llvm::MemoryEffects::inaccessibleMemOnly());
  return call;
}

// The loops from `level` on. Those from tile.written_out on are repeated in the code, and so are some steps of the one
// before them, and those of which some rows take no part.
void Translator::contract_loops(const Tile& tile, std::size_t level, const Place& at, std::vector<llvm::Value*>& sums) {
  if (tile.joins_rows) return contract_joined(tile, at, sums);
  if (level == tile.loops.size()) return tile_step(tile, at, sums);
  if (level + 1 == tile.loops.size() && !tile.range(level) && !kernel::is_of_pairs(*kernel_, tile.contract) &&
      tile.slides(context_.target()))
    return tile_steps_sliding(tile, at, tile.loops.back().extent, sums);
  if (const Contract::Bound* bound = tile.range(level)) return contract_range(tile, level, *bound, at, sums);
  const Contract::Around& loop = tile.loops[level];
  const auto step = [&](const Place& from, std::int64_t i, std::vector<llvm::Value*>& state) {
    Place next = from;
    next.a_offset += i * loop.stride_a;
    next.b_offset += i * loop.stride_b;
    next.copy_offset += i * tile.contract.copy.stride_depth;
    for (std::size_t f = 0; f < next.fetches.size(); ++f)
      next.fetches[f].second += i * tile.steps_within(level) * tile.contract.fetches[f].each;
    contract_loops(tile, level + 1, next, state);
  };
  const bool slides = level + 1 == tile.loops.size() && !kernel::is_of_pairs(*kernel_, tile.contract) &&
                      tile.sliding_steps(context_.target()) > 0;
  const auto [first, end] = tile.looped_steps(level);
  const std::int64_t steps = tile.unrolled_steps(level, context_.target()), whole = (end - first) / steps * steps;
  for (std::int64_t i = 0; i < loop.extent; ++i) {
    if (i == first && whole > steps) {
      const auto number = [&](std::int64_t value) { return b_.getInt64(static_cast<std::uint64_t>(value)); };
      sums = counted_loop("k", number(first), number(first + whole), steps, sums,
                          [&](Bound position, std::span<llvm::Value* const> carried) {
                            std::vector<llvm::Value*> next(carried.begin(), carried.end());
                            Place here = moved(tile, level, at, position.value);
                            here.steps[level] = first;
                            if (slides) tile_steps_sliding(tile, here, steps, next);
                            for (std::int64_t u = 0; u < steps && !slides; ++u) step(here, u, next);
                            return next;
                          });
      i += whole;
      if (i == loop.extent) break;
    }
    Place here = at;
    here.steps[level] = i;
    if (slides && i >= first && i < end) {
      const std::int64_t count = std::min(steps, end - i);
      here.a_offset += i * loop.stride_a;
      here.b_offset += i * loop.stride_b;
      for (std::size_t f = 0; f < here.fetches.size(); ++f) here.fetches[f].second += i * tile.contract.fetches[f].each;
      tile_steps_sliding(tile, here, count, sums);
      i += count - 1;
      continue;
    }
    step(here, i, sums);
  }
}

/// Where iteration `position` of a loop begins.
Translator::Place Translator::moved(const Tile& tile, std::size_t level, const Place& at, llvm::Value* position) {
  const Contract::Around& loop = tile.loops[level];
  const auto move = [&](int buffer, llvm::Value* base, std::int64_t stride, std::int64_t offset) {
    llvm::Type* element = arithmetic_.type(dtype_of(buffer));
    llvm::Value* distance = position;
    if (stride != 1) distance = b_.CreateMul(distance, b_.getInt64(static_cast<std::uint64_t>(stride)));
    llvm::Value* start = offset ? b_.CreateConstGEP1_64(element, base, static_cast<std::uint64_t>(offset)) : base;
    return b_.CreateGEP(element, start, distance);
  };
  const Contract& c = tile.contract;
  llvm::Value* copy = at.copy ? move(c.copy.buffer, at.copy, c.copy.stride_depth, at.copy_offset) : nullptr;
  llvm::Value* a = move(c.a.buffer, at.a, loop.stride_a, at.a_offset);
  llvm::Value* b = move(c.b.buffer, at.b, loop.stride_b, at.b_offset);
  Place moved{a, b, copy, 0, 0, 0, at.steps, {}};
  for (std::size_t f = 0; f < at.fetches.size(); ++f) {
    const Contract::Fetch& fetch = c.fetches[f];
    const auto [from, offset] = at.fetches[f];
    moved.fetches.emplace_back(move(fetch.buffer, from, fetch.each * tile.steps_within(level), offset), 0);
  }
  return moved;
}

// A loop of which only a range of iterations lies within a bound.
void Translator::contract_range(const Tile& tile, std::size_t level, const Contract::Bound& bound, const Place& at,
                                std::vector<llvm::Value*>& sums) {
  const Contract::Around& loop = tile.loops[level];
  const auto number = [&](std::int64_t value) { return b_.getInt64(static_cast<std::uint64_t>(value)); };
  // The first iteration at or beyond `distance` from the base.
  const auto first_at = [&](llvm::Value* distance) {
    distance = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, distance, number(0));
    if (bound.steps[level] != 1)
      distance = b_.CreateUDiv(b_.CreateAdd(distance, number(bound.steps[level] - 1)), number(bound.steps[level]));
    return b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, distance, number(loop.extent));
  };
  llvm::Value* base = scalar_index(resolve(bound.base)).value;
  llvm::Value* begin = first_at(b_.CreateNeg(base));
  llvm::Value* end = first_at(b_.CreateSub(number(bound.size), base));
  llvm::BasicBlock *before = b_.GetInsertBlock(), *some = new_block("some"), *after = new_block("none");
  scopes_.push_back({b_.CreateCondBr(b_.CreateICmpULT(begin, end), some, after), true});
  b_.SetInsertPoint(some);
  const std::vector<llvm::Value*> computed =
      counted_loop("k", begin, end, 1, sums, [&](Bound position, std::span<llvm::Value* const> carried) {
        std::vector<llvm::Value*> next(carried.begin(), carried.end());
        contract_loops(tile, level + 1, moved(tile, level, at, position.value), next);
        return next;
      });
  scopes_.pop_back();
  llvm::BasicBlock* last = b_.GetInsertBlock();
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    llvm::PHINode* either = b_.CreatePHI(sums[i]->getType(), 2);
    either->addIncoming(sums[i], before);
    either->addIncoming(computed[i], last);
    sums[i] = either;
  }
}

void Translator::epilogues(const Tile& tile, const std::vector<llvm::Value*>& sums) {
  const kernel::If* choice = tile.choice();
  if (!choice) return ending(tile, tile.contract.epilogue, sums);
  either(
      get(choice->condition).value, [&] { ending(tile, choice->then_block, sums); },
      [&] { ending(tile, choice->else_block, sums); });
}

void Translator::ending(const Tile& tile, const kernel::Block& block, const std::vector<llvm::Value*>& sums) {
  const Tile::Epilogue how = tile.epilogue(block);
  if (how == Tile::Epilogue::transposed || how == Tile::Epilogue::transposed_looped)
    return ending_transposed(tile, block, sums);
  if (how == Tile::Epilogue::looped) return ending_by_loop(tile, block, sums);
  for (std::size_t s = 0; s < tile.segments.size(); ++s)
    for (std::int64_t row = 0; row < tile.contract.rows; ++row)
      ending_of_row(tile, block, Index(row), tile.segments[s], sums[tile.at(row, s)]);
}

// The tile is transposed in registers: lanes are rows.
void Translator::ending_transposed(const Tile& tile, const kernel::Block& block,
                                   const std::vector<llvm::Value*>& sums) {
  const std::int64_t rows = tile.contract.rows;
  const auto width = static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(rows)));
  std::vector<llvm::Value*> columns;
  for (std::size_t s = 0; s < tile.segments.size(); ++s) {
    const Segment& segment = tile.segments[s];
    const int side = std::max(width, segment.width);
    llvm::SmallVector<int, 16> widen(static_cast<std::size_t>(side), -1), narrow;
    for (int lane = 0; lane < segment.width; ++lane) widen[static_cast<std::size_t>(lane)] = lane;
    for (int lane = 0; lane < width; ++lane) narrow.push_back(lane);
    std::vector<llvm::Value*> square(static_cast<std::size_t>(side),
                                     llvm::Constant::getNullValue(arithmetic_.type(tile.sum, side)));
    for (std::int64_t row = 0; row < rows; ++row) {
      llvm::Value* sum = sums[tile.at(row, s)];
      if (width_of(sum) == 1) sum = b_.CreateInsertElement(arithmetic_.constant(tile.sum, 0, 2), sum, std::uint64_t{0});
      square[static_cast<std::size_t>(row)] = segment.width < side ? b_.CreateShuffleVector(sum, widen) : sum;
    }
    transpose_square(square);
    for (int column = 0; column < segment.active; ++column) {
      llvm::Value* sum = square[static_cast<std::size_t>(column)];
      columns.push_back(width < side ? b_.CreateShuffleVector(sum, narrow) : sum);
    }
  }
  if (tile.epilogue(block) == Tile::Epilogue::transposed_looped)
    return epilogue_loop("column", {columns}, [&](const Index& column, std::size_t, llvm::Value* sum) {
      ending_of_column(tile, block, column, sum);
    });
  for (std::size_t column = 0; column < columns.size(); ++column)
    ending_of_column(tile, block, Index(static_cast<std::int64_t>(column)), columns[column]);
}

void Translator::ending_of_row(const Tile& tile, const kernel::Block& block, const Index& row, const Segment& segment,
                               llvm::Value* sum) {
  ending(tile, block, segment.width, segment.active, sum, [&](const LoopVar& lane) {
    replace(tile.contract.row, row);
    replace(tile.contract.column, segment.width == 1 ? Index(segment.offset) : segment.offset + Index(lane));
  });
}

void Translator::ending_of_column(const Tile& tile, const kernel::Block& block, const Index& column, llvm::Value* sum) {
  ending(tile, block, width_of(sum), static_cast<int>(tile.contract.rows), sum, [&](const LoopVar& lane) {
    replace(tile.contract.row, Index(lane));
    replace(tile.contract.column, column);
  });
}

// `place` says what row and column of the lanes are.
void Translator::ending(const Tile& tile, const kernel::Block& statements, int width, int active, llvm::Value* sum,
                        const std::function<void(const LoopVar& lane)>& place) {
  const Lanes around = lanes_;
  Unrolled* unrolled = std::exchange(unrolled_, nullptr);
  lanes_ = {width, active, new_variable(active), nullptr};
  place(*lanes_.lane);
  bind(tile.contract.accumulator, here(sum));
  block(statements);
  unrolled_ = unrolled;
  lanes_ = around;
}

// A loop over the rows. Its body treats the row's segments one after the other, which do not wait for each other.
void Translator::ending_by_loop(const Tile& tile, const kernel::Block& block, const std::vector<llvm::Value*>& sums) {
  epilogue_loop("row", by_segment(tile, sums), [&](const Index& row, std::size_t s, llvm::Value* sum) {
    ending_of_row(tile, block, row, tile.segments[s], sum);
  });
}

std::vector<std::vector<llvm::Value*>> Translator::by_segment(const Tile& tile, std::span<llvm::Value* const> sums) {
  std::vector<std::vector<llvm::Value*>> segments(tile.segments.size());
  for (std::size_t i = 0; i < sums.size(); ++i) segments[i % segments.size()].push_back(sums[i]);
  return segments;
}

// The vectors of each part on the stack, and a loop over positions in all of them at once, which are equally long.
void Translator::epilogue_loop(const std::string& name, const std::vector<std::vector<llvm::Value*>>& parts,
                               const EndPosition& body) {
  const Parked parked = space_for(parts);
  park(parts, parked);
  const auto count = static_cast<std::int64_t>(parts.front().size());
  counted_loop(name, b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(count)), 1, {},
               [&](Bound position, std::span<llvm::Value* const>) {
                 end_position(parked, count, position, body);
                 return std::vector<llvm::Value*>{};
               });
}

Translator::Parked Translator::space_for(const std::vector<std::vector<llvm::Value*>>& parts) {
  llvm::IRBuilderBase::InsertPointGuard guard(b_);
  llvm::BasicBlock& entry = function_->getEntryBlock();
  b_.SetInsertPoint(&entry, entry.getFirstInsertionPt());
  Parked parked;
  for (const std::vector<llvm::Value*>& part : parts) {
    parked.push_back(b_.CreateAlloca(llvm::ArrayType::get(part.front()->getType(), part.size())));
    parked.back()->setAlignment(llvm::Align(64));
  }
  return parked;
}

void Translator::park(const std::vector<std::vector<llvm::Value*>>& parts, const Parked& parked) {
  for (std::size_t part = 0; part < parts.size(); ++part)
    for (std::size_t i = 0; i < parts[part].size(); ++i)
      b_.CreateStore(parts[part][i], b_.CreateConstGEP1_64(parts[part][i]->getType(), parked[part], i));
}

void Translator::end_position(const Parked& parked, std::int64_t count, Bound position, const EndPosition& body) {
  const LoopVar* variable = new_variable(count);
  variables_[variable] = {std::nullopt, position, 1};
  for (std::size_t part = 0; part < parked.size(); ++part) {
    llvm::Type* type = parked[part]->getAllocatedType()->getArrayElementType();
    body(Index(*variable), part, b_.CreateLoad(type, b_.CreateGEP(type, parked[part], position.value)));
  }
}

}  // namespace pullback::codegen
