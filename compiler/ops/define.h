// What op definitions share: shape rules, evaluation element by element, lowerings, samples.
#pragma once

#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/ops.h"

namespace pullback::ops {

// Shape rules of elementwise ops: all operands and the result have one type.
std::vector<ir::Type> infer_float(const InferContext& c);   ///< floating
std::vector<ir::Type> infer_number(const InferContext& c);  ///< floating or integer
std::vector<ir::Type> infer_bits(const InferContext& c);    ///< integer or bool

// Evaluation. Floats are computed in double and rounded once; integers in 64 bits, of which the low ones are kept.
using Eval = std::function<void(EvalContext&)>;
using Float1 = double (*)(double);
using Float2 = double (*)(double, double);
using Integer1 = std::int64_t (*)(std::int64_t);
using Integer2 = std::int64_t (*)(std::int64_t, std::int64_t);
Eval eval_unary(Float1 on_float, Integer1 on_integer = nullptr);
Eval eval_binary(Float2 on_float, Integer2 on_integer = nullptr);

inline void copy_element(ir::Literal& to, std::int64_t position, const ir::Literal& from, std::int64_t source) {
  const std::size_t size = size_of(to.dtype);
  std::memcpy(to.bytes.data() + static_cast<std::size_t>(position) * size,
              from.bytes.data() + static_cast<std::size_t>(source) * size, size);
}
/// Row-major position of an element.
std::int64_t position_of(std::span<const std::int64_t> index, std::span<const std::int64_t> dims);
/// Visits all indices below dims in row-major order, with their position.
using Visitor = std::function<void(const std::vector<std::int64_t>& index, std::int64_t position)>;
void for_each_index(const std::vector<std::int64_t>& dims, const Visitor& visit);

// Lowerings of elementwise ops.
using Element = std::function<kernel::Value*(LowerContext&)>;
using Build1 = kernel::Value* (kernel::Builder::*)(kernel::Value*);
using Build2 = kernel::Value* (kernel::Builder::*)(kernel::Value*, kernel::Value*);
Element element_unary(Build1 build);
Element element_binary(Build2 build);
Element element_call(std::string_view function);  ///< one of Pullback's own functions, of one or two operands
/// A scalar index operand as an i64 clamped to [0, limit].
kernel::Index clamped_index(LowerContext& c, kernel::Value* value, std::int64_t limit);

/// For shape-dependent attributes: dimensions as an axis list.
std::vector<std::int64_t> all_axes(std::size_t rank);

// Samples of elementwise ops: symbolic sizes (also 0 and 1), and one of several vectors and a tail.
std::vector<Sample> unary_samples(double low, double high, double grad_tolerance = 1e-6);
std::vector<Sample> binary_samples(double low, double high, double grad_tolerance = 1e-6);
/// The same for another element type; compares values only.
Sample typed_sample(std::size_t operands, DType dtype, double low, double high);

}  // namespace pullback::ops
