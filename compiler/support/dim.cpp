// Polynomial arithmetic on dimensions, and their text form.
#include <pullback/dim.h>
#include <pullback/error.h>

#include <algorithm>
#include <cctype>

namespace pullback {

namespace {

std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Error("dimension: a size overflows 64 bits");
  return sum;
}

std::int64_t checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Error("dimension: a size overflows 64 bits");
  return product;
}

bool starts_identifier(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool continues_identifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

bool is_identifier(const std::string& name) {
  return !name.empty() && starts_identifier(name[0]) && std::all_of(name.begin(), name.end(), continues_identifier);
}

// Higher degree first, then by names. It is a monomial order (multiplication keeps it), which makes division by leading
// terms exact; it is also the order of the text form.
bool precedes(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.size() != b.size()) return a.size() > b.size();
  return a < b;
}

template <class Polynomial>
auto leading_term(const Polynomial& polynomial) {
  return std::min_element(polynomial.begin(), polynomial.end(),
                          [](const auto& a, const auto& b) { return precedes(a.first, b.first); });
}

template <class Polynomial>
void add_term(Polynomial& polynomial, const typename Polynomial::key_type& monomial, std::int64_t coefficient) {
  auto [entry, inserted] = polynomial.try_emplace(monomial, 0);
  entry->second = checked_add(entry->second, coefficient);
  if (entry->second == 0) polynomial.erase(entry);
}

template <class Monomial>
Monomial product_of(const Monomial& a, const Monomial& b) {
  Monomial product;
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(product));
  return product;
}

// Recursive descent over  sum = ['-'] product (('+' | '-') product)*,  product = factor ('*' factor)*,
// factor = number | symbol | '(' sum ')'.
class DimParser {
 public:
  explicit DimParser(const std::string& text) : text_(text) {}

  Dim parse() {
    Dim result = sum();
    skip_space();
    if (position_ != text_.size()) fail();
    return result;
  }

 private:
  [[noreturn]] void fail() const {
    constexpr std::size_t most = 60;  // characters that are shown
    const std::string shown = text_.size() > most ? text_.substr(0, most) + "..." : text_;
    throw Error("dimension: '" + shown + "' is not a polynomial in named symbols");
  }

  void skip_space() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }

  bool accept(char c) {
    skip_space();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  Dim sum() {
    Dim result = accept('-') ? 0 - product() : product();
    while (true) {
      if (accept('+')) {
        result = result + product();
      } else if (accept('-')) {
        result = result - product();
      } else {
        return result;
      }
    }
  }

  Dim product() {
    Dim result = factor();
    while (accept('*')) result = result * factor();
    return result;
  }

  Dim factor() {
    if (accept('(')) {
      if (++depth_ > deepest_nesting) fail();
      Dim result = sum();
      if (!accept(')')) fail();
      --depth_;
      return result;
    }
    const std::size_t begin = position_;
    if (begin >= text_.size()) fail();
    if (starts_identifier(text_[begin])) {
      while (position_ < text_.size() && continues_identifier(text_[position_])) ++position_;
      return Dim::symbol(text_.substr(begin, position_ - begin));
    }
    std::int64_t number = 0;
    while (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_])))
      number = checked_add(checked_multiply(number, 10), text_[position_++] - '0');
    if (position_ == begin) fail();
    return number;
  }

  static constexpr int deepest_nesting = 32;  // of parentheses: the text may come from anywhere
  const std::string& text_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace

Dim Dim::symbol(const std::string& name) {
  if (!is_identifier(name)) throw Error("dimension: '" + name + "' is not a name: use letters, digits and _");
  return from({{{name}, 1}});
}

Dim Dim::from(Polynomial polynomial) {
  if (polynomial.empty()) return 0;
  if (polynomial.size() == 1 && polynomial.begin()->first.empty()) return polynomial.begin()->second;
  Dim result;
  result.symbolic_ = std::make_shared<const Polynomial>(std::move(polynomial));
  return result;
}

Dim::Polynomial Dim::polynomial() const {
  if (symbolic_) return *symbolic_;
  return constant_ == 0 ? Polynomial{} : Polynomial{{{}, constant_}};
}

