#include "compiler/codegen/contract_tile.h"

#include <bit>

namespace pullback::codegen {

using kernel::Contract;

namespace {

// Steps of k in one iteration: enough to hide the loop's own instructions among those of `sums` accumulators. An
// emulated fma hides them alone.
std::int64_t unroll(const Target& target, std::size_t sums) {
  constexpr std::size_t kManySums = 12;
  if (!target.has_fma) return 1;
  return sums >= kManySums ? 2 : 4;
}

// Steps of inner loops over k (the taps of a convolution's kernel) that are repeated in the code.
constexpr std::int64_t kWrittenSteps = 9;

// Statements of all copies of an epilogue; beyond, the tile goes to the stack and loops run the epilogue over it. That
// takes some instructions for each copy, which weigh little in a long epilogue (an optimizer's), but in a short one,
// such as an activation's, as much as the epilogue.
constexpr std::int64_t kEpilogueLimit = 300, kLongEpilogue = 16, kLongEpilogueLimit = 100;

std::size_t count_statements(const kernel::Block& block) {
  std::size_t count = 0;
  for (const kernel::Statement& statement : block.statements) {
    ++count;
    if (const auto* definition = std::get_if<kernel::Define>(&statement)) {
      if (definition->value->function) count += definition->value->function->body.statements.size();
    } else if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
      count += count_statements((*loop)->body);
    } else if (const auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
      count += count_statements((*branch)->then_block) + count_statements((*branch)->else_block);
    }
  }
  return count;
}

/// May the epilogue run twice for an element? Not if it reads what a store may have changed; what it reads for each
/// column may be that under another name, since kernels write in place.
bool may_be_repeated(const Contract& c, const kernel::Block& ending) {
  const auto& statements = ending.statements;
  const auto stores_to = [](int buffer) {
    return [buffer](const kernel::Statement& each) {
      const auto* store = std::get_if<kernel::Store>(&each);
      return store && store->buffer == buffer;
    };
  };
  return std::all_of(statements.begin(), statements.end(), [&](const kernel::Statement& each) {
    if (std::holds_alternative<kernel::Store>(each)) return true;
    const auto* define = std::get_if<kernel::Define>(&each);
    if (!define || define->value->opcode != kernel::Opcode::load) return define != nullptr;
    const kernel::Value& load = *define->value;
    return !load.index.depends_on(c.column) &&
           std::none_of(statements.begin(), statements.end(), stores_to(load.buffer));
  });
}

}  // namespace

Translator::Tile::Tile(const Contract& source, const Target& target)
    : contract(source), sum(source.accumulator->dtype), vector(target.lanes(sum)), loops(source.around) {
  for (std::int64_t column = 0; column < source.columns; column += vector) {
    const int active = static_cast<int>(std::min<std::int64_t>(vector, source.columns - column));
    // Beside whole vectors the last one is whole, too, or half of one, which some cores that have vectors of 64 bytes
    // take half as long for, or a quarter of one that rows share (contract_quarters.cpp).
    const bool halves = may_halve(target) && active <= vector / 2;
    joins_rows = column > 0 && may_join_rows(target) && active <= vector / 4;
    const int partial = joins_rows ? vector / 4 : halves ? vector / 2 : vector;
    const int width = column > 0 ? partial : static_cast<int>(std::bit_ceil(static_cast<unsigned>(active)));
    segments.push_back({column, width, active});
  }
  // Rather than a vector of which some lanes are masked, one that begins earlier.
  Segment& last = segments.back();
  const std::vector<const kernel::Block*> endings = this->endings();
  const bool repeats = std::all_of(endings.begin(), endings.end(), [&](const kernel::Block* ending) {
    return !stores_along_rows(*ending) && may_be_repeated(source, *ending);
  });
  if (last.active < last.width && source.columns >= vector && repeats)
    last = {source.columns - last.width, last.width, last.width};
  loops.push_back({source.depth, source.a.stride_depth, source.b.stride_depth});
  choose_written_out();
}

// Elements of A are loaded once more for half a vector, and those of B are vectors anyway.
bool Translator::Tile::may_halve(const Target& target) const {
  constexpr int kBytes = 64;
  return target.vector_bytes == kBytes && contract.a.stride_column == 0 && contract.b.stride_column == 1;
}

