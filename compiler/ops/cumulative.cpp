// Scans along an axis: cumulative_sum, cumulative_prod, cumulative_max, cumulative_min and linear_recurrence.
//
// The recurrence y_i = a_i * y_{i-1} + b_i is what the gradient of a cumulative product needs in order to survive
// zeros, and its own gradient is a recurrence again, in the other direction; so all of these have derivatives of every
// order in time linear in the axis.
#include <algorithm>
#include <cmath>
#include <functional>

#include "compiler/ops/along_axis.h"

namespace pullback::ops {

namespace {

using Carried = std::vector<kernel::Value*>;

bool is_reverse(const ir::Attributes& attributes) {
  return attributes.get<bool>("reverse");
}

// Sums and products of floats are carried in double: an error that grows with the length would grow in f32.
DType wide_of(DType dtype) {
  return is_float(dtype) ? DType::f64 : dtype;
}

/// Writes a scan as a kernel: `step` maps what is carried to what is carried on, and stores at `place`. Lines along the
/// axis are independent. Where elements beside the axis lie next to each other, pieces of them go along in vectors.
class ScanWriter {
 public:
  using Step = std::function<Carried(const Indices& place, const kernel::Index& along, const Carried& carried)>;

  ScanWriter(LowerContext& c, Carried first, Step step)
      : c_(c),
        split_(c.result_dims(), c.attributes().integer("axis")),
        first_(std::move(first)),
        step_(std::move(step)) {
    const std::int64_t tail = split_.tail_count();
    piece_ = std::min(tail, kPiece);
    while (piece_ > 1 && tail % piece_ != 0) --piece_;
    if (piece_ < kWorthVectors) piece_ = tail;  // a prime, say
    pieces_ = piece_ > 0 ? tail / piece_ : 0;
  }

  void write() {
    if (split_.lead_count() * split_.size * piece_ == 0) return;
    c_.outer_loop(split_.lead_count() * pieces_, [&](const kernel::Index& i) {
      if (piece_ < kWorthVectors)
        c_.build().serial_loop("t", piece_, [&](const kernel::Index& t) { write_line(i * piece_ + t); });
      else
        write_lines(i * piece_);
    });
  }

 private:
  static constexpr std::int64_t kPiece = 256;  ///< elements beside the axis that one thread takes at a time
  static constexpr std::int64_t kWorthVectors = 4;

  kernel::Index along(const kernel::Index& k) const {
    return is_reverse(c_.attributes()) ? kernel::Index(split_.size - 1) - k : k;
  }

  void write_line(const kernel::Index& row) {
    std::vector<kernel::Builder::Carry> carries;
    for (kernel::Value* value : first_) carries.push_back({value, kernel::Combine::none});
    c_.build().loop("k", split_.size, {}, carries,
                    [&](const kernel::Index& k, const std::vector<kernel::Value*>& carried) {
                      return step_(split_.at(row, along(k)), along(k), carried);
                    });
  }

  void write_lines(const kernel::Index& first_row) {
    kernel::Builder& b = c_.build();
    if (scratch_.empty())
      for (const kernel::Value* value : first_)
        scratch_.push_back(b.buffer("carried", value->dtype, piece_, kernel::Access::scratch));
    const auto for_each = [&](const std::function<void(const kernel::Index&)>& body) {
      b.vector_loop("t", piece_, static_cast<int>(64 / size_of(first_[0]->dtype)), 1, body);
    };
    for_each([&](const kernel::Index& t) {
      for (std::size_t i = 0; i < first_.size(); ++i) b.store(scratch_[i], t, first_[i]);
    });
    b.serial_loop("k", split_.size, [&](const kernel::Index& k) {
      for_each([&](const kernel::Index& t) {
        Carried carried;
        for (const int buffer : scratch_) carried.push_back(b.load(buffer, t));
        const Carried next = step_(split_.at(first_row + t, along(k)), along(k), carried);
        for (std::size_t i = 0; i < next.size(); ++i) b.store(scratch_[i], t, next[i]);
      });
    });
  }

