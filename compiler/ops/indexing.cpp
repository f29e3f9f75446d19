// gather and scatter_add: rows picked by computed indices, and their gradient. A reduced form of StableHLO's gather
// that holds embedding lookup (axis 0), take (any axis) and picking one entry a row (batch 1, axis 1). Indices are
// clamped to the axis, as there; who wants an error puts a `check` before.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

// x:[B..., P..., N, S...], indices:[B..., I...], picked:[B..., P..., I..., S...]; B has `batch` axes, N is axis `axis`.
struct Layout {
  std::size_t axis, batch, index_rank;

  explicit Layout(const ir::Op& op)
      : axis(static_cast<std::size_t>(op.attributes.integer("axis"))),
        batch(static_cast<std::size_t>(op.attributes.integer("batch"))),
        index_rank(op.operand(1)->type.rank() - batch) {}

  // The index into `indices` for an index of picked.
  template <class T>
  std::vector<T> index_of(const std::vector<T>& picked) const {
    std::vector<T> result(picked.begin(), at(picked, batch));
    result.insert(result.end(), at(picked, axis), at(picked, axis + index_rank));
    return result;
  }
  // The index into x for an index of picked and the entry of `indices` there.
  template <class T>
  std::vector<T> source_of(const std::vector<T>& picked, const T& entry) const {
    std::vector<T> result(picked.begin(), at(picked, axis));
    result.push_back(entry);
    result.insert(result.end(), at(picked, axis + index_rank), picked.end());
    return result;
  }

 private:
  template <class T>
  static typename std::vector<T>::const_iterator at(const std::vector<T>& v, std::size_t i) {
    return v.begin() + static_cast<std::ptrdiff_t>(i);
  }
};

// Checks operands 0 and 1 and the attributes; returns the shape of what is picked.
Shape picked_shape(const InferContext& c) {
  c.require_index(1);
  const auto axis = c.attribute<std::int64_t>("axis"), batch = c.attribute<std::int64_t>("batch");
  c.require_axis(axis, c.rank(0));
  if (batch < 0 || batch > axis || batch > static_cast<std::int64_t>(c.rank(1)))
    c.fail(fmt::format("batch {} must lie in [0, axis {}] and not exceed the rank of the indices", batch, axis));
  for (std::int64_t d = 0; d < batch; ++d)
    if (c.shape(0)[d] != c.shape(1)[d]) c.fail(fmt::format("batch axis {} differs", d));
  Shape shape(c.shape(0).begin(), c.shape(0).begin() + axis);
  shape.insert(shape.end(), c.shape(1).begin() + batch, c.shape(1).end());
  shape.insert(shape.end(), c.shape(0).begin() + axis + 1, c.shape(0).end());
  const Dim picked = ir::element_count(shape);
  if (c.shape(0)[axis] == Dim(0) && picked.is_constant() && picked.constant() > 0)
    c.fail(fmt::format("axis {} has no elements to pick from", axis));
  return shape;
}

// The place in x of an element of `picked`.
std::int64_t evaluated_source(const EvalContext& c, const Layout& layout, const std::vector<std::int64_t>& picked) {
  const ir::Literal &x = c.operand(0), &indices = c.operand(1);
  const std::int64_t entry = indices.as_integer(position_of(layout.index_of(picked), indices.dims));
  return position_of(layout.source_of(picked, std::clamp<std::int64_t>(entry, 0, x.dims[layout.axis] - 1)), x.dims);
}

kernel::Value* lower_gather(LowerContext& c) {
  const Layout layout(c.op());
  const std::int64_t entries = c.operand_dims(0)[layout.axis];
  if (entries == 0) return c.build().constant(c.op().result()->type.dtype, 0);  // there are no elements
  kernel::Value* entry = c.read(1, layout.index_of(c.indices()));
  return c.read(0, layout.source_of(c.indices(), clamped_index(c, entry, entries - 1)));
}

