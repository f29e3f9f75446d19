#include "compiler/ir/kernel/index.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t saturate(std::int64_t x) {
  return std::clamp(x, -Range::unbounded, Range::unbounded);
}

/// factor * bound; unbounded stays unbounded.
std::int64_t scale_bound(std::int64_t bound, std::int64_t factor) {
  if (factor == 0) return 0;
  std::int64_t product = 0;
  if (__builtin_mul_overflow(bound, factor, &product))
    return (bound < 0) == (factor < 0) ? Range::unbounded : -Range::unbounded;
  return saturate(product);
}

std::int64_t add_bounds(std::int64_t a, std::int64_t b) {
  if (std::abs(a) == Range::unbounded) return a;
  if (std::abs(b) == Range::unbounded) return b;
  return saturate(a + b);
}

Range scale(const Range& r, std::int64_t factor) {
  std::int64_t a = scale_bound(r.low, factor), b = scale_bound(r.high, factor);
  return {std::min(a, b), std::max(a, b)};
}

Range divide(const Range& r, std::int64_t divisor) {
  Range result;
  if (r.low != -Range::unbounded) result.low = floor_div(r.low, divisor);
  if (r.high != Range::unbounded) result.high = floor_div(r.high, divisor);
  return result;
}

/// The k for which the whole range lies in [k*divisor, (k+1)*divisor).
std::optional<std::int64_t> only_block(const Range& r, std::int64_t divisor) {
  if (r.low == -Range::unbounded || r.high == Range::unbounded) return std::nullopt;
  const std::int64_t first = floor_div(r.low, divisor);
  if (first != floor_div(r.high, divisor)) return std::nullopt;
  return first;
}

template <class T>
int three_way(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_atoms(const Atom& a, const Atom& b) {
  if (a.kind != b.kind) return three_way(a.kind, b.kind);
  switch (a.kind) {
    case Atom::Kind::variable:
      if (int order = three_way(a.variable->id, b.variable->id)) return order;
      return std::less<>{}(a.variable, b.variable) ? -1 : a.variable == b.variable ? 0 : 1;
    case Atom::Kind::dynamic:
      if (int order = three_way(a.value->id, b.value->id)) return order;
      if (int order = three_way(a.range.low, b.range.low)) return order;
      if (int order = three_way(a.range.high, b.range.high)) return order;
      return std::less<>{}(a.value, b.value) ? -1 : a.value == b.value ? 0 : 1;
    case Atom::Kind::floordiv:
    case Atom::Kind::mod:
      break;
  }
  if (int order = three_way(a.divisor, b.divisor)) return order;
  return Index::compare(*a.inner, *b.inner);
}

Atom divided_atom(Atom::Kind kind, const Index& inner, std::int64_t divisor) {
  Atom atom{.kind = kind, .inner = std::make_shared<const Index>(inner), .divisor = divisor};
  atom.range = kind == Atom::Kind::floordiv ? divide(inner.range(), divisor) : Range{0, divisor - 1};
  return atom;
}

/// The one atom of an Index of the form 1*atom + 0.
const Atom* lone_atom(const Index& index) {
  if (index.terms().size() != 1 || index.constant() != 0 || index.terms()[0].coefficient != 1) return nullptr;
  return &index.terms()[0].atom;
}

}  // namespace

Index::Index(const LoopVar& variable) {
  if (variable.extent != 1)
    terms_.push_back({1, {.variable = &variable, .range = {0, std::max<std::int64_t>(variable.extent - 1, 0)}}});
}

Index Index::dynamic(Value* value, Range known) {
  return Index(Term{1, {.kind = Atom::Kind::dynamic, .value = value, .range = known}});
}

