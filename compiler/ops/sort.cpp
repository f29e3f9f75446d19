// sort: the elements along an axis in order, and where they were.

#include "compiler/ops/along_axis.h"
#include "compiler/ops/order.h"
#include "compiler/ops/row_sorter.h"

namespace pullback::ops {

namespace {

void lower_sort(LowerContext& c) {
  kernel::Builder& b = c.build();
  const AxisSplit split(c.operand_dims(0), c.attributes().integer("axis"));
  const bool descending = c.attributes().get<bool>("descending");
  if (split.lead_count() * split.size * split.tail_count() == 0) return;
  RowSorter sorter(b, key_dtype(c.op().operand(0)->type.dtype), split.size);
  c.outer_loop(split.lead_count() * split.tail_count(), [&](const kernel::Index& row) {
    b.serial_loop("k", split.size, [&](const kernel::Index& k) {
      sorter.put(k, sort_key(b, c.read(0, split.at(row, k)), descending), b.index_value(k));
    });
    sorter.sort();
    b.serial_loop("k", split.size, [&](const kernel::Index& k) {
      kernel::Value* position = b.convert(sorter.position(k), DType::i64);
      const Indices place = split.at(row, k);
      c.store(0, place, c.read(0, split.at(row, kernel::Index::dynamic(position, {0, split.size - 1}))));
      c.store(1, place, position);
    });
  });
}

Sample sort_sample(Shape x, std::int64_t axis, bool descending, DType dtype = DType::f32) {
  return {.shapes = {std::move(x)},
          .attributes = {{"axis", axis}, {"descending", descending}},
          .dtypes = {dtype},
          .low = dtype == DType::f32 ? -2.0 : 0.0,
          .high = dtype == DType::f32 ? 2.0 : 9.0};
}

}  // namespace

const OpDef op_sort{
    .name = "sort",
    .arity = 1,
    .doc =
        "The elements along `axis` from the smallest to the largest (the reverse when `descending`), and their i64 "
        "positions. Equal elements keep their order; a NaN counts as the largest (as PyTorch's stable sort). A merge "
        "sort of each line. Gradient: g added to the elements at the positions.",
    .infer =
        [](const InferContext& c) {
          c.require_axis(c.attribute<std::int64_t>("axis"), c.rank(0));
          c.attribute<bool>("descending");
          return std::vector<ir::Type>{c.type(0), {DType::i64, c.shape(0)}};
        },
    .vjp = order_vjp,
    .kernel = lower_sort,
    .eval = [](EvalContext& c) { eval_order(c, c.attributes().get<bool>("descending")); },
    .samples = {sort_sample({dim("a"), dim("b")}, 1, false), sort_sample({dim("a"), dim("b")}, 0, true),
                sort_sample({2, 7, 3}, 1, false), sort_sample({200}, 0, true),
                sort_sample({3, 19}, 1, false, DType::i32), sort_sample({3, 19}, 1, true, DType::u8),
                sort_sample({33}, 0, false, DType::u32), sort_sample({33}, 0, true, DType::i64),
                sort_sample({9}, 0, false, DType::boolean)},
};

}  // namespace pullback::ops
