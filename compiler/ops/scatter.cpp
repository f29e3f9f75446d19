// The scatters: x with updates put where gather, with the same indices and attributes, would have picked. Equal indices
// meet in row-major order. scatter replaces, the others add, multiply, and take the larger or smaller.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "compiler/ops/along_axis.h"
#include "compiler/ops/extremes.h"
#include "compiler/ops/picks.h"

namespace pullback::ops {

namespace {

/// Into how many equal pieces of at least 64 elements the contiguous part of a row is cut: pieces are independent, so
/// that one large table can be updated by several threads. It depends on the shape alone.
std::int64_t pieces_of(std::int64_t row_size) {
  for (std::int64_t pieces = row_size / 64; pieces > 1; --pieces)
    if (row_size % pieces == 0) return pieces;
  return 1;
}

/// Writes a scatter as a kernel: x is copied, then met by the updates, one index after the other, in order. The outer
/// loop runs over B, P and pieces of S, which no two indices share.
class ScatterWriter {
 public:
  /// The new element from the one that is there and an update.
  using Meet = std::function<kernel::Value*(const std::function<kernel::Value*()>& old, kernel::Value* update)>;

  ScatterWriter(LowerContext& c, Meet meet)
      : c_(c), meet_(std::move(meet)), layout_(c.op()), picks_(c.operand_dims(1)) {
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
      if (product(picks_) > 0) meet_updates();
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

  void meet_updates() {
    c_.build().serial_loop("u", product(picks_), [&](const kernel::Index& u) {
      const Indices pick = kernel::unflatten(u, picks_);
      Indices index(lead_index_.begin(), lead_index_.begin() + static_cast<std::ptrdiff_t>(layout_.batch));
      index.insert(index.end(), pick.begin(), pick.end());
      const kernel::Index row = clamped_index(c_, c_.read(1, index), rows_ - 1);
      for_each_element([&](const kernel::Index& element) {
        const Indices place = at({row}, element);
        c_.store(0, place, meet_([&] { return c_.load(0, place); }, c_.read(2, at(pick, element))));
      });
    });
  }

  LowerContext& c_;
  Meet meet_;
  Picks layout_;
  std::vector<std::int64_t> lead_, picks_, tail_;  ///< sizes of B and P, of I, of S
  std::int64_t rows_ = 0, pieces_ = 1, piece_ = 1;
  Indices lead_index_;   ///< of the current iteration
  kernel::Index first_;  ///< the first element of the current piece, within S
};

std::vector<ir::Type> infer_scatter(const InferContext& c) {
  c.require_same_dtype(0, 2);
  const Shape expected = picked_shape(c);
  if (c.shape(2) != expected) c.fail(fmt::format("the updates must have shape {}", pullback::to_string(expected)));
  return {c.type(0)};
}

std::vector<ir::Type> infer_number_scatter(const InferContext& c) {
  c.require_number(0);
  return infer_scatter(c);
}

std::function<void(LowerContext&)> lower_combining(kernel::Combine how) {
  return [how](LowerContext& c) {
    ScatterWriter(c, [&](const std::function<kernel::Value*()>& old, kernel::Value* update) {
      return c.build().combine(how, old(), update);
    }).write();
  };
}

Eval eval_scatter(Float2 on_float, Integer2 on_integer) {
  return [=](EvalContext& c) {
    c.result() = c.operand(0);
    const Picks picks(c.op());
    for_each_index(c.operand(2).dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
      const std::int64_t place = picked_place(c, picks, index);
      if (is_float(c.result().dtype))
        c.result().set(place, on_float(c.result().as_double(place), c.operand(2).as_double(position)));
      else
        c.result().set_integer(place, on_integer(c.result().as_integer(place), c.operand(2).as_integer(position)));
    });
  };
}

// Gradient rules: gather and scatter_add with the op's own indices and attributes.
Value picked(GradContext& c, Value x) {
  return gather(x, c.operand(1), c.attributes().integer("axis"), c.attributes().integer("batch"));
}

Value added(GradContext& c, Value x, Value updates) {
  return scatter_add(x, c.operand(1), updates, c.attributes().integer("axis"), c.attributes().integer("batch"));
}

Value zeros_like(Value x) {
  return full_like(x, 0);
}

// Which updates are still there in the end, as a bool of the updates' shape: those whose number is the last one that
// was written to their place.
Value is_last(GradContext& c) {
  const Value x = c.operand(0), indices = c.operand(1);
  const std::int64_t axis = c.attributes().integer("axis"), batch = c.attributes().integer("batch");
  ir::Builder& b = c.build();
  const Shape batches(x.shape().begin(), x.shape().begin() + batch);
  const Shape picks(indices.shape().begin() + batch, indices.shape().end());
  Shape places = batches;
  places.push_back(x.size(static_cast<std::size_t>(axis)));
  std::vector<std::int64_t> dimensions(picks.size());
  std::iota(dimensions.begin(), dimensions.end(), batch);
  const Value numbers =
      broadcast(reshape(iota(b, DType::i64, {ir::element_count(picks)}, 0), picks), indices.shape(), dimensions);
  const Value last = scatter(full(b, {DType::i64, places}, -1), indices, numbers, batch, batch);
  const Value mask = eq(gather(last, indices, batch, batch), numbers);
  dimensions = all_axes(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < picks.size(); ++i) dimensions.push_back(axis + static_cast<std::int64_t>(i));
  return broadcast(mask, c.operand(2).shape(), dimensions);
}

void scatter_vjp(GradContext& c) {
  const Value g = c.out_grad(), updates = c.operand(2);
  if (c.needs_grad(0))
    c.add_grad(0, scatter(g, c.operand(1), zeros_like(updates), c.attributes().integer("axis"),
                          c.attributes().integer("batch")));
  if (c.needs_grad(2)) c.add_grad(2, select(is_last(c), picked(c, g), zeros_like(updates)));
}

// The gradient to a factor is g times the product of all others at its place: with p the product of the factors that
// are not 0, that is p / factor where none is 0, p for the only 0 among them, else 0.
void scattered_product_vjp(GradContext& c) {
  const Value x = c.operand(0), u = c.operand(2), g = c.out_grad();
  const Value x_zero = eq(x, zeros_like(x)), u_zero = eq(u, zeros_like(u));
  const Value zeros = added(c, convert(x_zero, x.dtype()), convert(u_zero, x.dtype()));
  const Value ones_x = select(x_zero, full_like(x, 1), x), ones_u = select(u_zero, full_like(u, 1), u);
  const Value p =
      scatter_mul(ones_x, c.operand(1), ones_u, c.attributes().integer("axis"), c.attributes().integer("batch"));
  const auto others = [](Value is_zero, Value product, Value count, Value factor) {
    const Value none = zeros_like(product);
    return select(is_zero, select(eq(count, full_like(count, 1)), product, none),
                  select(eq(count, none), product / factor, none));
  };
  if (c.needs_grad(0)) c.add_grad(0, g * others(x_zero, p, zeros, ones_x));
  if (c.needs_grad(2)) c.add_grad(2, picked(c, g) * others(u_zero, picked(c, p), picked(c, zeros), ones_u));
}

// g shared evenly by the elements that are the extremum, one at least at each place; NaNs are, when there are any.
void scattered_extremum_vjp(GradContext& c) {
  const Value x = c.operand(0), u = c.operand(2), y = c.result();
  const Value x_is_it = bit_or(eq(x, y), ne(x, x)), u_is_it = bit_or(eq(u, picked(c, y)), ne(u, u));
  const Value share = c.out_grad() / added(c, convert(x_is_it, x.dtype()), convert(u_is_it, x.dtype()));
  if (c.needs_grad(0)) c.add_grad(0, select(x_is_it, share, zeros_like(x)));
  if (c.needs_grad(2)) c.add_grad(2, select(u_is_it, picked(c, share), zeros_like(u)));
}

std::int64_t wrapping_add(std::int64_t x, std::int64_t y) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) + static_cast<std::uint64_t>(y));
}
std::int64_t wrapping_mul(std::int64_t x, std::int64_t y) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(y));
}

}  // namespace

