// argmax and argmin: where the extremum along an axis is.
#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

constexpr const char* kPositionsHaveNoGradient = "the result holds positions, which have no gradient";

std::vector<ir::Type> infer_arg(const InferContext& c) {
  c.require_number(0);
  const auto axis = c.attribute<std::int64_t>("axis");
  c.require_axis(axis, c.rank(0));
  Shape shape = c.shape(0);
  if (shape[static_cast<std::size_t>(axis)] == Dim(0)) c.fail(fmt::format("axis {} has no elements", axis));
  shape.erase(shape.begin() + axis);
  return {{DType::i64, shape}};
}

// Two folds: the extremum, then the smallest position that holds it (or a NaN, when the extremum is one).
Element element_arg(kernel::Combine how) {
  return [how](LowerContext& c) {
    kernel::Builder& b = c.build();
    const auto axis = static_cast<std::ptrdiff_t>(c.attributes().integer("axis"));
    const std::int64_t size = c.operand_dims(0)[static_cast<std::size_t>(axis)];
    const DType dtype = c.op().operand(0)->type.dtype;
    const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
    const Indices outer = c.indices();
    const auto element = [&](const Indices& inner) {
      Indices index = outer;
      index.insert(index.begin() + axis, inner[0]);
      return b.convert(c.read(0, index), wide);
    };
    kernel::Value* extremum = c.reduce({size}, how, wide, element);
    return c.reduce({size}, kernel::Combine::min, DType::i64, [&](const Indices& inner) {
      kernel::Value* x = element(inner);
      kernel::Value* here = b.eq(x, extremum);
      if (is_float(wide)) here = b.bit_or(here, b.is_nan(x));
      return b.select(here, b.index_value(inner[0]), b.integer(DType::i64, size - 1));
    });
  };
}

template <class T>
bool beats(T x, T best, bool maximum) {
  if (best != best) return false;  // the first NaN stays
  if (x != x) return true;
  return maximum ? x > best : x < best;
}

Eval eval_arg(bool maximum) {
  return [maximum](EvalContext& c) {
    const ir::Literal& x = c.operand(0);
    const auto axis = c.attributes().integer("axis");
    for_each_index(c.result().dims, [&](std::vector<std::int64_t> index, std::int64_t position) {
      index.insert(index.begin() + axis, 0);
      std::int64_t best = 0;
      const auto place = [&](std::int64_t i) {
        index[static_cast<std::size_t>(axis)] = i;
        return position_of(index, x.dims);
      };
      for (std::int64_t i = 1; i < x.dims[static_cast<std::size_t>(axis)]; ++i)
        if (is_float(x.dtype) ? beats(x.as_double(place(i)), x.as_double(place(best)), maximum)
                              : beats(x.as_integer(place(i)), x.as_integer(place(best)), maximum))
          best = i;
      c.result().set_integer(position, best);
    });
  };
}

std::vector<Sample> arg_samples() {
  const auto sample = [](Shape x, std::int64_t axis, DType dtype = DType::f32) {
    return Sample{.shapes = {std::move(x)}, .attributes = {{"axis", axis}}, .dtypes = {dtype}, .low = 0, .high = 6};
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({a, 5}, 1),
          sample({7, b}, 0),
          sample({a, 3, b}, 1),
          sample({83}, 0),
          sample({1}, 0),
          sample({4, 37}, 1, DType::i32),
          sample({37, 4}, 0, DType::u8)};
}

}  // namespace

const OpDef op_argmax{
    .name = "argmax",
    .arity = 1,
    .doc = "The i64 position of the largest element along `axis`, the first of equals; a NaN counts as the largest.",
    .traits = {},
    .infer = infer_arg,
    .no_vjp = kPositionsHaveNoGradient,
    .element = element_arg(kernel::Combine::max),
    .eval = eval_arg(true),
    .samples = arg_samples(),
};

const OpDef op_argmin{
    .name = "argmin",
    .arity = 1,
    .doc = "The i64 position of the smallest element along `axis`, the first of equals; a NaN counts as the smallest.",
    .traits = {},
    .infer = infer_arg,
    .no_vjp = kPositionsHaveNoGradient,
    .element = element_arg(kernel::Combine::min),
    .eval = eval_arg(false),
    .samples = arg_samples(),
};

}  // namespace pullback::ops