namespace {

/// Sorts, merges equal atoms, drops what has coefficient 0.
void merge_terms(Terms& terms) {
  const auto is_before = [](const Term& a, const Term& b) {
    return a.coefficient != 0 && compare_atoms(a.atom, b.atom) < 0;
  };
  const auto out_of_order =
      std::adjacent_find(terms.begin(), terms.end(), [&](const Term& a, const Term& b) { return !is_before(a, b); });
  if (out_of_order == terms.end() && (terms.empty() || terms.back().coefficient != 0)) return;
  std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return compare_atoms(a.atom, b.atom) < 0; });
  Terms merged;
  for (Term& term : terms) {
    if (!merged.empty() && compare_atoms(merged.back().atom, term.atom) == 0)
      merged.back().coefficient += term.coefficient;
    else
      merged.push_back(std::move(term));
  }
  const auto is_zero = [](const Term& t) { return t.coefficient == 0; };
  merged.shrink(static_cast<std::size_t>(std::remove_if(merged.begin(), merged.end(), is_zero) - merged.begin()));
  terms = std::move(merged);
}

/// A pair of terms that together are something simpler.
struct Recombination {
  std::size_t first, second;
  Index sum;  // replaces both
};

/// p*c*floordiv(y, c) + p*mod(y, c) = p*y, and p*c*mod(floordiv(y, c), b) + p*mod(y, c) = p*mod(y, b*c).
std::optional<Recombination> find_recombination(const Terms& terms) {
  for (std::size_t m = 0; m < terms.size(); ++m) {
    const Atom& remainder = terms[m].atom;
    if (remainder.kind != Atom::Kind::mod) continue;
    const std::int64_t p = terms[m].coefficient, c = remainder.divisor;
    // The quotient takes long to find, and few indices have a term that it could belong to.
    if (std::none_of(terms.begin(), terms.end(), [&](const Term& t) { return t.coefficient == p * c; })) continue;
    const Index quotient = floordiv(*remainder.inner, c);
    if (quotient.terms().size() != 1 || quotient.terms()[0].coefficient != 1) continue;
    for (std::size_t q = 0; q < terms.size(); ++q) {
      if (q == m || terms[q].coefficient != p * c) continue;
      const Atom& other = terms[q].atom;
      if (compare_atoms(other, quotient.terms()[0].atom) == 0)
        return Recombination{m, q, *remainder.inner * p - quotient.constant() * p * c};
      if (other.kind == Atom::Kind::mod && *other.inner == quotient)
        return Recombination{m, q, mod(*remainder.inner, c * other.divisor) * p};
    }
  }
  return std::nullopt;
}

}  // namespace

Index::Index(Terms terms, std::int64_t constant) : terms_(std::move(terms)), constant_(constant) {
  merge_terms(terms_);
  if (terms_.size() < 2) return;
  if (auto found = find_recombination(terms_)) {
    Terms rest;
    for (std::size_t i = 0; i < terms_.size(); ++i)
      if (i != found->first && i != found->second) rest.push_back(terms_[i]);
    rest.append(found->sum.terms_.begin(), found->sum.terms_.end());
    *this = Index(std::move(rest), constant_ + found->sum.constant_);
  }
}

Index Index::operator+(const Index& other) const {
  Index sum = *this;
  sum += other;
  return sum;
}
Index& Index::operator+=(const Index& other) {
  if (&other == this) return *this = *this * 2;
  if (terms_.empty() || other.terms_.empty()) {  // what is in canonical form stays in it
    if (terms_.empty()) terms_ = other.terms_;
    constant_ += other.constant_;
    return *this;
  }
  Terms terms = std::move(terms_);
  terms.append(other.terms_.begin(), other.terms_.end());
  return *this = Index(std::move(terms), constant_ + other.constant_);
}
Index Index::operator-(const Index& other) const {
  return *this + other * -1;
}
Index Index::operator-() const {
  return *this * -1;
}
Index Index::operator*(std::int64_t factor) const {
  if (factor == 0) return {};
  Index result = *this;
  for (Term& term : result.terms_) term.coefficient *= factor;
  result.constant_ *= factor;
  return result;
}

