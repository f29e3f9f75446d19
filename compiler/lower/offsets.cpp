// Best fit: blocks one after the other, each into the smallest gap between those that live at the same time. Which
// order is best depends on the blocks: several are tried until one needs no more than what lives at the same time.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "compiler/lower/plan.h"

namespace pullback::lower {

namespace {

std::int64_t round_up(std::int64_t bytes, std::int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Places the blocks in the given order; returns the total.
std::int64_t place(std::vector<Block>& blocks, const std::vector<std::size_t>& order, std::int64_t alignment) {
  struct Placed {
    std::size_t first, last;
    std::int64_t offset, end;
  };
  std::vector<Placed> placed;  // by offset; all that the search looks at lies together
  placed.reserve(blocks.size());
  std::int64_t total = 0;
  for (std::size_t index : order) {
    Block& block = blocks[index];
    const std::int64_t need = round_up(block.bytes, alignment);
    std::int64_t end = 0, best = -1, best_gap = 0;
    for (const Placed& o : placed) {
      if (o.last < block.first || block.last < o.first) continue;
      const std::int64_t gap = o.offset - end;
      if (gap >= need && (best < 0 || gap < best_gap)) best = end, best_gap = gap;
      end = std::max(end, o.end);
    }
    block.offset = best >= 0 ? best : end;
    total = std::max(total, block.offset + need);
    const auto behind = std::upper_bound(placed.begin(), placed.end(), block.offset,
                                         [](std::int64_t offset, const Placed& o) { return offset < o.offset; });
    placed.insert(behind, {block.first, block.last, block.offset, block.offset + need});
  }
  return total;
}

/// What blocks are ordered by, the largest first.
using Rank = std::function<double(const Block&)>;

std::vector<Rank> ranks() {
  const auto bytes = [](const Block& b) { return static_cast<double>(b.bytes); };
  const auto life = [](const Block& b) { return static_cast<double>(b.last - b.first) + 1; };
  return {bytes,
          [=](const Block& b) { return bytes(b) * life(b); },
          [=](const Block& b) { return life(b); },
          [](const Block& b) { return -static_cast<double>(b.first); },
          [](const Block& b) { return static_cast<double>(b.last); },
          [=](const Block& b) { return bytes(b) * std::sqrt(life(b)); }};
}

}  // namespace

std::int64_t assign_offsets(std::vector<Block>& blocks, std::int64_t alignment) {
  const std::int64_t bound = least_bytes(blocks, alignment);
  std::int64_t least = -1;
  std::vector<Block> trial = blocks;
  for (const Rank& rank : ranks()) {
    std::vector<std::size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const double x = rank(blocks[a]), y = rank(blocks[b]);
      if (x != y) return x > y;
      return blocks[a].bytes != blocks[b].bytes ? blocks[a].bytes > blocks[b].bytes : blocks[a].first < blocks[b].first;
    });
    const std::int64_t total = place(trial, order, alignment);
    if (least < 0 || total < least) {
      least = total;
      blocks = trial;
    }
    if (least == bound) break;
  }
  return least;
}

std::int64_t least_bytes(const std::vector<Block>& blocks, std::int64_t alignment) {
  std::map<std::size_t, std::int64_t> changes;  // by position: what begins to be needed less what no longer is
  for (const Block& block : blocks) {
    const std::int64_t bytes = round_up(block.bytes, alignment);
    changes[block.first] += bytes;
    changes[block.last + 1] -= bytes;
  }
  std::int64_t needed = 0, most = 0;
  for (const auto& [position, change] : changes) most = std::max(most, needed += change);
  return most;
}

}  // namespace pullback::lower
