// top_k: the k largest or smallest elements along an axis, in order, and where they are.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "compiler/ops/along_axis.h"
#include "compiler/ops/order.h"
#include "compiler/ops/row_sorter.h"

namespace pullback::ops {

namespace {

std::vector<ir::Type> infer_top_k(const InferContext& c) {
  const auto axis = c.attribute<std::int64_t>("axis"), k = c.attribute<std::int64_t>("k");
  c.attribute<bool>("largest");
  c.require_axis(axis, c.rank(0));
  Shape shape = c.shape(0);
  Dim& size = shape[static_cast<std::size_t>(axis)];
  if (k < 0 || (size.is_constant() && k > size.constant()))
    c.fail(fmt::format("k = {} of {} elements along axis {}", k, size.to_string(), axis));
  size = k;
  return {{c.dtype(0), shape}, {DType::i64, shape}};
}

/// Writes top_k as a kernel. A row of 2k candidates is kept: an element that comes before the worst of the best k
/// joins it, and when it is full it is sorted and cut to k. At most n/k sorts of 2k elements, and few when the order of
/// the elements is random. Elements are taken in order, so that the first of equals stay.
class TopKWriter {
 public:
  explicit TopKWriter(LowerContext& c)
      : c_(c),
        b_(c.build()),
        split_(c.operand_dims(0), c.attributes().integer("axis")),
        k_(c.attributes().integer("k")),
        capacity_(std::min(2 * k_, split_.size)),
        key_(key_dtype(c.op().operand(0)->type.dtype)),
        worst_(b_.integer(key_, key_ == DType::i64 ? std::numeric_limits<std::int64_t>::max()
                                                   : std::numeric_limits<std::int32_t>::max())) {}

  void write() {
    if (split_.lead_count() * split_.tail_count() * k_ == 0) return;
    RowSorter sorter(b_, key_, capacity_);
    // Memory for what the loop over the elements carries and the sort, within an If, replaces.
    const int count = b_.buffer("count", DType::i64, 1, kernel::Access::scratch);
    const int bound = b_.buffer("bound", key_, 1, kernel::Access::scratch);
    c_.outer_loop(split_.lead_count() * split_.tail_count(), [&](const kernel::Index& row) {
      const auto add = [&](const kernel::Index& along, const kernel::Index& place) {
        sorter.put(place, key_at(row, along), b_.index_value(along));
      };
      b_.serial_loop("k", capacity_, [&](const kernel::Index& i) { add(i, i); });
      sorter.sort();
      if (split_.size > capacity_) {
        sorter.keep(k_);
        b_.store(count, 0, b_.integer(DType::i64, k_));
        b_.store(bound, 0, sorter.key(k_ - 1));
        b_.serial_loop("k", split_.size - capacity_, [&](const kernel::Index& i) {
          consider(sorter, count, bound, row, kernel::Index(capacity_) + i);
        });
        fill(sorter, b_.load(count, 0));
        sorter.sort();
      }
      write_results(sorter, row);
    });
  }

 private:
  kernel::Value* key_at(const kernel::Index& row, const kernel::Index& along) {
    return sort_key(b_, c_.read(0, split_.at(row, along)), c_.attributes().get<bool>("largest"));
  }

  void consider(RowSorter& sorter, int count, int bound, const kernel::Index& row, const kernel::Index& along) {
    kernel::Value* key = key_at(row, along);
    b_.if_then(b_.lt(key, b_.load(bound, 0)), [&] {
      kernel::Value* place = b_.load(count, 0);
      sorter.put(kernel::Index::dynamic(place, {0, capacity_ - 1}), key, b_.index_value(along));
      kernel::Value* more = b_.add(place, b_.integer(DType::i64, 1));
      b_.store(count, 0, more);
      b_.if_then(b_.eq(more, b_.integer(DType::i64, capacity_)), [&] {
        sorter.sort();
        sorter.keep(k_);
        b_.store(count, 0, b_.integer(DType::i64, k_));
        b_.store(bound, 0, sorter.key(k_ - 1));
      });
    });
  }

  /// Candidates that come last, from place `count` on: behind true ones with the same key, as the sort is stable.
  void fill(RowSorter& sorter, kernel::Value* count) {
    b_.serial_loop("k", capacity_ - k_, [&](const kernel::Index& i) {
      const kernel::Index place = kernel::Index(k_) + i;
      b_.if_then(b_.ge(b_.index_value(place), count), [&] { sorter.put(place, worst_, b_.integer(DType::i64, 0)); });
    });
  }

  void write_results(const RowSorter& sorter, const kernel::Index& row) {
    const AxisSplit results(c_.result_dims(0), c_.attributes().integer("axis"));
    b_.serial_loop("k", k_, [&](const kernel::Index& i) {
      kernel::Value* position = b_.convert(sorter.position(i), DType::i64);
      const Indices place = results.at(row, i);
      c_.store(0, place, c_.read(0, split_.at(row, kernel::Index::dynamic(position, {0, split_.size - 1}))));
      c_.store(1, place, position);
    });
  }

  LowerContext& c_;
  kernel::Builder& b_;
  AxisSplit split_;
  std::int64_t k_, capacity_;
  DType key_;
  kernel::Value* worst_;
};

Sample top_k_sample(Shape x, std::int64_t k, std::int64_t axis, bool largest, DType dtype = DType::f32) {
  return {.shapes = {std::move(x)},
          .attributes = {{"k", k}, {"axis", axis}, {"largest", largest}},
          .dtypes = {dtype},
          .low = dtype == DType::f32 ? -2.0 : 0.0,
          .high = dtype == DType::f32 ? 2.0 : 9.0};
}

}  // namespace

const OpDef op_top_k{
    .name = "top_k",
    .arity = 1,
    .doc =
        "The `k` largest (or smallest, unless `largest`) elements along `axis` in order, the first of equals first, "
        "and "
        "their i64 positions; a NaN counts as the largest. Gradient: g added to the elements at the positions.",
    .infer = infer_top_k,
    .vjp = order_vjp,
    .kernel = [](LowerContext& c) { TopKWriter(c).write(); },
    .eval = [](EvalContext& c) { eval_order(c, c.attributes().get<bool>("largest")); },
    .samples = {top_k_sample({dim("a"), 7}, 2, 1, true), top_k_sample({5, dim("a")}, 5, 0, false),
                top_k_sample({2, 50, 3}, 3, 1, true), top_k_sample({300}, 4, 0, false),
                top_k_sample({300}, 290, 0, true), top_k_sample({40}, 1, 0, true), top_k_sample({7, 3}, 0, 1, true),
                top_k_sample({3, 100}, 20, 1, true, DType::i32), top_k_sample({3, 100}, 9, 1, false, DType::u8),
                top_k_sample({60}, 6, 0, true, DType::i64)},
};

}  // namespace pullback::ops