const OpDef op_scatter{
    .name = "scatter",
    .arity = 3,
    .doc =
        "(x, indices, updates): x with each update in the place where gather, with the same indices and attributes, "
        "would have picked; of equal indices the last in row-major order stays. Gradients: dx = g with zeros in those "
        "places, dupdates = gather of g for those that stay, else 0.",
    .traits = {.is_linear = true},
    .infer = infer_scatter,
    .vjp = scatter_vjp,
    .kernel =
        [](LowerContext& c) {
          ScatterWriter(c, [](const std::function<kernel::Value*()>&, kernel::Value* update) {
            return update;
          }).write();
        },
    .eval =
        [](EvalContext& c) {
          c.result() = c.operand(0);
          const Picks picks(c.op());
          for_each_index(c.operand(2).dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
            copy_element(c.result(), picked_place(c, picks, index), c.operand(2), position);
          });
        },
    .samples = picking_samples(true),
};

const OpDef op_scatter_add{
    .name = "scatter_add",
    .arity = 3,
    .doc =
        "(x, indices, updates): x with each update added where gather, with the same indices and attributes, would "
        "have picked; equal indices add up in row-major order. Gradients: dx = g, dupdates = gather of g.",
    .traits = {.is_linear = true},
    .infer = infer_number_scatter,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, c.out_grad());
          if (c.needs_grad(2)) c.add_grad(2, picked(c, c.out_grad()));
        },
    .kernel = lower_combining(kernel::Combine::add),
    .eval = eval_scatter([](double x, double y) { return x + y; }, wrapping_add),
    .samples = picking_samples(true),
};

