// Translator: loads whose lanes read elements near each other, though not one by one: every second element, or each
// element in two lanes (as what is spread or pooled is read). A vector or two hold all of them, and a shuffle brings
// each into its lanes.
#include <algorithm>
#include <bit>
#include <numeric>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Atom;
using kernel::Index;
using kernel::LoopVar;

namespace {

/// Lanes that may read one element under a mask: for each, what the mask says is shuffled once.
constexpr std::int64_t kMostReaders = 4;

}  // namespace

// Nothing, unless how far lanes are apart is known as code is written. Lanes beyond a tail are where the first one is.
std::optional<Translator::NearLanes> Translator::near_lanes(const Index& index) {
  NearLanes near{Index(index.constant()), std::vector<std::int64_t>(static_cast<std::size_t>(lanes_.width))};
  for (const kernel::Term& term : index.terms()) {
    bool depends = false, is_known = true;
    const auto look = [&](const Atom& a) {
      const bool is_lane = a.kind == Atom::Kind::variable && a.variable == lanes_.lane;
      depends |= is_lane || (a.kind == Atom::Kind::dynamic && get(a.value).varies());
      is_known &= is_lane || a.kind == Atom::Kind::floordiv || a.kind == Atom::Kind::mod;
    };
    const Index part{term};
    part.for_each_atom(look);
    if (!depends) {
      near.base += part;
      continue;
    }
    if (!is_known) return std::nullopt;
    for (int lane = 0; lane < lanes_.active; ++lane)
      near.offsets[static_cast<std::size_t>(lane)] +=
          part.evaluate([&](const LoopVar&) { return lane; }, [](const kernel::Value&) { return 0; });
  }
  const auto active = near.offsets.begin() + lanes_.active;
  std::fill(active, near.offsets.end(), near.offsets.front());
  const auto [low, high] = std::minmax_element(near.offsets.begin(), active);
  const std::int64_t least = *low;
  near.span = *high - least + 1;
  near.base += Index(least);
  for (std::int64_t& offset : near.offsets) offset -= least;
  return near.span > 1 && near.span <= 2 * lanes_.width ? std::optional(near) : std::nullopt;
}

// Null where that takes more than a few instructions.
llvm::Value* Translator::load_near(int buffer, const NearLanes& near, Bound predicate, llvm::Value* fallback,
                                   int& depth) {
  const DType dtype = dtype_of(buffer);
  const std::int64_t width = lanes_.width,
                     piece = std::min(width,
                                      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(near.span))));
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const bool is_masked = lanes_.mask || predicate.varies();
  if (is_masked && (!context_.target().has_masks || size < 4 || readers(near) > kMostReaders)) return nullptr;
  if (predicate.value && !is_masked && near.span * size > ModuleContext::kBlankBytes) return nullptr;
  const Bound where = address(buffer, near.base);
  depth = is_masked || predicate.value ? this->depth() : std::max(depth, where.depth);
  AtDepth insert(*this, depth);
  llvm::Value* pointer = where.value;
  if (predicate.value && !is_masked) pointer = b_.CreateSelect(predicate.value, pointer, context_.blank());
  llvm::Value* lanes = is_masked ? mask(predicate.value) : nullptr;
  llvm::Type* type = arithmetic_.memory_type(dtype, static_cast<int>(piece));
  const auto part = [&](std::int64_t first) -> llvm::Value* {
    llvm::Value* from =
        b_.CreateConstGEP1_64(arithmetic_.memory_type(dtype), pointer, static_cast<std::uint64_t>(first));
    if (!lanes) return b_.CreateAlignedLoad(type, from, alignment(buffer));
    return b_.CreateMaskedLoad(type, from, alignment(buffer), readers_of(near, lanes, first, piece),
                               llvm::Constant::getNullValue(type));
  };
  llvm::Value* first = part(0);
  llvm::Value* second = near.span > piece ? part(near.span - piece) : first;
  llvm::SmallVector<int, 16> places;
  for (const std::int64_t offset : near.offsets)
    places.push_back(static_cast<int>(offset < piece ? offset : offset - (near.span - piece) + piece));
  llvm::Value* result = b_.CreateShuffleVector(first, second, places);
  if (!fallback) return result;
  return b_.CreateSelect(is_masked ? lanes : at_width(predicate.value, lanes_.width), result, fallback);
}

std::int64_t Translator::readers(const NearLanes& near) const {
  std::vector<std::int64_t> count(static_cast<std::size_t>(near.span));
  for (int lane = 0; lane < lanes_.active; ++lane)
    ++count[static_cast<std::size_t>(near.offsets[static_cast<std::size_t>(lane)])];
  return *std::max_element(count.begin(), count.end());
}

// Of elements first, first + 1, ..., those that some lane reads.
llvm::Value* Translator::readers_of(const NearLanes& near, llvm::Value* lanes, std::int64_t first, std::int64_t count) {
  std::vector<llvm::SmallVector<int, 4>> by_element(static_cast<std::size_t>(count));
  for (int lane = 0; lane < lanes_.active; ++lane)
    if (const std::int64_t at = near.offsets[static_cast<std::size_t>(lane)] - first; at >= 0 && at < count)
      by_element[static_cast<std::size_t>(at)].push_back(lane);
  // Masks are shuffled bit by bit, vectors of numbers at once.
  llvm::Value* numbers = b_.CreateSExt(lanes, arithmetic_.type(DType::i32, lanes_.width));
  llvm::Value* none = llvm::Constant::getNullValue(numbers->getType());
  llvm::Value* result = nullptr;
  for (std::size_t reader = 0; reader < static_cast<std::size_t>(readers(near)); ++reader) {
    llvm::SmallVector<int, 16> places;
    for (const auto& from : by_element) places.push_back(reader < from.size() ? from[reader] : lanes_.width);
    llvm::Value* read = b_.CreateShuffleVector(numbers, none, places);
    result = result ? b_.CreateOr(result, read) : read;
  }
  return b_.CreateICmpNE(result, llvm::Constant::getNullValue(result->getType()));
}

}  // namespace pullback::codegen