Range Index::range() const {
  Range sum{constant_, constant_};
  for (const Term& term : terms_) {
    const Range r = scale(term.atom.range, term.coefficient);
    sum = {add_bounds(sum.low, r.low), add_bounds(sum.high, r.high)};
  }
  return sum;
}

std::int64_t Index::coefficient(const LoopVar& variable) const {
  for (const Term& term : terms_)
    if (term.atom.variable == &variable) return term.coefficient;
  return 0;
}

bool Index::depends_on(const LoopVar& variable) const {
  bool found = false;
  for_each_atom([&](const Atom& atom) { found |= atom.variable == &variable; });
  return found;
}

bool Index::has_stride(const LoopVar& variable, std::int64_t stride) const {
  for (const Term& term : terms_)
    if (term.atom.inner && term.atom.inner->depends_on(variable)) return false;
  return coefficient(variable) == stride;
}

bool Index::is_affine() const {
  return std::all_of(terms_.begin(), terms_.end(), [](const Term& t) { return t.atom.kind == Atom::Kind::variable; });
}

std::int64_t Index::divisor() const {
  std::int64_t d = std::abs(constant_);
  for (const Term& term : terms_) d = std::gcd(d, term.coefficient);
  return d;
}

namespace {

/// dividend = whole*divisor + rest, with what is certainly a multiple in `whole`.
struct Division {
  Index whole, rest;
};

/// Takes out the terms whose coefficients are multiples; the constant left is in [0, divisor). Other terms stay whole,
/// so that nested divisions can still merge, unless splitting all coefficients leaves a rest of known quotient.
Division take_out_multiples(const Index& dividend, std::int64_t divisor) {
  Division exact, split;
  const bool is_multiple = std::all_of(dividend.terms().begin(), dividend.terms().end(),
                                       [&](const Term& term) { return term.coefficient % divisor == 0; });
  for (const Term& term : dividend.terms()) {
    const std::int64_t quotient = term.coefficient / divisor, remainder = term.coefficient % divisor;
    if (!is_multiple && quotient != 0) split.whole += Index(Term{quotient, term.atom});
    if (remainder != 0) split.rest += Index(Term{remainder, term.atom});
    if (remainder == 0)
      exact.whole += Index(Term{quotient, term.atom});
    else
      exact.rest += Index(term);
  }
  if (is_multiple) split = exact;
  const std::int64_t k = floor_div(dividend.constant(), divisor);
  for (Division* d : {&exact, &split}) {
    d->whole += k;
    d->rest += dividend.constant() - k * divisor;
  }
  return only_block(split.rest.range(), divisor) ? split : exact;
}

/// rest = d*high + low with low in [0, d), for a d > 1 that divides `divisor`. Then floordiv(rest, divisor) is
/// floordiv(high, divisor/d), and mod(rest, divisor) is d*mod(high, divisor/d) + low.
struct Split {
  std::int64_t d;
  Index high, low;
};

/// The split with the largest d that the ranges prove.
std::optional<Split> split_low_part(const Index& rest, std::int64_t divisor) {
  std::vector<std::int64_t> candidates;
  std::int64_t common = divisor;
  for (const Term& term : rest.terms()) {
    candidates.push_back(std::gcd(term.coefficient, divisor));
    common = std::gcd(common, term.coefficient);
  }
  candidates.push_back(common);
  std::sort(candidates.begin(), candidates.end(), std::greater<>{});
  for (std::int64_t d : candidates) {
    if (d <= 1) break;
    const std::int64_t k = floor_div(rest.constant(), d);
    Index high = k, low = rest.constant() - k * d;
    for (const Term& term : rest.terms()) {
      if (term.coefficient % d == 0)
        high += Index(Term{term.coefficient / d, term.atom});
      else
        low += Index(term);
    }
    if (Range{0, d - 1}.contains(low.range())) return Split{d, high, low};
  }
  return std::nullopt;
}

}  // namespace

