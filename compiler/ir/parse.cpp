// The parser of the tensor IR: recursive descent, one method for each thing in docs/ir.md. Ops are made by Builder, so
// that every shape rule runs; what it says is reported at the op's line and column.
#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "compiler/ir/builder.h"
#include "compiler/ir/cursor.h"
#include "compiler/ir/element_text.h"
#include "compiler/ir/parse_attributes.h"
#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"

namespace pullback::ir {

namespace {

constexpr int deepest_nesting = 64;

using Scope = std::map<std::string, Value*>;

// The left side of an op's line.
struct DeclaredResult {
  std::string name;
  Type type;
  std::size_t position;
};

class Parser {
 public:
  Parser(std::string_view text, const ops::Registry& registry, const std::string& file)
      : at_(text, file), parts_(at_), registry_(registry) {}

  std::vector<std::unique_ptr<Function>> parse() {
    std::vector<std::unique_ptr<Function>> functions;
    std::vector<std::size_t> positions;
    while (!at_.at_end()) {
      const std::size_t begin = at_.position();
      if (at_.accept_word("func")) {
        functions.push_back(function());
        positions.push_back(begin);
      } else if (at_.accept_word("resource")) {
        parts_.resource();
      } else {
        at_.fail("expected 'func' or 'resource'");
      }
    }
    parts_.finish();
    for (std::size_t i = 0; i < functions.size(); ++i) check(*functions[i], functions, positions[i]);
    return functions;
  }

 private:
  void check(const Function& function, const std::vector<std::unique_ptr<Function>>& all, std::size_t position) {
    const auto same_name = [&](const auto& other) { return other->name == function.name; };
    if (std::count_if(all.begin(), all.end(), same_name) > 1)
      at_.fail_at(position, fmt::format("two functions are called @{}", function.name));
    const std::string sentence = find_violation(function);
    if (!sentence.empty()) at_.fail_at(position, fmt::format("@{}: {}", function.name, sentence));
  }

  std::unique_ptr<Function> function() {
    auto result = std::make_unique<Function>();
    at_.expect('@', "before a function's name");
    result->name = at_.name("a function's name");
    at_.expect('(', "after a function's name");
    Scope scope;
    if (!at_.accept(')')) {
      do {
        const ArgumentRole role = at_.accept_word("state") ? ArgumentRole::state : ArgumentRole::input;
        const auto [name, type, position] = declaration();
        define(scope, name, position, result->add_argument(type, name, role));
      } while (at_.accept(','));
      at_.expect(')', "after the arguments");
    }
    at_.expect('{', "before the ops of a function");
    ops_until_return(result->body, scope);
    function_results(*result, scope);
    at_.expect('}', "after the results of a function");
    return result;
  }

  // %name: f32[2,3]
  DeclaredResult declaration() {
    const std::size_t position = at_.position();
    at_.expect('%', "before a value's name");
    std::string name = at_.name("a value's name");
    at_.expect(':', "after a value's name");
    return {std::move(name), parts_.type(), position};
  }

  void define(Scope& scope, const std::string& name, std::size_t position, Value* value) {
    if (!scope.emplace(name, value).second) at_.fail_at(position, fmt::format("%{} is defined twice", name));
  }

  Value* use(const Scope& scope) {
    const std::size_t position = at_.position();
    at_.expect('%', "before a value's name");
    const std::string name = at_.name("a value's name");
    const auto entry = scope.find(name);
    if (entry == scope.end()) at_.fail_at(position, fmt::format("%{} is not defined", name));
    return entry->second;
  }

  void ops_until_return(Region& region, Scope& scope) {
    Builder builder(region);
    while (!at_.accept_word("return")) {
      if (at_.at('}') || at_.at_end()) at_.fail("expected 'return'");
      op(builder, scope);
    }
  }