std::int64_t product(const std::vector<std::int64_t>& dims) {
  std::int64_t result = 1;
  for (const std::int64_t size : dims) result *= size;
  return result;
}

/// Into how many equal pieces of at least 64 elements the contiguous part of a row is cut: pieces are independent, so
/// that one large table can be updated by several threads. It depends on the shape alone.
std::int64_t pieces_of(std::int64_t row_size) {
  for (std::int64_t pieces = row_size / 64; pieces > 1; --pieces)
    if (row_size % pieces == 0) return pieces;
  return 1;
}

/// Writes scatter_add as a kernel: x is copied, then the updates are added, one index after the other, in order. The
/// outer loop runs over B, P and pieces of S, which no two indices share.
class ScatterWriter {
 public:
  explicit ScatterWriter(LowerContext& c) : c_(c), layout_(c.op()), picks_(c.operand_dims(1)) {
    const std::vector<std::int64_t> dims = c.operand_dims(0);
    const auto axis = dims.begin() + static_cast<std::ptrdiff_t>(layout_.axis);
    picks_.erase(picks_.begin(), picks_.begin() + static_cast<std::ptrdiff_t>(layout_.batch));
    lead_.assign(dims.begin(), axis);
    tail_.assign(axis + 1, dims.end());
    rows_ = *axis;
    pieces_ = pieces_of(product(tail_));
    piece_ = product(tail_) / pieces_;
  }

  void write() {
    if (rows_ == 0) return;
    c_.outer_loop(product(lead_) * pieces_, [&](const kernel::Index& i) {
      lead_index_ = kernel::unflatten(kernel::floordiv(i, pieces_), lead_);
      first_ = kernel::mod(i, pieces_) * piece_;
      copy_rows();
      if (product(picks_) > 0) add_updates();
    });
  }

 private:
  /// lead, middle, and the element of the row.
  Indices at(const Indices& middle, const kernel::Index& element) const {
    Indices result = lead_index_;
    result.insert(result.end(), middle.begin(), middle.end());
    const Indices tail = kernel::unflatten(first_ + element, tail_);
    result.insert(result.end(), tail.begin(), tail.end());
    return result;
  }

  int width() const {
    const auto bytes = static_cast<int>(size_of(c_.op().result()->type.dtype));
    return std::clamp(64 / bytes, 8, 16);
  }

  void for_each_element(const std::function<void(const kernel::Index&)>& body) {
    if (piece_ == 1)
      body(kernel::Index(0));
    else
      c_.build().vector_loop("s", piece_, width(), 1, body);
  }

  void copy_rows() {
    const auto copy = [&](const kernel::Index& row, const kernel::Index& element) {
      const Indices place = at({row}, element);
      c_.store(0, place, c_.read(0, place));
    };
    if (piece_ == 1) {
      c_.build().vector_loop("n", rows_, width(), 1, [&](const kernel::Index& row) { copy(row, kernel::Index(0)); });
      return;
    }
    c_.build().serial_loop("n", rows_, [&](const kernel::Index& row) {
      for_each_element([&](const kernel::Index& element) { copy(row, element); });
    });
  }

  void add_updates() {
    c_.build().serial_loop("u", product(picks_), [&](const kernel::Index& u) {
      const Indices pick = kernel::unflatten(u, picks_);
      Indices index(lead_index_.begin(), lead_index_.begin() + static_cast<std::ptrdiff_t>(layout_.batch));
      index.insert(index.end(), pick.begin(), pick.end());
      const kernel::Index row = clamped_index(c_, c_.read(1, index), rows_ - 1);
      for_each_element([&](const kernel::Index& element) {
        const Indices place = at({row}, element);
        kernel::Value* before = c_.load(0, place);
        c_.store(0, place, c_.build().add(before, c_.read(2, at(pick, element))));
      });
    });
  }

  LowerContext& c_;
  Layout layout_;
  std::vector<std::int64_t> lead_, picks_, tail_;  ///< sizes of B and P, of I, of S
  std::int64_t rows_ = 0, pieces_ = 1, piece_ = 1;
  Indices lead_index_;   ///< of the current iteration
  kernel::Index first_;  ///< the first element of the current piece, within S
};

