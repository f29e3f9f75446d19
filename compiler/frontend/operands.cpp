#include "compiler/frontend/operands.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "compiler/ir/literal.h"
#include "compiler/ops/ops.h"

namespace pullback::detail {

void fail(std::string_view op, const std::string& message, const SourceLine& line) {
  throw Error(fmt::format("{}: {}", op, message), line);
}

Operands::Operands(std::string_view op, std::initializer_list<const Operand*> operands, const SourceLocation& where)
    : op_(op), operands_(operands) {
  for (const Operand* operand : operands_) {
    if (!operand->is_tensor()) continue;
    require_defined(op, operand->tensor(), where);
    if (!trace_) trace_ = operand->tensor().trace().get();
  }
  if (!trace_) fail(op, "all operands are numbers: one must be a tensor", SourceLine(where));
  line_ = trace_->line(where);
}

std::string Operands::describe() const {
  std::string text = operands_.size() == 1 ? "the operand is" : "operands are";
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    const Operand& operand = *operands_[i];
    text += i == 0 ? " " : i + 1 == operands_.size() ? " and " : ", ";
    if (!operand.is_tensor()) {
      text += fmt::format("{}", operand.real());
      continue;
    }
    if (!operand.tensor().name().empty()) text += operand.tensor().name() + " ";
    text += operand.tensor().type_string();
  }
  return text;
}

DType Operands::common_dtype() const {
  const Tensor* first = nullptr;
  for (const Operand* operand : operands_) {
    if (!operand->is_tensor()) continue;
    if (!first) first = &operand->tensor();
    if (operand->tensor().dtype() != first->dtype())
      fail(op_, fmt::format("{}: the dtypes differ; cast() one of them", describe()), line_);
  }
  return first->dtype();
}

// `value` is one of the region that is traced.
static ir::Value* broadcast_value(Trace& trace, ir::Value* value, const Shape& shape, const SourceLine& line) {
  if (value->type.shape == shape) return value;
  const std::size_t rank = value->type.rank();
  ir::Integers dimensions(rank);
  for (std::size_t i = 0; i < rank; ++i) dimensions[i] = static_cast<std::int64_t>(shape.size() - rank + i);
  ir::Attributes attributes;
  attributes.reserve(2);
  attributes.set("shape", shape);
  attributes.set("dimensions", std::move(dimensions));
  return trace.append(ops::op_broadcast, {value}, std::move(attributes), line);
}

ir::Value* Operands::materialize(const Operand& operand, DType dtype) const {
  if (operand.is_tensor()) return trace_->import(operand.tensor(), op_, line_);
  if (operand.kind() == Operand::Kind::real && !is_float(dtype))
    fail(op_,
         fmt::format("{}: the number {} does not fit {}; cast() the tensor to a floating type", describe(),
                     operand.real(), name_of(dtype)),
         line_);
  if (operand.kind() == Operand::Kind::integer) require_fit(op_, operand.integer(), dtype, line_);
  ir::Literal literal = operand.kind() == Operand::Kind::real || is_float(dtype)
                            ? ir::Literal::filled(dtype, {}, operand.real())
                            : ir::Literal::filled_integer(dtype, {}, operand.integer());
  ir::Attributes attributes;
  attributes.set("value", std::make_shared<const ir::Literal>(std::move(literal)));
  return trace_->append(ops::op_constant, {}, std::move(attributes), line_);
}

// An op of two operands is what most of a graph is made of: values are not wrapped on their way.
std::vector<ir::Value*> Operands::broadcast_values(DType literal_dtype) const {
  std::vector<ir::Value*> values;
  values.reserve(operands_.size());
  for (const Operand* operand : operands_) values.push_back(materialize(*operand, literal_dtype));
  const Shape& first = values[0]->type.shape;
  if (std::all_of(values.begin(), values.end(), [&](const ir::Value* v) { return v->type.shape == first; }))
    return values;
  std::vector<Shape> shapes;
  shapes.reserve(values.size());
  for (const ir::Value* value : values) shapes.push_back(value->type.shape);
  const Shape shape = broadcast_shapes(op_, shapes, [this] { return describe(); }, line_);
  for (ir::Value*& value : values) value = broadcast_value(*trace_, value, shape, line_);
  return values;
}

std::vector<Tensor> Operands::broadcast(DType literal_dtype) {
  std::vector<Tensor> tensors;
  tensors.reserve(operands_.size());
  for (ir::Value* value : broadcast_values(literal_dtype)) tensors.push_back(trace_->wrap(value));
  return tensors;
}

std::vector<Tensor> Operands::unified() {
  return broadcast(common_dtype());
}

Tensor Operands::create(const ops::OpDef& def, ir::Attributes attributes) {
  return trace_->wrap(trace_->append(def, broadcast_values(common_dtype()), std::move(attributes), line_));
}

