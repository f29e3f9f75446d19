// The kernel IR: loop nests over buffers, scalar SSA values within structured statements, all sizes known.
//
// Meaning. A Block runs its statements in order. A Value is one scalar, defined by a Define statement of the block
// where its operands are visible, and visible from there to that block's end, in nested blocks too. Constants need no
// Define and are visible everywhere. Arguments (Opcode::argument) are defined by structure: function parameters, values
// carried by loops, loop results (visible after the loop), accumulators of Contract epilogues.
//
// Buffers are distinct memory: they never overlap. Addresses count elements, row-major by convention; every address
// must lie in [0, elements) unless a predicate is false.
//
// Iterations of parallel and vector loops are independent: none reads what another writes, and none writes what another
// writes. Combined carried values are the exception; their order of evaluation is fixed, see Loop.
//
// Numbers. Integer arithmetic wraps. Floating operations round once, to nearest even, and are never contracted or
// reassociated. f16 and bf16 are storage: only constant, load, select, bitcast and convert produce them (Builder wraps
// arithmetic on them in conversions to f32). bool is 0 or 1.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <pullback/dtype.h>

#include "compiler/ir/kernel/index.h"

namespace pullback::kernel {

struct Function;

enum class Opcode : std::uint8_t {
  constant,  ///< bits
  argument,  ///< defined by structure, never by Define

  add,
  sub,
  mul,  ///< numbers
  div,  ///< numbers. Integers truncate; x/0 = -1 (all ones; for unsigned too), MIN/-1 = MIN
  rem,  ///< numbers, sign of the dividend. Integers: x%0 = x, MIN%-1 = 0. Floats: fmod, exact
  neg,
  abs,  ///< numbers; integer abs(MIN) = MIN; floats touch the sign bit alone
  min,
  max,    ///< numbers and bool. Floats: IEEE 754-2019 minimum/maximum (a NaN wins, -0 < +0)
  fma,    ///< a*b + c, rounded once; f32 and f64
  scale,  ///< x * 2^n, rounded once; f32 and f64. |x| is in [1/4, 4] or NaN, n is whole, |n| at most twice the largest
          ///< exponent
  sqrt,
  floor,
  ceil,
  trunc,
  round_even,  ///< f32 and f64; round_even: halves to even

  bit_and,
  bit_or,
  bit_xor,
  bit_not,  ///< integers and bool
  shl,
  shr,
  sar,    ///< integers; shr fills with 0, sar with the sign bit (of u8, u32 too: their top
          ///< bit). An amount outside [0, bits) gives 0, or the sign everywhere for sar
  mulhi,  ///< u32: the upper half of the 64-bit product

  eq,
  ne,
  lt,
  le,
  gt,
  ge,       ///< two values of one dtype -> bool. Floats: false with NaN, but ne is true then
  select,   ///< (bool, a, b): a where true
  convert,  ///< any -> any. float->integer truncates, saturates, NaN -> 0; integer -> integer takes the low bits
            ///< (sign-extends signed ones, zero-extends others); to bool: != 0 (NaN is true); to floats:
            ///< nearest even; integers reach f16 and bf16 by way of f32
  bitcast,  ///< same size, not bool

  index_value,  ///< index -> i64
  load,         ///< buffer[index]. Operands: none, or (bool predicate, fallback): false never touches memory
  lookup,       ///< table[operand], an i32 or i64 in [0, size)
  call,         ///< function(operands)
  call_where,   ///< (bool mask, arguments..., fallback) = select(mask, function(arguments), fallback). Generated code
                ///< may skip the call when no lane's mask is set: for slow paths
};
std::string_view name_of(Opcode opcode);

/// A constant array that `lookup` reads.
struct Table {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> bits;  ///< each element's bit pattern, zero-extended
};

struct Value {
  Opcode opcode = Opcode::constant;
  DType dtype = DType::f32;
  std::vector<Value*> operands;
  int id = 0;  ///< dense in its ValuePool: 0, 1, 2, ...
  std::string name;

  std::uint64_t bits = 0;              ///< constant: the bit pattern, zero-extended from the dtype's size
  int buffer = -1;                     ///< load: position in Kernel::buffers
  Index index;                         ///< load, index_value
  std::shared_ptr<const Table> table;  ///< lookup
  const Function* function = nullptr;  ///< call, call_where; lives as long as the program (a FunctionLibrary owns it)
};

/// Owns values; addresses are stable.
class ValuePool {
 public:
  Value* create(Opcode opcode, DType dtype, std::vector<Value*> operands = {});
  std::size_t size() const { return values_.size(); }
  /// The value whose id is `i`.
  const Value& at(std::size_t i) const { return *values_[i]; }

