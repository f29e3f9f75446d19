// Index: an integer affine expression over loop variables, the address of an element.
//
// An Index is sum(coefficient * atom) + constant in one canonical form. Atoms are loop variables, floordiv(Index, c),
// mod(Index, c), and dynamic values. Every constructor simplifies with the ranges of its atoms, so that what a reshape,
// a transpose or a slice does to an index stays affine where it can: for t in [0, T) floordiv(i*T + t, T) is i,
// mod(i*T + t, T) is t, and T*floordiv(x, T) + mod(x, T) is x. Two Indexes that are equal in this form are equal
// functions; the reverse is not promised.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/support/small_vector.h"

namespace pullback::kernel {

struct Value;
class Index;

/// A loop's variable, running over [0, extent). Identified by its address; it belongs to its Loop or Contract.
struct LoopVar {
  std::string name;
  std::int64_t extent = 0;
  int id = 0;  ///< unique in its kernel: the deterministic order of terms
};

/// Inclusive bounds. Sums and products saturate at +-unbounded.
struct Range {
  static constexpr std::int64_t unbounded = std::int64_t{1} << 62;
  std::int64_t low = -unbounded, high = unbounded;

  bool contains(const Range& other) const { return low <= other.low && other.high <= high; }
  bool operator==(const Range&) const = default;
};

/// A term of an Index that is not a sum or a constant multiple.
struct Atom {
  enum class Kind : std::uint8_t { variable, floordiv, mod, dynamic };
  Kind kind = Kind::variable;
  const LoopVar* variable = nullptr;   ///< of a variable
  std::shared_ptr<const Index> inner;  ///< of floordiv and mod; shared
  std::int64_t divisor = 1;            ///< of floordiv and mod, > 1
  Value* value = nullptr;              ///< of dynamic: an i64
  Range range;                         ///< the values this atom can take
};

struct Term {
  std::int64_t coefficient = 1;
  Atom atom;
};
using Terms = SmallVector<Term, 2>;

class Index {
 public:
  Index() = default;
  Index(std::int64_t constant) : constant_(constant) {}  // NOLINT: integers are indices
  Index(const LoopVar& variable);                        // NOLINT: loop variables are indices
  explicit Index(Term term) { terms_.push_back(std::move(term)); }
  /// The value of an i64, with bounds where the caller knows (has clamped or checked) them.
  static Index dynamic(Value* value, Range known = {});

  Index operator+(const Index& other) const;
  Index operator-(const Index& other) const;
  Index operator-() const;
  Index operator*(std::int64_t factor) const;
  Index& operator+=(const Index& other);

  const Terms& terms() const { return terms_; }
  std::int64_t constant() const { return constant_; }
  bool is_constant() const { return terms_.empty(); }
  /// Is it the variable itself?
  bool is_variable(const LoopVar& variable) const {
    return terms_.size() == 1 && constant_ == 0 && terms_[0].coefficient == 1 && terms_[0].atom.variable == &variable;
  }

  Range range() const;
  /// The coefficient of the variable itself, not of floordiv or mod that contain it.
  std::int64_t coefficient(const LoopVar& variable) const;
  /// Does it occur anywhere, also inside floordiv, mod? (What a dynamic value depends on is not looked into.)
  bool depends_on(const LoopVar& variable) const;
  /// Does the element move by exactly `stride` when the variable moves by one? True with stride 0 when independent.
  bool has_stride(const LoopVar& variable, std::int64_t stride) const;
  bool is_contiguous_in(const LoopVar& variable) const { return has_stride(variable, 1); }
  /// Only variables, no floordiv, mod, dynamic.
  bool is_affine() const;
  /// The largest d that divides every coefficient and the constant; 0 for the Index 0.
  std::int64_t divisor() const;

  /// Variables replaced (by what the callback gives; return Index(v) to keep), simplified anew.
  Index substitute(const std::function<Index(const LoopVar&)>& replacement) const;
  /// The same over other variables and values, which have the ids and the extents of those that they stand for: nothing
  /// is simplified or sorted anew.
  Index transferred(const std::function<const LoopVar*(const LoopVar&)>& variable,
                    const std::function<Value*(const Value&)>& dynamic) const;
  /// Every atom replaced by the callback's value: for interpreters.
  std::int64_t evaluate(const std::function<std::int64_t(const LoopVar&)>& variable,
                        const std::function<std::int64_t(const Value&)>& dynamic) const;
  /// Calls `visit` for each atom, inner ones included (inner first).
  void for_each_atom(const std::function<void(const Atom&)>& visit) const;

  /// Structural: same variables, same dynamic values.
  bool operator==(const Index& other) const;
  /// A total order, deterministic from run to run (by variable and value ids).
  static int compare(const Index& a, const Index& b);
  std::uint64_t hash() const;

 private:
  friend Index floordiv(const Index&, std::int64_t);
  friend Index mod(const Index&, std::int64_t);
  Index(Terms terms, std::int64_t constant);  // sorts, merges, recombines floordiv and mod
  Terms terms_;                               // sorted by atom, no zero coefficient
  std::int64_t constant_ = 0;
};

/// Rounds towards minus infinity. divisor > 0.
Index floordiv(const Index& dividend, std::int64_t divisor);
/// In [0, divisor). divisor > 0.
Index mod(const Index& dividend, std::int64_t divisor);
inline Index operator*(std::int64_t factor, const Index& index) {
  return index * factor;
}
inline Index operator+(std::int64_t constant, const Index& index) {
  return index + Index(constant);
}

/// Row-major position of an element: sum of indices[d] * product(dims[d+1:]).
Index flatten(const std::vector<Index>& indices, const std::vector<std::int64_t>& dims);
/// The inverse of flatten: one Index for each dimension.
std::vector<Index> unflatten(const Index& position, const std::vector<std::int64_t>& dims);

/// "4*i + floordiv(j, 3) + 1"; a dynamic value prints as its %name or %id.
std::string to_string(const Index& index);
/// The same with names given by the caller.
std::string to_string(const Index& index, const std::function<std::string(const LoopVar&)>& variable_name,
                      const std::function<std::string(const Value&)>& value_name);

}  // namespace pullback::kernel
