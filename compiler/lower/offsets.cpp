// Best fit: large blocks first, each into the smallest gap between the blocks that live at the same time.
#include <algorithm>
#include <numeric>

#include "compiler/lower/plan.h"

namespace pullback::lower {

std::int64_t assign_offsets(std::vector<Block>& blocks, std::int64_t alignment) {
  const auto round_up = [&](std::int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return blocks[a].bytes != blocks[b].bytes ? blocks[a].bytes > blocks[b].bytes : blocks[a].first < blocks[b].first;
  });
  std::vector<std::size_t> placed;  // by offset
  std::int64_t total = 0;
  for (std::size_t index : order) {
    Block& block = blocks[index];
    const std::int64_t need = round_up(block.bytes);
    std::int64_t end = 0, best = -1, best_gap = 0;
    for (std::size_t other : placed) {
      const Block& o = blocks[other];
      if (o.last < block.first || block.last < o.first) continue;
      const std::int64_t gap = o.offset - end;
      if (gap >= need && (best < 0 || gap < best_gap)) best = end, best_gap = gap;
      end = std::max(end, o.offset + round_up(o.bytes));
    }
    block.offset = best >= 0 ? best : end;
    total = std::max(total, block.offset + need);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](std::size_t a, std::size_t b) { return blocks[a].offset < blocks[b].offset; }),
                  index);
  }
  return total;
}

}  // namespace pullback::lower
