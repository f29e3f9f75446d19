// What an op is: one OpDef holds everything the compiler knows about it. Passes ask traits, never names.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ops/flop.h"

namespace pullback::ir {
class Builder;
}
namespace pullback::kernel {
struct Value;
}

namespace pullback::ops {

class InferContext;
class GradContext;
class LowerContext;
class EvalContext;
struct ContractionSpec;

/// Facts that passes and lowering ask for.
struct Traits {
  bool elementwise = false;  ///< result[i] depends on operand[i] alone; all shapes equal
  bool commutative = false;  ///< first two operands may swap
  bool effectful = false;    ///< must stay, and stay in order (check)
  bool moves_data = false;   ///< results are operand elements, rearranged: broadcast, reshape, transpose, slice, ...
  bool cheap = false;        ///< cheaper to recompute in each reader than to store: iota, broadcast, compare, ...
  bool reduction = false;    ///< result elements are folds over operand axes (attribute `axes`)
  bool is_linear = false;    ///< linear in each floating operand that has a gradient
};

/// One test case of an op. The contract test runs it at f32 and f64: an operand whose dtype is f32 here takes the type
/// under test. Symbols in shapes and attributes get several sizes each: 0, 1, and sizes that are no multiple of a
/// vector.
struct Sample {
  std::vector<Shape> shapes;  ///< one for each operand
  ir::Attributes attributes;
  std::vector<DType> dtypes;     ///< one for each operand; empty: f32 for all
  double low = -2, high = 2;     ///< operand values are drawn from [low, high]; integers too
  std::int64_t smallest = 0;     ///< the smallest size that symbols may take
  double grad_tolerance = 1e-6;  ///< relative, of f64 VJP against central differences; say why when loosened
  bool differentiable = true;    ///< false: these inputs sit on a kink, compare values only
  std::string why;               ///< a reason for anything unusual above
  /// Builds the op's regions (composite, cond) from the operands' types.
  std::function<std::vector<std::unique_ptr<ir::Region>>(const std::vector<ir::Type>&)> regions;
};

/// How the kernel of an op that writes its own gets an operand.
enum class Reading : std::uint8_t {
  stored,    ///< as a tensor in memory
  in_place,  ///< by LowerContext::operand_memory: a tensor in memory, or a strided view of one
  composed   ///< element by element: what computes it may become part of the kernel
};

struct OpDef {
  std::string name;
  int arity = 0;    ///< number of operands; -1: any number
  std::string doc;  ///< formula, gradient formula, convention at kinks, source
  Traits traits;

  /// Result types from operand types and attributes. Throws through InferContext::fail.
  std::function<std::vector<ir::Type>(const InferContext&)> infer;
  /// Adds to the operands' gradients; missing only with `no_vjp` saying why.
  std::function<void(GradContext&)> vjp;
  std::string no_vjp;
  /// Overrides the derived forward derivative: tangents of operands -> tangents of results.
  std::function<std::vector<ir::Value*>(ir::Builder&, const ir::Op&, std::span<ir::Value* const> tangents)> jvp;

  /// Lowering, exactly one of these (`contraction` brings its `element`, or a `meaning`, along):
  /// the value of result 0 at an index, composed by fusion;
  std::function<kernel::Value*(LowerContext&)> element;
  /// C[m,n] += A(m,k) * B(k,n): handed to the contraction generator; `element`, or `meaning`, is then the plain
  /// fallback: for integers, and of nothing;
  std::function<ContractionSpec(const ir::Op&)> contraction;
  /// a kernel of its own, written statement by statement;
  std::function<void(LowerContext&)> kernel;
  /// how that reads its operands; missing: all are stored;
  std::function<Reading(const ir::Op&, std::size_t operand)> reading;
  /// floating operations of that kernel, when it makes sums of products;
  std::function<FlopCount(const ir::Op&)> flop;
  /// lowered by the schedule itself (cond, check), or gone by then (composite, constant).
  bool control = false;

  /// What the op does, as a region of simpler ops over its operands. They take its place before lowering, but where its
  /// own lowering is the better one at these (known) sizes.
  std::function<std::unique_ptr<ir::Region>(const ir::Op&)> meaning;
  std::function<bool(const ir::Op&)> keeps_own_lowering;

  /// The semantics, slow and plain: the oracle of the tests.
  std::function<void(EvalContext&)> eval;
  std::vector<Sample> samples;
};

}  // namespace pullback::ops