  LowerContext& c_;
  AxisSplit split_;
  Carried first_;
  Step step_;
  std::int64_t pieces_ = 0, piece_ = 0;
  std::vector<int> scratch_;
};

// ---- cumulative_sum, cumulative_prod

std::vector<ir::Type> infer_fold(const InferContext& c) {
  c.require_number(0);
  c.require_axis(c.attribute<std::int64_t>("axis"), c.rank(0));
  c.attribute<bool>("reverse");
  c.attribute<bool>("exclusive");
  return {c.type(0)};
}

std::function<void(LowerContext&)> lower_fold(kernel::Combine how, double identity) {
  return [=](LowerContext& c) {
    kernel::Builder& b = c.build();
    const DType dtype = c.op().result()->type.dtype, wide = wide_of(dtype);
    const bool exclusive = c.attributes().get<bool>("exclusive");
    ScanWriter(c, {b.constant(wide, identity)},
               [&](const Indices& place, const kernel::Index&, const Carried& carried) {
                 kernel::Value* next = b.combine(how, carried[0], b.convert(c.read(0, place), wide));
                 c.store(0, place, b.convert(exclusive ? carried[0] : next, dtype));
                 return Carried{next};
               })
        .write();
  };
}

// Positions along a line in the order of the scan.
std::vector<std::int64_t> in_order(std::vector<std::int64_t> line, const ir::Attributes& attributes) {
  return is_reverse(attributes) ? std::vector<std::int64_t>(line.rbegin(), line.rend()) : line;
}

Eval eval_fold(Float2 on_float, Integer2 on_integer, int identity) {
  return [=](EvalContext& c) {
    const ir::Literal& x = c.operand(0);
    const bool exclusive = c.attributes().get<bool>("exclusive");
    for_each_line(x.dims, c.attributes().integer("axis"), [&](const std::vector<std::int64_t>& line) {
      double real = identity;
      std::int64_t integer = identity;
      for (const std::int64_t i : in_order(line, c.attributes())) {
        const double next = is_float(x.dtype) ? on_float(real, x.as_double(i)) : 0;
        const std::int64_t next_integer = is_float(x.dtype) ? 0 : on_integer(integer, x.as_integer(i));
        if (is_float(x.dtype))
          c.result().set(i, exclusive ? real : next);
        else
          c.result().set_integer(i, exclusive ? integer : next_integer);
        real = next;
        integer = next_integer;
      }
    });
  };
}

// y_i = product of x_j for j <= i (j < i when exclusive), so dx_k = (product of x_j, j < k) * s_k with
// s_k = sum over i >= k of g_i * (product of x_j, k < j <= i), which is s_k = g_k + x_{k+1} * s_{k+1}. When exclusive,
// g_{k+1} takes the place of g_k. Nothing is divided by.
void running_product_vjp(GradContext& c) {
  const auto axis = c.attributes().integer("axis");
  const bool reverse = is_reverse(c.attributes()), exclusive = c.attributes().get<bool>("exclusive");
  const int towards_start = reverse ? 1 : -1;
  const Value x = c.operand(0), g = exclusive ? shifted(c.out_grad(), axis, towards_start) : c.out_grad();
  const Value before = exclusive ? c.result() : cumulative_prod(x, axis, reverse, true);
  c.add_grad(0, before * linear_recurrence(shifted(x, axis, towards_start), g, axis, !reverse));
}

// ---- cumulative_max, cumulative_min

std::vector<ir::Type> infer_extremum(const InferContext& c) {
  c.require_number(0);
  c.require_axis(c.attribute<std::int64_t>("axis"), c.rank(0));
  c.attribute<bool>("reverse");
  return {c.type(0), {DType::i64, c.shape(0)}};
}

std::function<void(LowerContext&)> lower_extremum(kernel::Combine how) {
  return [=](LowerContext& c) {
    kernel::Builder& b = c.build();
    const DType dtype = c.op().result()->type.dtype;
    const kernel::Opcode better = how == kernel::Combine::max ? kernel::Opcode::ge : kernel::Opcode::le;
    ScanWriter(c, {b.bits(dtype, kernel::identity_bits(how, dtype)), b.integer(DType::i64, 0)},
               [&](const Indices& place, const kernel::Index& along, const Carried& carried) {
                 kernel::Value* x = c.read(0, place);
                 kernel::Value* take = b.compare(better, x, carried[0]);
                 if (is_float(dtype)) take = b.bit_or(take, b.is_nan(x));
                 const Carried next{b.select(take, x, carried[0]), b.select(take, b.index_value(along), carried[1])};
                 c.store(0, place, next[0]);
                 c.store(1, place, next[1]);
                 return next;
               })
        .write();
  };
}

template <class T, class Better>
void eval_line(EvalContext& c, const std::vector<std::int64_t>& line, T (ir::Literal::*element)(std::int64_t) const,
               Better better) {
  const bool reverse = is_reverse(c.attributes());
  std::int64_t best = -1;
  for (std::int64_t n = 0; n < static_cast<std::int64_t>(line.size()); ++n) {
    const std::int64_t along = reverse ? static_cast<std::int64_t>(line.size()) - 1 - n : n;
    const auto at = [&](std::int64_t i) { return (c.operand(0).*element)(line[static_cast<std::size_t>(i)]); };
    if (best < 0 || at(along) != at(along) || better(at(along), at(best))) best = along;
    const std::int64_t position = line[static_cast<std::size_t>(along)];
    copy_element(c.result(0), position, c.operand(0), line[static_cast<std::size_t>(best)]);
    c.result(1).set_integer(position, best);
  }
}

template <template <class> class Better>
void eval_extremum(EvalContext& c) {
  for_each_line(c.operand(0).dims, c.attributes().integer("axis"), [&](const std::vector<std::int64_t>& line) {
    if (is_float(c.operand(0).dtype))
      eval_line(c, line, &ir::Literal::as_double, Better<double>());
    else
      eval_line(c, line, &ir::Literal::as_integer, Better<std::int64_t>());
  });
}

void running_extremum_vjp(GradContext& c) {
  c.add_grad(0,
             scatter_add_along(full_like(c.operand(0), 0), c.result(1), c.out_grad(0), c.attributes().integer("axis")));
}

// ---- linear_recurrence

void lower_recurrence(LowerContext& c) {
  kernel::Builder& b = c.build();
  const DType dtype = c.op().result()->type.dtype;
  ScanWriter(c, {b.constant(DType::f64, 0)}, [&](const Indices& place, const kernel::Index&, const Carried& carried) {
    kernel::Value* a = b.convert(c.read(0, place), DType::f64);
    kernel::Value* next = b.fma(a, carried[0], b.convert(c.read(1, place), DType::f64));
    c.store(0, place, b.convert(next, dtype));
    return Carried{next};
  }).write();
}

void eval_recurrence(EvalContext& c) {
  for_each_line(c.operand(0).dims, c.attributes().integer("axis"), [&](const std::vector<std::int64_t>& line) {
    double y = 0;
    for (const std::int64_t i : in_order(line, c.attributes())) {
      y = std::fma(c.operand(0).as_double(i), y, c.operand(1).as_double(i));
      c.result().set(i, y);
    }
  });
}

// With r_i = g_i + a_{i+1} * r_{i+1}: db = r, da_i = r_i * y_{i-1}.
void recurrence_vjp(GradContext& c) {
  const auto axis = c.attributes().integer("axis");
  const bool reverse = is_reverse(c.attributes());
  const int forward = reverse ? -1 : 1;
  const Value r = linear_recurrence(shifted(c.operand(0), axis, -forward), c.out_grad(), axis, !reverse);
  if (c.needs_grad(0)) c.add_grad(0, r * shifted(c.result(), axis, forward));
  c.add_grad(1, r);
}

// ---- samples

Sample scan_sample(Shape x, std::int64_t axis, bool reverse, double low, double high, DType dtype = DType::f32) {
  return {.shapes = {std::move(x)},
          .attributes = {{"axis", axis}, {"reverse", reverse}},
          .dtypes = {dtype},
          .low = low,
          .high = high};
}

std::vector<Sample> scan_samples(double low, double high) {
  const Dim a = dim("a"), b = dim("b");
  return {scan_sample({a, b}, 1, false, low, high),       scan_sample({a, b}, 0, false, low, high),
          scan_sample({3, a, b}, 1, true, low, high),     scan_sample({a}, 0, true, low, high),
          scan_sample({2, 5, 3}, 1, false, low, high),    scan_sample({3, 300}, 0, true, low, high),
          scan_sample({3, 5}, 1, true, 0, 3, DType::i32), scan_sample({6, 19}, 0, false, 0, 3, DType::i64)};
}

std::vector<Sample> fold_samples(double low, double high) {
  std::vector<Sample> samples;
  for (const bool exclusive : {false, true}) {
    for (Sample sample : scan_samples(low, high)) {
      sample.attributes.set("exclusive", exclusive);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

std::vector<Sample> recurrence_samples() {
  std::vector<Sample> samples;
  for (Sample sample : scan_samples(-1.2, 1.2)) {
    if (sample.dtypes[0] != DType::f32) continue;
    sample.shapes.push_back(sample.shapes[0]);
    sample.dtypes.clear();
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace

const OpDef op_cumulative_sum{
    .name = "cumulative_sum",
    .arity = 1,
    .doc =
        "Sums of all elements of `axis` up to each one; without itself when `exclusive`, from the end when `reverse`. "
        "Floats add up in double. Gradient: dx = the same of g in the other direction.",
    .traits = {.is_linear = true},
    .infer = infer_fold,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, cumulative_sum(c.out_grad(), c.attributes().integer("axis"), !is_reverse(c.attributes()),
                                       c.attributes().get<bool>("exclusive")));
        },
    .kernel = lower_fold(kernel::Combine::add, 0),
    .eval = eval_fold([](double x, double y) { return x + y; },
                      [](std::int64_t x, std::int64_t y) {
                        return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) + static_cast<std::uint64_t>(y));
                      },
                      0),
    .samples = fold_samples(-2, 2),
};

const OpDef op_cumulative_prod{
    .name = "cumulative_prod",
    .arity = 1,
    .doc =
        "Products of all elements of `axis` up to each one; without itself when `exclusive`, from the end when "
        "`reverse`. Floats multiply in double. Gradient: dx_k = (product of x before k) * s_k, "
        "s_k = g_k + x_{k+1} * s_{k+1}, which survives zeros.",
    .infer = infer_fold,
    .vjp = running_product_vjp,
    .kernel = lower_fold(kernel::Combine::mul, 1),
    .eval = eval_fold([](double x, double y) { return x * y; },
                      [](std::int64_t x, std::int64_t y) {
                        return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(y));
                      },
                      1),
    .samples = fold_samples(0.7, 1.3),
};

const OpDef op_cumulative_max{
    .name = "cumulative_max",
    .arity = 1,
    .doc =
        "The largest element of `axis` up to each one, and its i64 position: the latest of equals; a NaN counts as the "
        "largest (as PyTorch's cummax). From the end when `reverse`. Gradient: g added to the elements at the "
        "positions.",
    .infer = infer_extremum,
    .vjp = running_extremum_vjp,
    .kernel = lower_extremum(kernel::Combine::max),
    .eval = eval_extremum<std::greater_equal>,
    .samples = scan_samples(-2, 2),
};

const OpDef op_cumulative_min{
    .name = "cumulative_min",
    .arity = 1,
    .doc =
        "The smallest element of `axis` up to each one, and its i64 position: the latest of equals; a NaN counts as "
        "the smallest (as PyTorch's cummin). From the end when `reverse`. Gradient: g added to the elements at the "
        "positions.",
    .infer = infer_extremum,
    .vjp = running_extremum_vjp,
    .kernel = lower_extremum(kernel::Combine::min),
    .eval = eval_extremum<std::less_equal>,
    .samples = scan_samples(-2, 2),
};

const OpDef op_linear_recurrence{
    .name = "linear_recurrence",
    .arity = 2,
    .doc =
        "(a, b): y_i = a_i * y_{i-1} + b_i along `axis`, from 0; from the end when `reverse`. Computed in double. "
        "Gradients: with r_i = g_i + a_{i+1} * r_{i+1}, db = r and da_i = r_i * y_{i-1}.",
    .infer =
        [](const InferContext& c) {
          c.require_float(0);
          c.require_same_type(0, 1);
          c.require_axis(c.attribute<std::int64_t>("axis"), c.rank(0));
          c.attribute<bool>("reverse");
          return std::vector<ir::Type>{c.type(0)};
        },
    .vjp = recurrence_vjp,
    .kernel = lower_recurrence,
    .eval = eval_recurrence,
    .samples = recurrence_samples(),
};

}  // namespace pullback::ops