// Whether a row is in bounds must be known where the code is written: all loops that move it are repeated, or their
// first and last steps. So are the innermost loops, if they are short.
void Translator::Tile::choose_written_out() {
  written.assign(loops.size(), false);
  for (std::size_t level = 0; level < loops.size(); ++level) written[level] = bounds_rows(level) && !peels(level);
  written_out = loops.size();
  const auto more = [&](std::size_t level) {
    return written[level] || (!range(level) && written_steps * loops[level].extent <= kWrittenSteps);
  };
  while (written_out > 1 && more(written_out - 1)) {
    written_steps *= loops[--written_out].extent;
    written[written_out] = true;
  }
}

bool Translator::Tile::peels(std::size_t level) const {
  if (loops[level].extent <= kWrittenSteps) return false;
  return std::all_of(contract.bounds.begin(), contract.bounds.end(), [&](const Contract::Bound& bound) {
    if (bound.step_row == 0 || bound.steps[level] == 0) return true;
    return std::count(bound.steps.begin(), bound.steps.end(), 0) + 1 == std::ssize(bound.steps);
  });
}

std::pair<std::int64_t, std::int64_t> Translator::Tile::looped_steps(std::size_t level) const {
  if (written[level]) return {0, 0};
  std::int64_t first = 0, end = loops[level].extent;
  if (!bounds_rows(level)) return {first, end};
  std::vector<std::int64_t> steps(loops.size());
  const std::int64_t last = (contract.a.run == 0 ? contract.rows : contract.a.run) - 1;
  const auto have_all_rows = [&](std::int64_t step) {
    steps[level] = step;
    return std::all_of(contract.bounds.begin(), contract.bounds.end(), [&](const Contract::Bound& bound) {
      if (bound.step_row == 0 || bound.steps[level] == 0) return true;
      return is_within(bound, 0, steps) && is_within(bound, last, steps);
    });
  };
  while (first < end && !have_all_rows(first)) ++first;
  while (end > first && !have_all_rows(end - 1)) --end;
  return {first, end};
}

bool Translator::Tile::meets(std::int64_t steps) const {
  const std::int64_t rows = contract.a.run == 0 ? contract.rows : contract.a.run;
  const std::int64_t across = contract.a.stride_row, along = loops.back().stride_a;
  if (contract.copy.buffer >= 0 || rows < 2 || across <= 0 || along <= 0) return false;
  // Row r meets in step t what row r + 1 meets in an earlier one, or row r + 2, or ...
  for (std::int64_t step = 1; step < steps; ++step)
    if (step * along % across == 0 && step * along / across < rows) return true;
  return false;
}

bool Translator::Tile::meets_in_code(const Target& target) const {
  const std::int64_t rows = contract.a.run == 0 ? contract.rows : contract.a.run, across = contract.a.stride_row;
  for (std::size_t level = 0; level < loops.size() && across > 0; ++level) {
    const std::int64_t along = loops[level].stride_a, extent = loops[level].extent;
    const bool all = written[level] || bounds_rows(level);
    const std::int64_t steps = all ? extent : std::min(extent, unrolled_steps(level, target));
    for (std::int64_t step = 1; step < steps && along > 0; ++step)
      if (step * along % across == 0 && step * along / across < rows) return true;
  }
  return false;
}

bool Translator::Tile::slides(const Target& target) const {
  if (!written.back()) return false;
  const auto vectors = static_cast<std::int64_t>(segments.size());
  const std::int64_t filters = loops.back().extent * (contract.b.stride_column == 0 ? 1 : vectors);
  return meets(loops.back().extent) && sums() + filters < target.vector_registers;
}

std::int64_t Translator::Tile::sliding_steps(const Target& target) const {
  constexpr std::int64_t kMostSteps = 8;
  const std::size_t level = loops.size() - 1;
  if (written[level] || range(level) || contract.b.stride_column == 0 || target.vector_registers < 32) return 0;
  const auto [first, end] = looped_steps(level);
  const auto vectors = static_cast<std::int64_t>(segments.size());
  const std::int64_t most = std::min(kMostSteps, (target.vector_registers - 1 - sums()) / vectors);
  if (most < 2 || end - first < 2) return 0;
  const std::int64_t iterations = (end - first + most - 1) / most, steps = (end - first) / iterations;
  return meets(steps) ? steps : 0;
}

