#include "compiler/lower/contraction_fetch.h"

#include "compiler/ir/layout.h"

namespace pullback::lower {

FetchAhead::FetchAhead(const ir::Type& type, std::int64_t elements, const TiledPart& part, std::int64_t second_level) {
  const auto bytes = static_cast<std::int64_t>(size_of(type.dtype));
  // The next part must find room beside this one, and all of them none.
  if (elements <= 0 || elements * bytes > second_level / 4) return;
  if (ir::element_count(type.shape).constant() * bytes < second_level / 2) return;
  elements_ = elements;
  part_ = part;
}

void FetchAhead::share(kernel::Contract& tile, int buffer, const kernel::Index& next, const Place& place) const {
  if (elements_ == 0) return;
  const auto of = [this](std::int64_t some, std::int64_t all) { return (elements_ * some + all - 1) / all; };
  const auto& [positions, rows, columns, steps] = part_;
  tile.fetches.push_back({buffer,
                          next + place.position * of(1, positions) + place.column * of(1, positions * columns) +
                              place.row * of(place.columns, positions * columns * rows),
                          of(place.rows * place.columns, positions * columns * rows * steps)});
}

}  // namespace pullback::lower
