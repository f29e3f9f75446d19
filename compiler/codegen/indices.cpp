// Translator: Index expressions as integers and addresses.
#include <algorithm>

#include <pullback/error.h>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Atom;
using kernel::Index;
using kernel::LoopVar;
using kernel::Range;

const LoopVar* Translator::new_variable(std::int64_t extent) {
  const int first = kernel_ ? kernel_->next_variable : 0;
  own_variables_.push_back({"", extent, first + static_cast<int>(own_variables_.size())});
  return &own_variables_.back();
}

void Translator::replace(const LoopVar& variable, Index by) {
  Variable entry;
  entry.replacement = std::move(by);
  variables_[&variable] = std::move(entry);
}

Index Translator::resolve(const Index& index) const {
  bool replaced = false;
  index.for_each_atom([&](const Atom& a) {
    if (a.kind != Atom::Kind::variable) return;
    const auto found = variables_.find(a.variable);
    replaced |= found != variables_.end() && found->second.replacement.has_value();
  });
  if (!replaced) return index;
  return index.substitute([&](const LoopVar& variable) {
    const auto found = variables_.find(&variable);
    if (found == variables_.end() || !found->second.replacement) return Index(variable);
    return *found->second.replacement;
  });
}

bool Translator::varies(const Index& index) {
  if (lanes_.width == 1) return false;
  bool result = false;
  index.for_each_atom([&](const Atom& a) {
    if (a.kind == Atom::Kind::variable) result |= a.variable == lanes_.lane;
    if (a.kind == Atom::Kind::dynamic) result |= get(a.value).varies();
  });
  return result;
}

std::optional<std::int64_t> Translator::lane_stride(const Index& index) {
  bool irregular = false;
  index.for_each_atom([&](const Atom& a) {
    if (a.kind == Atom::Kind::dynamic) irregular |= get(a.value).varies();
  });
  const std::int64_t stride = index.coefficient(*lanes_.lane);
  if (irregular || !index.has_stride(*lanes_.lane, stride)) return std::nullopt;
  return stride;
}

Index Translator::without_lane(const Index& index) const {
  if (!lanes_.lane || !index.depends_on(*lanes_.lane)) return index;
  return index.substitute([&](const LoopVar& v) { return &v == lanes_.lane ? Index(0) : Index(v); });
}

Translator::Bound Translator::atom(const Atom& atom) {
  switch (atom.kind) {
    case Atom::Kind::variable: {
      const auto found = variables_.find(atom.variable);
      if (found == variables_.end() || found->second.replacement)
        throw InternalError("codegen: loop variable " + atom.variable->name + " is used outside its loop");
      const Variable& variable = found->second;
      if (variable.scale == 1) return variable.scaled;
      AtDepth at(*this, variable.scaled.depth);
      return {b_.CreateExactUDiv(variable.scaled.value, b_.getInt64(variable.scale)), variable.scaled.depth};
    }
    case Atom::Kind::dynamic:
      return get(atom.value);
    case Atom::Kind::floordiv:
    case Atom::Kind::mod:
      break;
  }
  const Bound inner = scalar_index(*atom.inner);
  AtDepth at(*this, inner.depth);
  llvm::Value* divisor = b_.getInt64(atom.divisor);
  const bool natural = atom.inner->range().low >= 0;
  if (atom.kind == Atom::Kind::floordiv && natural) return {b_.CreateUDiv(inner.value, divisor), inner.depth};
  if (natural) return {b_.CreateURem(inner.value, divisor), inner.depth};
  llvm::Value* remainder = b_.CreateSRem(inner.value, divisor);
  llvm::Value* negative = b_.CreateICmpSLT(remainder, b_.getInt64(0));
  if (atom.kind == Atom::Kind::mod)
    return {b_.CreateSelect(negative, b_.CreateAdd(remainder, divisor), remainder), inner.depth};
  llvm::Value* quotient = b_.CreateSDiv(inner.value, divisor);
  return {b_.CreateAdd(quotient, b_.CreateSExt(negative, b_.getInt64Ty())), inner.depth};
}

namespace {

struct DeepTerm {
  int depth;
  llvm::Value* value;
};

}  // namespace

Translator::Bound Translator::scalar_index(const Index& index) {
  const Bound base = address(-1, index);
  return base.value ? base : Bound{b_.getInt64(static_cast<std::uint64_t>(index.constant())), 0};
}