std::int64_t Translator::Tile::elements_together(const Target& target, std::int64_t steps) const {
  // A step's products wait four cycles for those of the step before, and a core begins one or two in each.
  constexpr std::int64_t kEnough = 8;
  if (contract.a.stride_column != 0) return 1;
  const std::int64_t filters = steps * static_cast<std::int64_t>(segments.size());
  return std::clamp<std::int64_t>(target.vector_registers - 1 - sums() - filters, 1, kEnough);
}

std::int64_t Translator::Tile::unrolled_steps(std::size_t level, const Target& target) const {
  if (level + 1 != written_out) return 1;
  if (joins_rows) return segments.back().width;
  if (const std::int64_t steps = level + 1 == loops.size() ? sliding_steps(target) : 0) return steps;
  return std::max<std::int64_t>(1, unroll(target, static_cast<std::size_t>(sums())) / written_steps);
}

// How often a step of all loops together stands in the code: see contract_loops().
std::int64_t Translator::Tile::steps_in_code(const Target& target) const {
  std::int64_t count = 1;
  for (std::size_t level = 0; level < loops.size(); ++level) {
    if (range(level)) continue;
    const auto [first, end] = looped_steps(level);
    const std::int64_t looped = end - first, steps = unrolled_steps(level, target);
    const std::int64_t written_in_code = loops[level].extent - looped;
    count *= written_in_code + (looped / steps > 1 ? steps + looped % steps : looped);
  }
  return count;
}

const kernel::If* Translator::Tile::choice() const {
  const auto& statements = contract.epilogue.statements;
  const auto* choice = statements.size() == 1 ? std::get_if<std::unique_ptr<kernel::If>>(&statements.front()) : nullptr;
  return choice ? choice->get() : nullptr;
}

std::vector<const kernel::Block*> Translator::Tile::endings() const {
  const kernel::If* choice = this->choice();
  if (!choice) return {&contract.epilogue};
  return {&choice->then_block, &choice->else_block};
}

// Are neighbours in memory those of a column, in all that is stored?
bool Translator::Tile::stores_along_rows(const kernel::Block& ending) const {
  const Contract& c = contract;
  if (c.rows < 2 || c.rows > vector) return false;
  bool stores = false;
  for (const kernel::Statement& statement : ending.statements) {
    if (std::holds_alternative<kernel::Define>(statement)) continue;
    const auto* store = std::get_if<kernel::Store>(&statement);
    if (!store || !store->index.is_contiguous_in(c.row) || store->index.is_contiguous_in(c.column)) return false;
    stores = true;
  }
  return stores;
}

bool Translator::Tile::is_long(const kernel::Block& ending) {
  return count_statements(ending) >= kLongEpilogue;
}

Translator::Tile::Epilogue Translator::Tile::epilogue(const kernel::Block& ending) const {
  const auto statements = static_cast<std::int64_t>(count_statements(ending));
  const std::int64_t limit = is_long(ending) ? kLongEpilogueLimit : kEpilogueLimit;
  if (stores_along_rows(ending))
    return statements * contract.columns <= limit ? Epilogue::transposed : Epilogue::transposed_looped;
  if (statements * sums() > limit && contract.rows > 1) return Epilogue::looped;
  return Epilogue::repeated;
}

// How often an epilogue stands in the code.
std::int64_t Translator::Tile::copies_of(const kernel::Block& ending) const {
  switch (epilogue(ending)) {
    case Epilogue::repeated:
      return sums();
    case Epilogue::transposed:
      return contract.columns;
    case Epilogue::looped:
      return static_cast<std::int64_t>(segments.size());
    case Epilogue::transposed_looped:
      return 1;
  }
  return 1;
}

std::int64_t Translator::code_size(const Contract& source, const Target& target,
                                   const std::function<std::int64_t(const kernel::Block&)>& size_of) {
  const Tile tile(source, target);
  const std::int64_t operands = source.rows + static_cast<std::int64_t>(tile.segments.size());
  std::int64_t size = (tile.sums() + operands) * tile.steps_in_code(target);
  if (source.start.buffer >= 0) size += tile.sums();
  for (const kernel::Block* ending : tile.endings()) size += tile.copies_of(*ending) * size_of(*ending);
  return size;
}

}  // namespace pullback::codegen
