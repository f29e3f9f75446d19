// The expressions by which a manifest says what PyTorch evaluated, as trees: the part of Python's grammar that such
// expressions use (calls, operators, indexing, lists, tuples), without statements.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pullback::golden {

struct Expression {
  enum class Kind {
    number,     ///< text: its digits
    string,     ///< text: without the quotes
    name,       ///< text
    attribute,  ///< parts[0] . text
    call,       ///< parts[0] ( arguments )
    index,      ///< parts[0] [ parts[1], ... ]
    slice,      ///< parts[0] : parts[1] : parts[2], null where left out
    list,       ///< [ arguments ]
    tuple,      ///< ( arguments )
    unary,      ///< text parts[0]
    binary,     ///< parts[0] text parts[1]
    ellipsis,
  };
  struct Argument {
    std::string keyword;  ///< "" for a positional one
    bool spread = false;  ///< *value
    std::unique_ptr<Expression> value;
  };

  Kind kind;
  std::string text;
  std::vector<std::unique_ptr<Expression>> parts;
  std::vector<Argument> arguments;
};

/// Throws Error, with the place, where the text is no expression of this kind.
std::unique_ptr<Expression> parse_expression(const std::string& text);
/// "input, weight, bias=None, *, groups=1" -> names with their defaults (null: none); the lone * is left out, a
/// parameter "*dims" keeps its star.
std::vector<std::pair<std::string, std::unique_ptr<Expression>>> parse_signature(const std::string& text);

}  // namespace pullback::golden
