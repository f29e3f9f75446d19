// einsum: Einstein's summation convention, reduced to diagonals, sums, contractions and one permutation.
#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace {

// A letter, or -1, -2, ... for the axes of an ellipsis counted from its end: they broadcast from the right.
using Label = int;
using Labels = std::vector<Label>;

// A tensor whose axes have names, each once.
struct Named {
  Tensor tensor;
  Labels labels;
};

bool contains(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

class Equation {
 public:
  Equation(const std::string& text, const std::vector<Tensor>& operands, const SourceLine& line)
      : text_(text), line_(line) {
    std::string compact;
    for (const char c : text)
      if (!std::isspace(static_cast<unsigned char>(c))) compact += c;
    const std::size_t arrow = compact.find("->");
    parse_operands(compact.substr(0, arrow), operands);
    if (arrow == std::string::npos)
      output_ = implicit_output();
    else
      parse_output(compact.substr(arrow + 2));
  }

  Tensor evaluate() {
    std::vector<Named> rest = operands_;
    Named result = prepared(rest, 0);
    for (std::size_t i = 1; i < rest.size(); ++i) result = product(result, prepared(rest, i), wanted_after(rest, i));
    result = summed(result, wanted_after(rest, rest.size()));
    std::vector<int> axes;
    for (const Label label : output_)
      axes.push_back(
          static_cast<int>(std::find(result.labels.begin(), result.labels.end(), label) - result.labels.begin()));
    return axes.empty() ? result.tensor : permute(result.tensor, axes);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    detail::fail("einsum", fmt::format("\"{}\": {}", text_, message), line_);
  }

  // "ij...": letters, with `dots` axes for the ellipsis.
  Labels parse_term(const std::string& term, std::size_t dots) const {
    Labels labels;
    bool ellipsis = false;
    for (std::size_t i = 0; i < term.size(); ++i) {
      if (std::isalpha(static_cast<unsigned char>(term[i]))) {
        labels.push_back(term[i]);
      } else if (term.compare(i, 3, "...") == 0 && !ellipsis) {
        for (std::size_t axis = dots; axis > 0; --axis) labels.push_back(-static_cast<Label>(axis));
        ellipsis = true;
        i += 2;
      } else {
        fail(fmt::format("'{}' is not understood in \"{}\": letters and one ... are", term[i], term));
      }
    }
    return labels;
  }

  void parse_operands(const std::string& terms, const std::vector<Tensor>& operands) {
    std::vector<std::string> parts(1);
    for (const char c : terms) {
      if (c == ',')
        parts.emplace_back();
      else
        parts.back() += c;
    }
    if (parts.size() != operands.size())
      fail(fmt::format("{} operands are described, {} are given", parts.size(), operands.size()));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool ellipsis = parts[i].find("...") != std::string::npos;
      const std::size_t letters = parts[i].size() - (ellipsis ? 3 : 0), rank = operands[i].rank();
      if (ellipsis ? rank < letters : rank != letters)
        fail(fmt::format("\"{}\" does not fit the {} axes of {}", parts[i], rank, operands[i].type_string()));
      dots_ = std::max(dots_, ellipsis ? rank - letters : 0);
      add_operand(operands[i], parse_term(parts[i], rank - letters));
    }
    for (Named& operand : operands_) drop_stretched(operand);
  }

  void add_operand(const Tensor& tensor, const Labels& labels) {
    for (std::size_t axis = 0; axis < labels.size(); ++axis) {
      const Dim size = tensor.shape()[axis];
      const auto [entry, added] = sizes_.emplace(labels[axis], size);
      if (added || entry->second == size || size == Dim(1)) continue;
      if (!(entry->second == Dim(1)))
        fail(fmt::format("{} has the sizes {} and {}", spell(labels[axis]), entry->second.to_string(),
                         size.to_string()));
      entry->second = size;
    }
    operands_.push_back({tensor, labels});
  }

  static std::string spell(Label label) {
    return label < 0 ? std::string("an axis of ...") : fmt::format("'{}'", static_cast<char>(label));
  }

  // An axis of size 1 where others have more broadcasts: it multiplies each of them, and may go.
  void drop_stretched(Named& operand) {
    std::vector<int> stretched;
    Labels kept;
    for (std::size_t axis = 0; axis < operand.labels.size(); ++axis) {
      if (operand.tensor.shape()[axis] == sizes_.at(operand.labels[axis]))
        kept.push_back(operand.labels[axis]);
      else
        stretched.push_back(static_cast<int>(axis));
    }
    if (!stretched.empty()) operand = {squeeze(operand.tensor, stretched), kept};
  }

  // The ellipsis, then the letters that occur once, in alphabetical order.
  Labels implicit_output() const {
    std::map<Label, int> occurrences;
    for (const Named& operand : operands_)
      for (const Label label : operand.labels) ++occurrences[label];
    Labels output;
    for (const auto& [label, count] : occurrences)
      if (label < 0 || count == 1) output.push_back(label);
    return output;
  }

  void parse_output(const std::string& term) {
    output_ = parse_term(term, dots_);
    for (const Label label : output_) {
      if (!sizes_.contains(label)) fail(fmt::format("{} of the result is in no operand", spell(label)));
      if (std::count(output_.begin(), output_.end(), label) > 1) fail(spell(label) + " is twice in the result");
    }
  }

  // Labels that the result or an operand from `next` on has.
  Labels wanted_after(const std::vector<Named>& operands, std::size_t next) const {
    Labels wanted = output_;
    for (std::size_t i = next; i < operands.size(); ++i)
      wanted.insert(wanted.end(), operands[i].labels.begin(), operands[i].labels.end());
    return wanted;
  }

  // Operand i with each label once: x[i,i] becomes its diagonal; axes that nothing else has are summed.
  Named prepared(const std::vector<Named>& operands, std::size_t i) const {
    Named x = operands[i];
    for (std::size_t axis = 0; axis < x.labels.size(); ++axis)
      for (std::size_t other = x.labels.size() - 1; other > axis; --other) {
        if (x.labels[other] != x.labels[axis]) continue;
        const Tensor rows = detail::positions_along(x.tensor, static_cast<int>(axis), i64, line_);
        const Tensor columns = detail::positions_along(x.tensor, static_cast<int>(other), i64, line_);
        x.tensor = sum(where(equal(rows, columns), x.tensor, 0), static_cast<int>(other));
        x.labels.erase(x.labels.begin() + static_cast<std::ptrdiff_t>(other));
      }
    Labels wanted = output_;
    for (std::size_t k = 0; k < operands.size(); ++k)
      if (k != i) wanted.insert(wanted.end(), operands[k].labels.begin(), operands[k].labels.end());
    return summed(x, wanted);
  }

  // Sums over the axes whose labels are not wanted any more.
  static Named summed(const Named& x, const Labels& wanted) {
    std::vector<int> axes;
    Named result;
    for (std::size_t axis = 0; axis < x.labels.size(); ++axis) {
      if (contains(wanted, x.labels[axis]))
        result.labels.push_back(x.labels[axis]);
      else
        axes.push_back(static_cast<int>(axis));
    }
    result.tensor = axes.empty() ? x.tensor : sum(x.tensor, axes);
    return result;
  }

  // Contracts the labels that both have and nobody wants.
  static Named product(const Named& a, const Named& b, const Labels& wanted) {
    std::vector<int> batch_a, batch_b, contract_a, contract_b;
    Labels batch, free_a, free_b;
    const auto position = [](const Named& x, Label label) {
      return static_cast<int>(std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin());
    };
    for (const Label label : a.labels) {
      if (!contains(b.labels, label)) {
        free_a.push_back(label);
      } else if (contains(wanted, label)) {
        batch.push_back(label);
        batch_a.push_back(position(a, label));
        batch_b.push_back(position(b, label));
      } else {
        contract_a.push_back(position(a, label));
        contract_b.push_back(position(b, label));
      }
    }
    for (const Label label : b.labels)
      if (!contains(a.labels, label)) free_b.push_back(label);
    Named result{dot_general(a.tensor, b.tensor, contract_a, contract_b, batch_a, batch_b), batch};
    result.labels.insert(result.labels.end(), free_a.begin(), free_a.end());
    result.labels.insert(result.labels.end(), free_b.begin(), free_b.end());
    return result;
  }

  std::string text_;
  SourceLine line_;
  std::vector<Named> operands_;
  std::map<Label, Dim> sizes_;
  std::size_t dots_ = 0;
  Labels output_;
};

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands, SourceLocation where) {
  if (operands.empty()) detail::fail("einsum", "there are no operands", where);
  for (const Tensor& operand : operands) detail::require_defined("einsum", operand, where);
  detail::Pin pin(operands.front(), where);
  const SourceLine line = operands.front().trace()->line(where);
  for (const Tensor& operand : operands)
    if (operand.dtype() != operands.front().dtype())
      detail::fail("einsum",
                   fmt::format("operands are {} and {}: the dtypes differ; cast() one of them",
                               operands.front().type_string(), operand.type_string()),
                   line);
  return Equation(equation, operands, line).evaluate();
}

}  // namespace pullback