const OpDef op_scatter_mul{
    .name = "scatter_mul",
    .arity = 3,
    .doc =
        "(x, indices, updates): x with each update multiplied in where gather, with the same indices and attributes, "
        "would have picked. Gradients: g times the product of the other factors at the place, also where a factor is "
        "0; second derivatives count on factors that are not 0.",
    .infer = infer_number_scatter,
    .vjp = scattered_product_vjp,
    .kernel = lower_combining(kernel::Combine::mul),
    .eval = eval_scatter([](double x, double y) { return x * y; }, wrapping_mul),
    .samples = picking_samples(true),
};

const OpDef op_scatter_max{
    .name = "scatter_max",
    .arity = 3,
    .doc =
        "(x, indices, updates): the largest of x's element and all updates where gather, with the same indices and "
        "attributes, would have picked it; NaN if there is one. Gradient: g shared evenly by those that are the "
        "largest (as PyTorch's scatter_reduce).",
    .infer = infer_number_scatter,
    .vjp = scattered_extremum_vjp,
    .kernel = lower_combining(kernel::Combine::max),
    .eval = eval_scatter(larger, [](std::int64_t x, std::int64_t y) { return std::max(x, y); }),
    .samples = picking_samples(true),
};

const OpDef op_scatter_min{
    .name = "scatter_min",
    .arity = 3,
    .doc =
        "(x, indices, updates): the smallest of x's element and all updates where gather, with the same indices and "
        "attributes, would have picked it; NaN if there is one. Gradient: g shared evenly by those that are the "
        "smallest (as PyTorch's scatter_reduce).",
    .infer = infer_number_scatter,
    .vjp = scattered_extremum_vjp,
    .kernel = lower_combining(kernel::Combine::min),
    .eval = eval_scatter(smaller, [](std::int64_t x, std::int64_t y) { return std::min(x, y); }),
    .samples = picking_samples(true),
};

}  // namespace pullback::ops