Index floordiv(const Index& dividend, std::int64_t divisor) {
  if (divisor <= 0) throw InternalError("kernel index: floordiv by a divisor that is not positive");
  if (divisor == 1) return dividend;
  if (auto block = only_block(dividend.range(), divisor)) return *block;
  const auto [whole, rest] = take_out_multiples(dividend, divisor);
  if (auto block = only_block(rest.range(), divisor)) return whole + *block;
  if (auto split = split_low_part(rest, divisor)) return whole + floordiv(split->high, divisor / split->d);
  if (rest.terms().size() == 1 && rest.terms()[0].coefficient == 1) {
    // floordiv(floordiv(y, c) + k, divisor) = floordiv(y + k*c, c*divisor)
    const Atom& atom = rest.terms()[0].atom;
    if (atom.kind == Atom::Kind::floordiv)
      return whole + floordiv(*atom.inner + rest.constant() * atom.divisor, atom.divisor * divisor);
    // floordiv(mod(y, b*divisor), divisor) = mod(floordiv(y, divisor), b)
    if (atom.kind == Atom::Kind::mod && atom.divisor % divisor == 0 && rest.constant() == 0)
      return whole + mod(floordiv(*atom.inner, divisor), atom.divisor / divisor);
  }
  return whole + Index(Term{1, divided_atom(Atom::Kind::floordiv, rest, divisor)});
}

Index mod(const Index& dividend, std::int64_t divisor) {
  if (divisor <= 0) throw InternalError("kernel index: mod by a divisor that is not positive");
  if (divisor == 1) return 0;
  if (auto block = only_block(dividend.range(), divisor)) return dividend - *block * divisor;
  const Index rest = take_out_multiples(dividend, divisor).rest;
  if (auto block = only_block(rest.range(), divisor)) return rest - *block * divisor;
  if (auto split = split_low_part(rest, divisor)) return mod(split->high, divisor / split->d) * split->d + split->low;
  if (const Atom* atom = lone_atom(rest); atom && atom->kind == Atom::Kind::mod && atom->divisor % divisor == 0)
    return mod(*atom->inner, divisor);
  return Index(Term{1, divided_atom(Atom::Kind::mod, rest, divisor)});
}

Index Index::substitute(const std::function<Index(const LoopVar&)>& replacement) const {
  Index result = constant_;
  for (const Term& term : terms_) {
    const Atom& atom = term.atom;
    switch (atom.kind) {
      case Atom::Kind::variable:
        result += replacement(*atom.variable) * term.coefficient;
        break;
      case Atom::Kind::dynamic:
        result += Index(term);
        break;
      case Atom::Kind::floordiv:
        result += floordiv(atom.inner->substitute(replacement), atom.divisor) * term.coefficient;
        break;
      case Atom::Kind::mod:
        result += mod(atom.inner->substitute(replacement), atom.divisor) * term.coefficient;
        break;
    }
  }
  return result;
}

Index Index::transferred(const std::function<const LoopVar*(const LoopVar&)>& variable,
                         const std::function<Value*(const Value&)>& dynamic) const {
  Index result = *this;
  for (Term& term : result.terms_) {
    Atom& atom = term.atom;
    if (atom.variable) atom.variable = variable(*atom.variable);
    if (atom.value) atom.value = dynamic(*atom.value);
    if (atom.inner) atom.inner = std::make_shared<const Index>(atom.inner->transferred(variable, dynamic));
  }
  return result;
}

std::int64_t Index::evaluate(const std::function<std::int64_t(const LoopVar&)>& variable,
                             const std::function<std::int64_t(const Value&)>& dynamic) const {
  std::int64_t sum = constant_;
  for (const Term& term : terms_) {
    const Atom& atom = term.atom;
    std::int64_t x = 0;
    if (atom.kind == Atom::Kind::variable) {
      x = variable(*atom.variable);
    } else if (atom.kind == Atom::Kind::dynamic) {
      x = dynamic(*atom.value);
    } else {
      x = atom.inner->evaluate(variable, dynamic);
      const std::int64_t quotient = floor_div(x, atom.divisor);
      x = atom.kind == Atom::Kind::floordiv ? quotient : x - quotient * atom.divisor;
    }
    sum += term.coefficient * x;
  }
  return sum;
}