void Dim::has_no_number() const {
  std::string names;
  for (const std::string& name : symbols()) names += (names.empty() ? "" : ", ") + name;
  throw Error("dimension: " + to_string() + " has no number yet: " + names + " must be bound first");
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return checked_add(a.constant_, b.constant_);
  Dim::Polynomial sum = a.polynomial();
  for (const auto& [monomial, coefficient] : b.polynomial()) add_term(sum, monomial, coefficient);
  return Dim::from(std::move(sum));
}

Dim operator-(const Dim& a, const Dim& b) {
  return a + Dim(-1) * b;
}

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return checked_multiply(a.constant_, b.constant_);
  Dim::Polynomial product;
  const Dim::Polynomial right = b.polynomial();
  for (const auto& [left_monomial, left_coefficient] : a.polynomial())
    for (const auto& [right_monomial, right_coefficient] : right)
      add_term(product, product_of(left_monomial, right_monomial),
               checked_multiply(left_coefficient, right_coefficient));
  return Dim::from(std::move(product));
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.is_constant() || b.is_constant()) return a.is_constant() && b.is_constant() && a.constant_ == b.constant_;
  return a.symbolic_ == b.symbolic_ || *a.symbolic_ == *b.symbolic_;
}

std::optional<Dim> Dim::divided_by(const Dim& divisor) const {
  const Polynomial denominator = divisor.polynomial();
  if (denominator.empty()) return std::nullopt;
  const auto [denominator_monomial, denominator_coefficient] = *leading_term(denominator);
  Polynomial remainder = polynomial();
  Polynomial quotient;
  while (!remainder.empty()) {
    const auto [monomial, coefficient] = *leading_term(remainder);
    if (coefficient % denominator_coefficient != 0 ||
        !std::includes(monomial.begin(), monomial.end(), denominator_monomial.begin(), denominator_monomial.end()))
      return std::nullopt;
    Monomial factor;
    std::set_difference(monomial.begin(), monomial.end(), denominator_monomial.begin(), denominator_monomial.end(),
                        std::back_inserter(factor));
    const std::int64_t factor_coefficient = coefficient / denominator_coefficient;
    add_term(quotient, factor, factor_coefficient);
    for (const auto& [m, c] : denominator)
      add_term(remainder, product_of(factor, m), checked_multiply(-factor_coefficient, c));
  }
  return from(std::move(quotient));
}

Dim Dim::substitute(const Bindings& bindings) const {
  if (!symbolic_) return *this;
  Dim result = 0;
  for (const auto& [monomial, coefficient] : *symbolic_) {
    Dim term = coefficient;
    for (const std::string& name : monomial) {
      const auto bound = bindings.find(name);
      term = term * (bound == bindings.end() ? symbol(name) : Dim(bound->second));
    }
    result = result + term;
  }
  return result;
}

std::set<std::string> Dim::symbols() const {
  std::set<std::string> names;
  if (symbolic_)
    for (const auto& entry : *symbolic_) names.insert(entry.first.begin(), entry.first.end());
  return names;
}

std::string Dim::to_string() const {
  if (!symbolic_) return std::to_string(constant_);
  std::vector<std::pair<Monomial, std::int64_t>> terms(symbolic_->begin(), symbolic_->end());
  std::sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) { return precedes(a.first, b.first); });
  std::string text;
  for (const auto& [monomial, coefficient] : terms) {
    if (coefficient >= 0 && !text.empty()) text += '+';
    std::string names;
    for (const std::string& name : monomial) names += (names.empty() ? "" : "*") + name;
    if (names.empty()) {
      text += std::to_string(coefficient);
    } else if (coefficient == 1 || coefficient == -1) {
      text += (coefficient < 0 ? "-" : "") + names;
    } else {
      text += std::to_string(coefficient) + "*" + names;
    }
  }
  return text;
}

Dim Dim::parse(const std::string& text) {
  return DimParser(text).parse();
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + shape[i].to_string();
  return text + "]";
}

}  // namespace pullback
