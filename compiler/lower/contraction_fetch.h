// What the tiles of a contraction fetch ahead: what lies right behind the part of an operand that they read now, and is
// read next. Each tile fetches a share.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {

/// What tiles go through while they read a part of an operand: rows x columns at each of some positions, each over some
/// steps of k.
struct TiledPart {
  std::int64_t positions = 1, rows = 1, columns = 1, steps = 1;
};

class FetchAhead {
 public:
  FetchAhead() = default;  ///< nothing
  /// Of an operand of `type`, the next part has so many elements, without gaps. Nothing, where these are near anyway,
  /// or too many to stay near until they are read.
  FetchAhead(const ir::Type& type, std::int64_t elements, const TiledPart& part, std::int64_t second_level);

  struct Place {
    kernel::Index position, row, column;
    std::int64_t rows = 1, columns = 1;
  };
  /// Adds the share of a tile at `place` to it; `next` is where the next part begins.
  void share(kernel::Contract& tile, int buffer, const kernel::Index& next, const Place& place) const;

 private:
  std::int64_t elements_ = 0;  ///< of the next part
  TiledPart part_;
};

}  // namespace pullback::lower
