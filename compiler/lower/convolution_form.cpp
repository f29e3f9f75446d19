#include "compiler/lower/convolution_form.h"

#include <numeric>
#include <optional>

#include "compiler/ir/layout.h"
#include "compiler/lower/view.h"
#include "compiler/ops/op_def.h"

namespace pullback::lower {

using ops::Value;

bool sums_over_images(const Convolution& c, std::size_t d) {
  return c.result[d + 2].constant() < c.windows.sizes[d].constant();
}
bool sums_over_images(const Convolution& c) {
  for (std::size_t d = 0; d < c.windows.rank(); ++d)
    if (sums_over_images(c, d)) return true;
  return false;
}

std::vector<std::int64_t> strides_in_place(const Value& x) {
  Accesses accesses;
  const std::optional<View> view = view_of(*x.value, accesses, [](const ir::Value& v) {
    return !v.definer || !v.definer->def->traits.moves_data || !v.definer->def->element;
  });
  return view ? view->strides : ir::strides_of(*x.value);
}

/// To pad nothing is to copy.
Value copied(Value x) {
  return ops::pad(x, ops::scalar(*x.builder, x.dtype(), 0), Shape(x.rank(), 0), Shape(x.rank(), 0));
}

ir::Integers first_innermost(std::size_t rank) {
  ir::Integers order(rank);
  std::iota(order.begin(), order.end() - 1, 1);
  order.back() = 0;
  return order;
}

bool is_along_channels(const Value& w) {
  return strides_in_place(w)[0] == 1;
}

Value along_channels(Value w) {
  const std::size_t rank = w.rank();
  const Value copy = copied(w);
  ir::Integers order;
  for (std::size_t d = 1; d < rank; ++d) order.push_back(static_cast<std::int64_t>(d));
  order.push_back(0);
  ir::set_layout(*copy.value->definer, order);
  return copy;
}

}  // namespace pullback::lower
