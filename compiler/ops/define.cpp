#include "compiler/ops/define.h"

#include <numeric>

namespace pullback::ops {

namespace {

std::vector<ir::Type> infer_same(const InferContext& c) {
  for (std::size_t i = 1; i < c.operand_count(); ++i) c.require_same_type(0, i);
  return std::vector<ir::Type>(1, c.type(0));  // braces would copy it twice
}

std::vector<Sample> elementwise_samples(std::size_t operands, double low, double high, double grad_tolerance) {
  const Sample symbolic{.shapes = std::vector<Shape>(operands, {dim("a"), dim("b")}),
                        .low = low,
                        .high = high,
                        .grad_tolerance = grad_tolerance};
  Sample scalar = symbolic, tail = symbolic;
  scalar.shapes.assign(operands, {});
  tail.shapes.assign(operands, {3, 37});
  return {symbolic, scalar, tail};
}

}  // namespace

std::vector<ir::Type> infer_float(const InferContext& c) {
  c.require_float(0);
  return infer_same(c);
}

std::vector<ir::Type> infer_number(const InferContext& c) {
  c.require_number(0);
  return infer_same(c);
}

std::vector<ir::Type> infer_bits(const InferContext& c) {
  c.require_bits(0);
  return infer_same(c);
}

Eval eval_unary(Float1 on_float, Integer1 on_integer) {
  return [=](EvalContext& c) {
    const ir::Literal& x = c.operand(0);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (is_float(x.dtype))
        c.result().set(i, on_float(x.as_double(i)));
      else
        c.result().set_integer(i, on_integer(x.as_integer(i)));
    }
  };
}

Eval eval_binary(Float2 on_float, Integer2 on_integer) {
  return [=](EvalContext& c) {
    const ir::Literal& x = c.operand(0);
    const ir::Literal& y = c.operand(1);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (is_float(x.dtype))
        c.result().set(i, on_float(x.as_double(i), y.as_double(i)));
      else
        c.result().set_integer(i, on_integer(x.as_integer(i), y.as_integer(i)));
    }
  };
}

std::int64_t position_of(std::span<const std::int64_t> index, std::span<const std::int64_t> dims) {
  std::int64_t position = 0;
  for (std::size_t d = 0; d < dims.size(); ++d) position = position * dims[d] + index[d];
  return position;
}

void for_each_index(const std::vector<std::int64_t>& dims, const Visitor& visit) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) count *= size;
  std::vector<std::int64_t> index(dims.size(), 0);
  for (std::int64_t position = 0; position < count; ++position) {
    visit(index, position);
    for (std::size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d]) break;
      index[d] = 0;
    }
  }
}

Element element_unary(Build1 build) {
  return [=](LowerContext& c) { return (c.build().*build)(c.read(0)); };
}

Element element_binary(Build2 build) {
  return [=](LowerContext& c) {
    kernel::Value* x = c.read(0);
    return (c.build().*build)(x, c.read(1));
  };
}

Element element_call(std::string_view function) {
  return [=](LowerContext& c) {
    std::vector<kernel::Value*> arguments;
    for (std::size_t i = 0; i < c.op().operands.size(); ++i) arguments.push_back(c.read(i));
    return c.build().call(function, arguments);
  };
}

kernel::Index clamped_index(LowerContext& c, kernel::Value* value, std::int64_t limit) {
  kernel::Builder& b = c.build();
  kernel::Value* wide = b.convert(value, DType::i64);
  kernel::Value* clamped = b.max(b.min(wide, b.integer(DType::i64, limit)), b.integer(DType::i64, 0));
  return kernel::Index::dynamic(clamped, {0, limit});
}

std::vector<std::int64_t> all_axes(std::size_t rank) {
  std::vector<std::int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

std::vector<Sample> unary_samples(double low, double high, double grad_tolerance) {
  return elementwise_samples(1, low, high, grad_tolerance);
}

std::vector<Sample> binary_samples(double low, double high, double grad_tolerance) {
  return elementwise_samples(2, low, high, grad_tolerance);
}

Sample typed_sample(std::size_t operands, DType dtype, double low, double high) {
  return {.shapes = std::vector<Shape>(operands, {dim("a"), dim("b")}),
          .dtypes = std::vector<DType>(operands, dtype),
          .low = low,
          .high = high,
          .why = "another element type"};
}

}  // namespace pullback::ops