std::vector<Sample> indexing_samples(bool with_updates) {
  const auto sample = [&](Shape x, Shape indices, Shape updates, std::int64_t axis, std::int64_t batch, DType index) {
    Sample s{.shapes = {std::move(x), std::move(indices)},
             .attributes = {{"axis", axis}, {"batch", batch}},
             .dtypes = {DType::f32, index},
             .low = -2,
             .high = 6};
    if (with_updates) {
      s.shapes.push_back(std::move(updates));
      s.dtypes.push_back(DType::f32);
    }
    return s;
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({5, b}, {a}, {a, b}, 0, 0, DType::i32),
          sample({a, 4}, {a}, {a}, 1, 1, DType::i64),
          sample({a, 4, b}, {a, 3}, {a, 3, b}, 1, 1, DType::i32),
          sample({2, 3, 5}, {2, 2}, {2, 3, 2, 2}, 2, 0, DType::i32),
          sample({2, 3, 5, 2}, {2, 4}, {2, 3, 4, 2}, 2, 1, DType::i64),
          sample({9, 37}, {}, {37}, 0, 0, DType::i32),
          sample({3, 192}, {5}, {5, 192}, 0, 0, DType::i32),
          sample({0, 3}, {0}, {0, 3}, 0, 0, DType::i32)};
}

}  // namespace

const OpDef op_gather{
    .name = "gather",
    .arity = 2,
    .doc =
        "(x, indices): elements of x along `axis` at the indices, which are clamped to it. The first `batch` axes of "
        "x and indices go together: x [B, P, N, S] and indices [B, I] give [B, P, I, S]. "
        "Gradient: dx = scatter_add of g to zeros.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = [](const InferContext& c) { return std::vector<ir::Type>{{c.dtype(0), picked_shape(c)}}; },
    .vjp =
        [](GradContext& c) {
          if (c.needs_grad(0))
            c.add_grad(0, scatter_add(full_like(c.operand(0), 0), c.operand(1), c.out_grad(),
                                      c.attributes().integer("axis"), c.attributes().integer("batch")));
        },
    .element = lower_gather,
    .eval =
        [](EvalContext& c) {
          const Layout layout(c.op());
          for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
            copy_element(c.result(), position, c.operand(0), evaluated_source(c, layout, index));
          });
        },
    .samples = indexing_samples(false),
};

const OpDef op_scatter_add{
    .name = "scatter_add",
    .arity = 3,
    .doc =
        "(x, indices, updates): x with each update added where gather, with the same indices and attributes, would "
        "have picked; equal indices add up in row-major order. Gradients: dx = g, dupdates = gather of g.",
    .traits = {.is_linear = true},
    .infer =
        [](const InferContext& c) {
          c.require_number(0);
          c.require_same_dtype(0, 2);
          const Shape expected = picked_shape(c);
          if (c.shape(2) != expected)
            c.fail(fmt::format("the updates must have shape {}", pullback::to_string(expected)));
          return std::vector<ir::Type>{c.type(0)};
        },
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, c.out_grad());
          if (c.needs_grad(2))
            c.add_grad(
                2, gather(c.out_grad(), c.operand(1), c.attributes().integer("axis"), c.attributes().integer("batch")));
        },
    .kernel = [](LowerContext& c) { ScatterWriter(c).write(); },
    .eval =
        [](EvalContext& c) {
          c.result() = c.operand(0);
          const Layout layout(c.op());
          for_each_index(c.operand(2).dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
            const std::int64_t place = evaluated_source(c, layout, index);
            if (is_float(c.result().dtype))
              c.result().set(place, c.result().as_double(place) + c.operand(2).as_double(position));
            else
              c.result().set_integer(place, c.result().as_integer(place) + c.operand(2).as_integer(position));
          });
        },
    .samples = indexing_samples(true),
};

}  // namespace pullback::ops