// With buffer -1: the integer alone (null when it is constant).
Translator::Bound Translator::address(int buffer, const Index& index) {
  llvm::SmallVector<DeepTerm, 4> terms;
  for (const kernel::Term& term : index.terms()) {
    std::int64_t coefficient = term.coefficient;
    Bound factor;
    if (term.atom.kind == Atom::Kind::variable) {
      const auto found = variables_.find(term.atom.variable);
      if (found != variables_.end() && found->second.scale != 1 && coefficient % found->second.scale == 0) {
        coefficient /= found->second.scale;
        factor = found->second.scaled;
      }
    }
    if (!factor.value) factor = atom(term.atom);
    AtDepth at(*this, factor.depth);
    llvm::Value* value = factor.value;
    if (coefficient != 1) value = b_.CreateMul(value, b_.getInt64(static_cast<std::uint64_t>(coefficient)));
    terms.push_back({factor.depth, value});
  }
  std::stable_sort(terms.begin(), terms.end(), [](const DeepTerm& a, const DeepTerm& b) { return a.depth < b.depth; });
  Bound sum{buffer < 0 ? nullptr : buffers_[static_cast<std::size_t>(buffer)], 0};
  llvm::Type* element = buffer < 0 ? nullptr : arithmetic_.memory_type(dtype_of(buffer));
  const auto add = [&](llvm::Value* value) {
    if (element)
      sum.value = b_.CreateGEP(element, sum.value, value);
    else
      sum.value = sum.value ? b_.CreateAdd(sum.value, value) : value;
  };
  for (const DeepTerm& term : terms) {
    AtDepth at(*this, term.depth);
    sum.depth = term.depth;
    add(term.value);
  }
  if (index.constant() != 0 && (element || sum.value)) {
    AtDepth at(*this, sum.depth);
    add(b_.getInt64(static_cast<std::uint64_t>(index.constant())));
  }
  return sum;
}

llvm::Value* Translator::lane_index(const Index& index, llvm::Type* type) {
  llvm::Value* sum = nullptr;
  const auto add = [&](llvm::Value* value) { sum = sum ? b_.CreateAdd(sum, value) : value; };
  Index uniform(index.constant());
  for (const kernel::Term& term : index.terms()) {
    Index part = Index(0);
    const Atom& a = term.atom;
    const bool irregular = a.kind == Atom::Kind::variable  ? a.variable == lanes_.lane
                           : a.kind == Atom::Kind::dynamic ? get(a.value).varies()
                                                           : varies(*a.inner);
    if (!irregular) {
      // Rebuilt term by term: it keeps the canonical form.
      part = a.kind == Atom::Kind::variable   ? Index(*a.variable)
             : a.kind == Atom::Kind::dynamic  ? Index::dynamic(a.value, a.range)
             : a.kind == Atom::Kind::floordiv ? floordiv(*a.inner, a.divisor)
                                              : mod(*a.inner, a.divisor);
      uniform += part * term.coefficient;
      continue;
    }
    llvm::Value* lanes = lane_atom(a, type);
    if (term.coefficient != 1)
      lanes = b_.CreateMul(
          lanes, llvm::ConstantInt::get(lanes->getType(), static_cast<std::uint64_t>(term.coefficient), true));
    add(lanes);
  }
  const Bound scalar = scalar_index(uniform);
  llvm::Value* splat = arithmetic_.splat(b_.CreateTrunc(scalar.value, type), lanes_.width);
  add(splat);
  return sum;
}

// As i64. Where 32 bits hold it, so are computed, and what compares it with a constant takes half as many vectors.
llvm::Value* Translator::lane_number(const Index& index) {
  constexpr std::int64_t kSmall = std::int64_t{1} << 30;  // lanes beyond a tail are a little further
  if (!Range{-kSmall, kSmall}.contains(index.range())) return lane_index(index, b_.getInt64Ty());
  llvm::Type* type = llvm::FixedVectorType::get(b_.getInt64Ty(), static_cast<unsigned>(lanes_.width));
  return b_.CreateSExt(lane_index(index, b_.getInt32Ty()), type);
}

llvm::Value* Translator::lane_atom(const Atom& atom, llvm::Type* type) {
  llvm::Type* vector = llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes_.width));
  if (atom.kind == Atom::Kind::variable) {
    llvm::SmallVector<llvm::Constant*, 16> numbers;
    for (int lane = 0; lane < lanes_.width; ++lane)
      numbers.push_back(llvm::ConstantInt::get(type, static_cast<std::uint64_t>(lane)));
    return llvm::ConstantVector::get(numbers);
  }
  if (atom.kind == Atom::Kind::dynamic) return b_.CreateTrunc(get(atom.value).value, vector);
  // A quotient is only right in a type that holds the dividend; lanes beyond a tail may compute nonsense.
  const Range range = atom.inner->range();
  const bool small = range.low >= 0 && range.high < (std::int64_t{1} << 31);
  llvm::Type* wide = small ? b_.getInt32Ty() : b_.getInt64Ty();
  llvm::Value* inner = lane_index(*atom.inner, wide);
  llvm::Value* divisor = llvm::ConstantInt::get(inner->getType(), static_cast<std::uint64_t>(atom.divisor));
  llvm::Value* result = nullptr;
  if (range.low >= 0) {
    result = atom.kind == Atom::Kind::floordiv ? b_.CreateUDiv(inner, divisor) : b_.CreateURem(inner, divisor);
  } else {
    llvm::Value* remainder = b_.CreateSRem(inner, divisor);
    llvm::Value* negative = b_.CreateICmpSLT(remainder, llvm::Constant::getNullValue(inner->getType()));
    result = atom.kind == Atom::Kind::mod
                 ? b_.CreateSelect(negative, b_.CreateAdd(remainder, divisor), remainder)
                 : b_.CreateAdd(b_.CreateSDiv(inner, divisor), b_.CreateSExt(negative, inner->getType()));
  }
  return b_.CreateZExtOrTrunc(result, vector);
}

}  // namespace pullback::codegen
