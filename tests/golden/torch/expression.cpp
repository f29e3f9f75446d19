#include "tests/golden/torch/expression.h"

#include <cctype>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include <pullback/error.h>

namespace pullback::golden {
namespace {

using Node = std::unique_ptr<Expression>;
using Kind = Expression::Kind;

Node make(Kind kind, std::string text = "") {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->text = std::move(text);
  return node;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// Recursive descent, one function for each level of precedence.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Node whole() {
    Node node = expression();
    if (!done()) fail("an operator");
    return node;
  }

  std::vector<std::pair<std::string, Node>> signature() {
    std::vector<std::pair<std::string, Node>> parameters;
    while (!done()) {
      std::string name = accept("*") ? "*" : "";
      name += word();
      if (name != "*") parameters.emplace_back(name, accept("=") ? expression() : nullptr);
      if (!accept(",") && !done()) fail("a comma");
    }
    return parameters;
  }

 private:
  [[noreturn]] void fail(const std::string& wanted) {
    throw Error(fmt::format("'{}': {} is expected at '{}'", text_, wanted, text_.substr(at_)));
  }
  bool done() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ == text_.size();
  }
  char peek() { return done() ? '\0' : text_[at_]; }
  /// Takes an operator or bracket, but not the beginning of a longer one.
  bool accept(std::string_view token) {
    if (done() || text_.compare(at_, token.size(), token) != 0) return false;
    const char next = at_ + token.size() < text_.size() ? text_[at_ + token.size()] : '\0';
    if ((token == "*" && next == '*') || (token == "/" && next == '/')) return false;
    if ((token == "=" || token == "<" || token == ">") && next == '=') return false;
    if (is_word(token.back()) && is_word(next)) return false;
    at_ += token.size();
    return true;
  }
  std::optional<std::string> accept_any(std::initializer_list<std::string_view> tokens) {
    for (const std::string_view token : tokens)
      if (accept(token)) return std::string(token);
    return std::nullopt;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail(fmt::format("'{}'", token));
  }
  std::string word() {
    done();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  static Node binary(std::string op, Node left, Node right) {
    Node node = make(Kind::binary, std::move(op));
    node->parts.push_back(std::move(left));
    node->parts.push_back(std::move(right));
    return node;
  }
  static Node unary(std::string op, Node operand) {
    Node node = make(Kind::unary, std::move(op));
    node->parts.push_back(std::move(operand));
    return node;
  }

  template <class Next>
  Node left_associative(std::initializer_list<std::string_view> operators, Next next) {
    Node left = next();
    while (const auto op = accept_any(operators)) left = binary(*op, std::move(left), next());
    return left;
  }
  Node expression() {
    return left_associative({"==", "!=", "<=", ">=", "<", ">"}, [this] { return bit_or(); });
  }
  Node bit_or() {
    return left_associative({"|"}, [this] { return bit_xor(); });
  }
  Node bit_xor() {
    return left_associative({"^"}, [this] { return bit_and(); });
  }
  Node bit_and() {
    return left_associative({"&"}, [this] { return sum(); });
  }
  Node sum() {
    return left_associative({"+", "-"}, [this] { return product(); });
  }
  Node product() {
    return left_associative({"*", "//", "/", "%", "@"}, [this] { return signed_value(); });
  }
  Node signed_value() {
    if (const auto op = accept_any({"-", "+", "~"})) return unary(*op, signed_value());
    Node base = postfix(atom());
    return accept("**") ? binary("**", std::move(base), signed_value()) : std::move(base);
  }

  Node postfix(Node node) {
    while (true) {
      if (accept("(")) {
        Node call = make(Kind::call);
        call->parts.push_back(std::move(node));
        call->arguments = arguments(")");
        node = std::move(call);
      } else if (accept("[")) {
        Node index = make(Kind::index);
        index->parts.push_back(std::move(node));
        do index->parts.push_back(subscript());
        while (accept(",") && peek() != ']');
        expect("]");
        node = std::move(index);
      } else if (accept(".")) {
        Node attribute = make(Kind::attribute, word());
        if (attribute->text.empty()) fail("a name");
        attribute->parts.push_back(std::move(node));
        node = std::move(attribute);
      } else {
        return node;
      }
    }
  }

  Node subscript() {
    Node slice = make(Kind::slice);
    bool sliced = false;
    for (int part = 0; part < 3; ++part) {
      const char next = peek();
      slice->parts.push_back(next == ':' || next == ',' || next == ']' ? nullptr : expression());
      if (part == 2 || !accept(":")) break;
      sliced = true;
    }
    if (!sliced && slice->parts.front()) return std::move(slice->parts.front());
    if (!sliced) fail("an index");
    slice->parts.resize(3);
    return slice;
  }

  std::vector<Expression::Argument> arguments(std::string_view close) {
    std::vector<Expression::Argument> result;
    while (!accept(close)) {
      Expression::Argument argument;
      argument.spread = accept("*");
      const std::size_t begin = at_;
      argument.keyword = word();
      if (argument.keyword.empty() || !accept("=")) {
        argument.keyword.clear();
        at_ = begin;
      }
      argument.value = expression();
      result.push_back(std::move(argument));
      if (peek() != close.front()) expect(",");
    }
    return result;
  }

  Node atom() {
    const char first = peek();
    if (accept("...")) return make(Kind::ellipsis);
    if (accept("[")) {
      Node list = make(Kind::list);
      list->arguments = arguments("]");
      return list;
    }
    if (accept("(")) return parenthesized();
    if (first == '\'' || first == '"') {
      const std::size_t end = text_.find(first, at_ + 1);
      if (end == std::string::npos) fail("a closing quote");
      Node string = make(Kind::string, text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return string;
    }
    if (std::isdigit(static_cast<unsigned char>(first)) || first == '.') return number();
    Node name = make(Kind::name, word());
    if (name->text.empty()) fail("a value");
    if (name->text == "lambda") fail("a value, which a lambda is not here,");
    return name;
  }

  Node parenthesized() {
    Node tuple = make(Kind::tuple);
    while (!accept(")")) {
      tuple->arguments.push_back({"", false, expression()});
      if (accept(",")) continue;
      expect(")");
      if (tuple->arguments.size() == 1) return std::move(tuple->arguments.front().value);
      break;
    }
    return tuple;
  }

  Node number() {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_], before = at_ > begin ? text_[at_ - 1] : '\0';
      const bool exponent_sign = (c == '-' || c == '+') && (before == 'e' || before == 'E');
      if (!is_word(c) && c != '.' && !exponent_sign) break;
      ++at_;
    }
    return make(Kind::number, text_.substr(begin, at_ - begin));
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

}  // namespace

Node parse_expression(const std::string& text) {
  return Parser(text).whole();
}

std::vector<std::pair<std::string, Node>> parse_signature(const std::string& text) {
  return Parser(text).signature();
}

}  // namespace pullback::golden