Shape broadcast_shapes(std::string_view op, const std::vector<Shape>& shapes, const std::string& description,
                       const SourceLine& line) {
  return broadcast_shapes(op, shapes, [&] { return description; }, line);
}

Shape broadcast_shapes(std::string_view op, const std::vector<Shape>& shapes,
                       const std::function<std::string()>& description, const SourceLine& line) {
  std::size_t rank = 0;
  for (const Shape& shape : shapes) rank = std::max(rank, shape.size());
  Shape result(rank, Dim(1));
  for (const Shape& shape : shapes)
    for (std::size_t i = shape.size(); i-- > 0;) {  // the last axis first: that is where mistakes are looked for
      Dim& size = result[rank - shape.size() + i];
      if (size == Dim(1)) size = shape[i];
      if (size == shape[i] || shape[i] == Dim(1)) continue;
      fail(
          op,
          fmt::format("{}: the sizes {} and {} don't broadcast", description(), size.to_string(), shape[i].to_string()),
          line);
    }
  return result;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape, const SourceLine& line) {
  if (x.shape() == shape) return x;
  Trace& trace = *x.trace();
  return trace.wrap(broadcast_value(trace, trace.import(x, "broadcast", line), shape, line));
}

Tensor fill(Trace& trace, DType dtype, const Shape& shape, double value, const SourceLine& line) {
  require_fit("constant", value, dtype, line);
  auto literal = std::make_shared<const ir::Literal>(ir::Literal::filled(dtype, {}, value));
  return broadcast_to(trace.create("constant", {}, {{"value", std::move(literal)}}, line), shape, line);
}

int normalize_axis(std::string_view op, const Tensor& x, int axis, const SourceLine& line) {
  const int rank = static_cast<int>(x.rank());
  if (axis < -rank || axis >= rank)
    fail(op, fmt::format("there is no axis {} in {}, which has {} axes", axis, x.type_string(), rank), line);
  return axis < 0 ? axis + rank : axis;
}

std::vector<int> normalize_axes(std::string_view op, const Tensor& x, const Axes& axes, const SourceLine& line) {
  std::vector<int> result;
  if (axes.empty())
    for (std::size_t i = 0; i < x.rank(); ++i) result.push_back(static_cast<int>(i));
  for (int axis : axes.values()) result.push_back(normalize_axis(op, x, axis, line));
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end())
    fail(op, fmt::format("an axis of {} is given twice", x.type_string()), line);
  return result;
}

std::vector<std::int64_t> as_integers(const std::vector<int>& axes) {
  return {axes.begin(), axes.end()};
}

void require_float(std::string_view op, const Tensor& x, const SourceLine& line) {
  if (!is_float(x.dtype()))
    fail(op, fmt::format("the operand is {}: a floating type is needed; cast() it", x.type_string()), line);
}

void require_number(std::string_view op, const char* what, double value, const SourceLine& line) {
  if (std::isnan(value)) fail(op, fmt::format("{} is {}: it is no number", what, value), line);
}

void require_at_least_zero(std::string_view op, const char* what, double value, const SourceLine& line) {
  if (!(value >= 0) || std::isinf(value))
    fail(op, fmt::format("{} is {}: it must be a finite number of at least 0", what, value), line);
}

// The integers of a type, [low, high].
static std::pair<std::int64_t, std::int64_t> range_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return {0, 1};
    case DType::u8:
      return {0, std::numeric_limits<std::uint8_t>::max()};
    case DType::u32:
      return {0, std::numeric_limits<std::uint32_t>::max()};
    case DType::i32:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

void require_fit(std::string_view op, double value, DType dtype, const SourceLine& line) {
  if (is_float(dtype)) return;
  if (!(value >= -0x1p63 && value < 0x1p63) || std::floor(value) != value)
    fail(op, fmt::format("the number {} does not fit {}", value, name_of(dtype)), line);
  require_fit(op, static_cast<std::int64_t>(value), dtype, line);
}

void require_fit(std::string_view op, std::int64_t value, DType dtype, const SourceLine& line) {
  if (is_float(dtype)) return;
  const auto [low, high] = range_of(dtype);
  if (value < low || value > high)
    fail(op, fmt::format("the number {} does not fit {}, which holds {} to {}", value, name_of(dtype), low, high),
         line);
}

void require_defined(std::string_view op, const Tensor& x, const SourceLocation& where) {
  if (!x.defined()) fail(op, "an operand is an undefined tensor", where);
}

SourceLine line_of(std::string_view op, const Tensor& x, const SourceLocation& where) {
  require_defined(op, x, where);
  return x.trace()->line(where);
}

}  // namespace pullback::detail