  void op(Builder& builder, Scope& scope) {
    std::vector<DeclaredResult> declared;
    if (at_.at('%')) {
      do declared.push_back(declaration());
      while (at_.accept(','));
      at_.expect('=', "after the results of an op");
    }
    const std::size_t position = at_.position();
    const std::string name(at_.word());
    if (name.empty()) at_.fail("expected an op");
    const ops::OpDef* def = registry_.find(name);
    if (!def) at_.fail_at(position, fmt::format("unknown op '{}'", name));
    std::vector<Value*> operands;
    at_.expect('(', "before the operands of an op");
    if (!at_.accept(')')) {
      do operands.push_back(use(scope));
      while (at_.accept(','));
      at_.expect(')', "after the operands of an op");
    }
    Attributes attributes = parts_.attributes();
    std::vector<std::unique_ptr<Region>> regions;
    while (at_.accept_word("region")) regions.push_back(region());
    builder.location = at_.accept_word("loc") ? LocationRef(parts_.location()) : LocationRef();
    Op* created = create(builder, *def, position, std::move(operands), std::move(attributes), std::move(regions));
    name_results(*created, declared, position, scope);
  }

  Op* create(Builder& builder, const ops::OpDef& def, std::size_t position, std::vector<Value*> operands,
             Attributes attributes, std::vector<std::unique_ptr<Region>> regions) {
    try {
      return builder.create(def, std::move(operands), std::move(attributes), std::move(regions));
    } catch (const Error& error) {
      at_.fail_at(position, error.what());
    }
  }

  void name_results(Op& op, const std::vector<DeclaredResult>& declared, std::size_t position, Scope& scope) {
    if (declared.size() != op.results.size())
      at_.fail_at(position, fmt::format("{} has {} results, not {}", op.def->name, op.results.size(), declared.size()));
    for (std::size_t i = 0; i < declared.size(); ++i) {
      Value* value = op.result(i);
      const auto& [name, type, where] = declared[i];
      if (value->type != type)
        at_.fail_at(where, fmt::format("%{} is declared {}, but {} gives {}", name, to_string(type), op.def->name,
                                       to_string(value->type)));
      define(scope, name, where, value);
      if (!is_digits(name)) value->name = name;  // numbers are given anew when printed
    }
  }

  std::unique_ptr<Region> region() {
    if (++depth_ > deepest_nesting) at_.fail("regions are nested too deeply");
    auto result = std::make_unique<Region>();
    Scope scope;  // isolated: sees its own values only
    at_.expect('(', "after 'region'");
    if (!at_.accept(')')) {
      do {
        const auto [name, type, position] = declaration();
        define(scope, name, position, result->add_argument(type, is_digits(name) ? "" : name));
      } while (at_.accept(','));
      at_.expect(')', "after the arguments of a region");
    }
    at_.expect('{', "before the ops of a region");
    ops_until_return(*result, scope);
    if (!at_.at('}')) {
      do result->results.push_back(use(scope));
      while (at_.accept(','));
    }
    at_.expect('}', "after the results of a region");
    --depth_;
    return result;
  }

  void function_results(Function& function, const Scope& scope) {
    if (at_.at('}')) return;
    do {
      if (at_.at('%')) {
        function.add_result(use(scope), "");
        continue;
      }
      const std::size_t position = at_.position();
      std::string name = at_.name("a result");
      std::ptrdiff_t updates = -1;
      if (name == "state" && !at_.at('=')) {
        name = at_.name("a state's name");
        updates = state_index(function, scope, name, position);
        name = function.body.arguments[static_cast<std::size_t>(updates)]->name;
        if (at_.accept_word("as")) name = at_.name("a result's name");
      }
      at_.expect('=', "after a result's name");
      function.add_result(use(scope), name, updates);
    } while (at_.accept(','));
  }

  std::ptrdiff_t state_index(const Function& function, const Scope& scope, const std::string& name,
                             std::size_t position) {
    const auto entry = scope.find(name);
    if (entry == scope.end() || entry->second->region != &function.body ||
        function.roles[entry->second->index] != ArgumentRole::state)
      at_.fail_at(position, fmt::format("'{}' is not a state of @{}", name, function.name));
    return static_cast<std::ptrdiff_t>(entry->second->index);
  }

  Cursor at_;
  AttributeParser parts_;
  const ops::Registry& registry_;
  int depth_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<Function>> parse(std::string_view text, const ops::Registry& registry,
                                             const std::string& file) {
  return Parser(text, registry, file).parse();
}

}  // namespace pullback::ir
