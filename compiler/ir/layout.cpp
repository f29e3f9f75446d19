#include "compiler/ir/layout.h"

#include <numeric>

namespace pullback::ir {
namespace {

Integers row_major(std::size_t rank) {
  Integers order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

Integers layout_of(const Value& value) {
  if (value.definer && value.index == 0 && value.definer->attributes.has("layout"))
    return value.definer->attributes.integers("layout");
  return row_major(value.type.rank());
}

bool is_row_major(const Value& value) {
  const bool is_noted = value.definer && value.index == 0 && value.definer->attributes.has("layout");
  if (!is_noted) return true;
  const Integers& order = value.definer->attributes.integers("layout");
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

void set_layout(Op& op, const Integers& order) {
  if (order == row_major(op.result()->type.rank()))
    op.attributes.erase("layout");
  else
    op.attributes.set("layout", order);
}

Integers strides_of(const Value& value) {
  const std::vector<std::int64_t> dims = static_dims(value.type.shape);
  const Integers order = layout_of(value);
  Integers strides(dims.size());
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const auto d = static_cast<std::size_t>(order[i]);
    strides[d] = stride;
    stride *= dims[d];
  }
  return strides;
}

}  // namespace pullback::ir