 private:
  std::vector<std::unique_ptr<Value>> values_;
};

struct Define {
  Value* value = nullptr;
};

/// buffer[index] = value, where predicate is null or true.
struct Store {
  int buffer = -1;
  Index index;
  Value* value = nullptr;
  Value* predicate = nullptr;
};

struct Loop;
struct If;
struct Contract;
using Statement = std::variant<Define, Store, std::unique_ptr<Loop>, std::unique_ptr<If>, std::unique_ptr<Contract>>;

struct Block {
  Block();
  ~Block();
  Block(Block&&) noexcept;
  Block& operator=(Block&&) noexcept;
  std::vector<Statement> statements;
};

enum class LoopKind : std::uint8_t {
  parallel,  ///< may be split over threads: only as the one statement of a kernel's body, and carries nothing
  serial,    ///< one iteration after the other
  vector,  ///< `width` neighbouring iterations at once, tails masked. Its body may hold Define, Store, If of those, and
           ///< serial or unrolled loops; If conditions may differ between lanes
  unrolled  ///< serial, and the body is repeated in the code: small extents only
};
std::string_view name_of(LoopKind kind);

/// How partial results of a carried value meet. Identities: add -0.0 (0), mul 1, max -inf (MIN), min +inf (MAX).
enum class Combine : std::uint8_t { none, add, mul, max, min };
std::string_view name_of(Combine combine);
/// The bit pattern of the identity; dtype is a number.
std::uint64_t identity_bits(Combine combine, DType dtype);

/// A value that goes from iteration to iteration. `argument` is what the body reads, `yielded` (visible at the body's
/// end) becomes the next argument, `result` is visible after the loop.
///  - combine none: the first argument is init, the result is the last yielded value, or init for extent 0. Never in
///    parallel loops; in vector loops neither.
///  - otherwise: there are lanes = width * accumulators partial values (1 unless the loop is a vector loop), each
///    starting at the identity. Iteration e reads and replaces lane e mod lanes, in order. At the end a tree:
///    lane[i] = lane[i] op lane[i + n/2] for i < n/2, n halving (lanes is a power of two), then
///    result = init op lane[0]. So yielded is usually `argument op element`, or fma(a, b, argument).
struct Carried {
  Value* init = nullptr;
  Combine combine = Combine::none;
  Value* argument = nullptr;
  Value* yielded = nullptr;
  Value* result = nullptr;
};

struct Loop {
  LoopVar variable;
  LoopKind kind = LoopKind::serial;
  int width = 1;         ///< vector: elements a vector, a power of two
  int accumulators = 1;  ///< vector: vectors in flight, a power of two
  std::vector<Carried> carried;
  Block body;

  int lanes() const { return kind == LoopKind::vector ? width * accumulators : 1; }
};

struct If {
  Value* condition = nullptr;
  Block then_block, else_block;
};

/// One register tile of a contraction: for row in [0, rows), column in [0, columns)
///   c = start and its condition ? start.buffer[start.base + row*start.stride_row + column] : 0
///   for k in [0, depth) in order: c = fma(A, B, c)
///       A = a.buffer[a.base + a.of_row(row) + k*a.stride_depth + column*a.stride_column]
///                                                    (any strides; broadcast along columns, or contiguous)
///       B = b.buffer[b.base + k*b.stride_depth + column*b.stride_column]  (contiguous along columns, or broadcast)
///   within the loops of `around`, outermost first, each of which moves A and B by strides of its own;
///   products out of `bounds` (the padding of a convolution) are left out, and their elements not read;
///   what is read of B is stored to copy.buffer[copy.base + k*copy.stride_depth + column], too, if there is one;
///   then the epilogue, with the variables `row` and `column` and the value `accumulator` = c; it may hold what a
///   vector loop over `column` may hold, and does the storing (contiguous in `column` for speed). One If alone, whose
///   condition is known before the tile, decides how the tile ends: each of its blocks is an epilogue then.
/// A and B have the accumulator's dtype (f32 or f64); with an f32 accumulator either may be f16 or bf16 instead, and is
/// converted. Or both are u32, with an f32 accumulator: an element holds two bf16 numbers, two steps of k at once:
///       c = fma(upper(A), upper(B), c), then c = fma(lower(A), lower(B), c)
/// where instructions for it may round the three once or twice, and take subnormal numbers for zero.
/// `rows` is small: the tile lives in registers. Columns beyond a multiple of the vector width are masked, or
/// belong to a vector that begins earlier: an epilogue that reads nothing that depends on `column` may run twice for an
/// element, with the same result. Reads of A, B and start come before all of the epilogue's stores. Never inside a
/// vector loop.
struct Contract {
  struct A {
    int buffer = -1;
    Index base;
    std::int64_t stride_row = 0, stride_depth = 0;
    std::int64_t stride_column = 0;        ///< 0, or 1: channel by channel, as depthwise convolutions multiply
    std::int64_t run = 0, stride_run = 0;  ///< 0, or: rows are `run` by `run`, so far from one run to the next

