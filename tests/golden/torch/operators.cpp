// Python's operators on tensors, and its indexing.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

/// PyTorch's order of promotion; the larger wins.
int rank_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return 0;
    case DType::u8:
      return 1;
    case DType::u32:
    case DType::i32:
      return 2;
    case DType::i64:
      return 3;
    case DType::f16:
    case DType::bf16:
      return 4;
    case DType::f32:
      return 5;
    case DType::f64:
      return 6;
  }
  return 0;
}

Operand operand_of(const Value& value) {
  if (const Tensor* tensor = value.tensor()) return *tensor;
  if (const auto* logical = std::get_if<bool>(&value)) return *logical;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  throw Error(fmt::format("{} is no operand: a tensor or a number is needed", value.describe()));
}

/// Python cuts the bounds of x[start:stop:step] to what there is.
Range range_of(const Slice& slice, std::int64_t size) {
  const auto cut = [size](std::optional<std::int64_t> bound) {
    if (bound) bound = std::clamp<std::int64_t>(*bound < 0 ? *bound + size : *bound, 0, size);
    return bound;
  };
  if (slice.step.value_or(1) < 1) throw Error("a slice's step must be positive");
  return {cut(slice.start), cut(slice.stop), slice.step.value_or(1)};
}

}  // namespace

Value apply_operator(const std::string& op, const Value& left, const Value& right, const Context& context) {
  Value x = left, y = right;
  const Tensor *a = x.tensor(), *b = y.tensor();
  if (a && b && a->dtype() != b->dtype() && op != "@") {
    Value& lower = rank_of(a->dtype()) < rank_of(b->dtype()) ? x : y;
    lower = cast(*lower.tensor(), (&lower == &x ? b : a)->dtype());
  } else if (!a != !b) {  // a float beside integers makes floats
    Value& tensor = a ? x : y;
    if (!is_float(tensor.tensor()->dtype()) && std::holds_alternative<double>(a ? y : x))
      tensor = cast(*tensor.tensor(), context.dtype);
  }
  if (op == "@") return call_function(context, "matmul", {x, y}, {});
  const Operand l = operand_of(x), r = operand_of(y);
  if (op == "+") return l + r;
  if (op == "-") return l - r;
  if (op == "*") return l * r;
  if (op == "/") return l / r;
  if (op == "**") return pow(l, r);
  if (op == "//") return floor_divide(l, r);
  if (op == "%") return remainder(l, r);
  if (op == "==") return equal(l, r);
  if (op == "!=") return not_equal(l, r);
  if (op == "<") return l < r;
  if (op == "<=") return l <= r;
  if (op == ">") return l > r;
  if (op == ">=") return l >= r;
  if (op == "&") return l & r;
  if (op == "|") return l | r;
  if (op == "^") return l ^ r;
  throw Error(fmt::format("{} {} {} is not known", left.describe(), op, right.describe()));
}

Tensor index(const Tensor& x, const std::vector<Value>& subscripts) {
  const auto takes_axis = [](const Value& v) { return !v.is_none() && !std::holds_alternative<Ellipsis>(v); };
  const auto used = static_cast<std::size_t>(std::count_if(subscripts.begin(), subscripts.end(), takes_axis));
  if (used > x.rank()) throw Error(fmt::format("{} has too few axes for {} indices", x.type_string(), used));
  Tensor result = x;
  int axis = 0;
  for (const Value& subscript : subscripts) {
    if (subscript.is_none()) {
      result = unsqueeze(result, axis++);
    } else if (std::holds_alternative<Ellipsis>(subscript)) {
      axis += static_cast<int>(x.rank() - used);
    } else if (const auto* at = std::get_if<std::int64_t>(&subscript)) {
      result = select(result, axis, *at);
    } else if (const auto* slice_of_axis = std::get_if<Slice>(&subscript)) {
      std::vector<Range> ranges(static_cast<std::size_t>(axis) + 1);
      ranges.back() = range_of(*slice_of_axis, result.size(axis).constant());
      result = slice(result, ranges);
      ++axis;
    } else if (const Tensor* indices = subscript.tensor(); indices && is_integer(indices->dtype())) {
      result = take(result, *indices, axis);
      axis += static_cast<int>(indices->rank());
    } else {
      throw Error(fmt::format("indexing by {} is not known", subscript.describe()));
    }
  }
  return result;
}

}  // namespace pullback::golden