void Index::for_each_atom(const std::function<void(const Atom&)>& visit) const {
  for (const Term& term : terms_) {
    if (term.atom.inner) term.atom.inner->for_each_atom(visit);
    visit(term.atom);
  }
}

bool Index::operator==(const Index& other) const {
  return compare(*this, other) == 0;
}

int Index::compare(const Index& a, const Index& b) {
  if (int order = three_way(a.terms_.size(), b.terms_.size())) return order;
  for (std::size_t i = 0; i < a.terms_.size(); ++i) {
    if (int order = compare_atoms(a.terms_[i].atom, b.terms_[i].atom)) return order;
    if (int order = three_way(a.terms_[i].coefficient, b.terms_[i].coefficient)) return order;
  }
  return three_way(a.constant_, b.constant_);
}

std::uint64_t Index::hash() const {
  std::uint64_t h = static_cast<std::uint64_t>(constant_);
  const auto mix = [&h](std::uint64_t x) { h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
  for (const Term& term : terms_) {
    const Atom& atom = term.atom;
    mix(static_cast<std::uint64_t>(atom.kind));
    mix(static_cast<std::uint64_t>(term.coefficient));
    if (atom.variable) mix(static_cast<std::uint64_t>(atom.variable->id));
    if (atom.value) mix(static_cast<std::uint64_t>(atom.value->id));
    if (atom.inner) mix(atom.inner->hash()), mix(static_cast<std::uint64_t>(atom.divisor));
  }
  return h;
}

Index flatten(const std::vector<Index>& indices, const std::vector<std::int64_t>& dims) {
  Index position;
  for (std::size_t d = 0; d < dims.size(); ++d) position = position * dims[d] + indices[d];
  return position;
}

std::vector<Index> unflatten(const Index& position, const std::vector<std::int64_t>& dims) {
  std::vector<Index> indices(dims.size());
  Index rest = position;
  for (std::size_t d = dims.size(); d-- > 1;) {
    const std::int64_t size = std::max<std::int64_t>(dims[d], 1);  // an empty tensor has no element to find
    indices[d] = mod(rest, size);
    rest = floordiv(rest, size);
  }
  if (!dims.empty()) indices[0] = rest;
  return indices;
}

std::string to_string(const Index& index) {
  return to_string(
      index, [](const LoopVar& variable) { return variable.name; },
      [](const Value& value) { return value.name.empty() ? fmt::format("%{}", value.id) : "%" + value.name; });
}

std::string to_string(const Index& index, const std::function<std::string(const LoopVar&)>& variable_name,
                      const std::function<std::string(const Value&)>& value_name) {
  const auto atom_text = [&](const Atom& atom) -> std::string {
    switch (atom.kind) {
      case Atom::Kind::variable:
        return variable_name(*atom.variable);
      case Atom::Kind::dynamic:
        return value_name(*atom.value);
      case Atom::Kind::floordiv:
      case Atom::Kind::mod:
        break;
    }
    return fmt::format("{}({}, {})", atom.kind == Atom::Kind::mod ? "mod" : "floordiv",
                       to_string(*atom.inner, variable_name, value_name), atom.divisor);
  };
  std::string text;
  for (const Term& term : index.terms()) {
    const std::int64_t c = term.coefficient, magnitude = std::abs(c);
    if (!text.empty())
      text += c < 0 ? " - " : " + ";
    else if (c < 0)
      text += "-";
    if (magnitude != 1) text += fmt::format("{}*", magnitude);
    text += atom_text(term.atom);
  }
  const std::int64_t constant = index.constant();
  if (text.empty()) return fmt::format("{}", constant);
  if (constant != 0) text += fmt::format(" {} {}", constant < 0 ? '-' : '+', std::abs(constant));
  return text;
}

}  // namespace pullback::kernel