    std::int64_t of_row(std::int64_t row) const {
      return run == 0 ? row * stride_row : row / run * stride_run + row % run * stride_row;
    }
    /// The row's place in its run: bounds cut all runs alike.
    std::int64_t in_run(std::int64_t row) const { return run == 0 ? row : row % run; }
  };
  struct B {
    int buffer = -1;
    Index base;
    std::int64_t stride_depth = 0;
    std::int64_t stride_column = 1;  ///< 1, or 0: one filter for all of a tile. Then neither pairs nor a copy
  };
  struct Start {
    int buffer = -1;  ///< -1: start at zero
    Index base;
    std::int64_t stride_row = 0;
    Value* condition = nullptr;  ///< null: true
  };
  struct Copy {
    /// -1: no copy. Of B's dtype or of the accumulator's, to which B is converted then; another buffer than those of a,
    /// b and start. Not with loops around or bounds. All of the copy is written before the epilogue begins, which may
    /// read it.
    int buffer = -1;
    Index base;
    std::int64_t stride_depth = 0;
  };
  /// What another tile will read: step n of all loops over k together brings the elements from base + n*each to base +
  /// (n+1)*each nearer, line by line of the cache. That changes no result; elements may lie outside of the buffer.
  struct Fetch {
    int buffer = -1;
    Index base;
    std::int64_t each = 0;
  };
  struct Around {
    std::int64_t extent = 1, stride_a = 0, stride_b = 0;
  };
  /// Products take part where 0 <= base + r*step_row + (sum of steps[l]*i over the loops around, then depth) < size,
  /// r being a.in_run(row).
  /// With a step_row, `base` is a constant; otherwise at most one step is not 0. Steps are not negative.
  struct Bound {
    Index base;
    std::int64_t size = 0;
    std::int64_t step_row = 0;
    std::vector<std::int64_t> steps;  ///< one for each of `around`, and one for depth
  };
  std::int64_t rows = 0, columns = 0, depth = 0;
  std::vector<Around> around;  ///< extents are positive
  std::vector<Bound> bounds;
  A a;
  B b;
  Copy copy;
  std::vector<Fetch> fetches;
  Start start;
  LoopVar row, column;
  Value* accumulator = nullptr;  ///< an argument, visible in the epilogue; its dtype is the accumulation's
  Block epilogue;
};

/// How a kernel uses a buffer. `scratch` is memory of the running thread alone, with undefined contents at first.
enum class Access : std::uint8_t { in, out, inout, scratch };
std::string_view name_of(Access access);

struct Buffer {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements = 0;
  Access access = Access::in;
};

/// Movable, not copyable. If the body is exactly one parallel Loop, callers may run parts of it (see runtime/abi.h).
struct Kernel {
  std::string name;
  std::vector<Buffer> buffers;
  Block body;
  ValuePool values;
  int next_variable = 0;  ///< the id of the next LoopVar
  /// What a contraction is and how it is cut, when that was asked of somebody: for dumps and measurements. What the
  /// kernel does is in its body alone.
  std::string contraction, schedule;

  /// The parallel loop that is the whole body, or null.
  const Loop* parallel_loop() const;
  /// Of all scratch buffers: each starts at the next multiple of 64 bytes, in order.
  std::int64_t scratch_bytes() const;
  std::int64_t scratch_offset(int buffer) const;
  /// The position of a buffer among those that are not scratch: its place in the array of pointers a kernel is given.
  int parameter_index(int buffer) const;
};

/// Do the elements of A and B hold two bf16 numbers each?
bool is_of_pairs(const Kernel& kernel, const Contract& contract);

/// Everything that code generated for the kernel depends on, as text; names of values, variables and of the kernel do
/// not count. Equal text: the kernels are interchangeable.
std::string canonical_text(const Kernel& kernel);
/// Of canonical_text; stable from run to run.
std::uint64_t hash(const Kernel& kernel);

}  // namespace pullback::kernel
