// The printer of the tensor IR. docs/ir.md describes the syntax.
#include <algorithm>
#include <cctype>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ir/element_text.h"
#include "compiler/ir/text.h"
#include "compiler/ops/op_def.h"

namespace pullback::ir {

namespace {

constexpr std::size_t line_width = 118;
constexpr std::size_t location_column = 72;

bool is_bare(const std::string& name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.'; });
}

std::string name_text(const std::string& name) {
  return is_bare(name) ? name : quoted(name);
}

std::string join(const std::vector<std::string>& parts, const char* separator = ", ") {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string integers_text(const Integers& integers) {
  return fmt::format("[{}]", fmt::join(integers, ","));
}

// Unique names for the values of one region; regions are isolated, so each has its own.
class Names {
 public:
  // Numbers are no names, except those of a function's arguments, by which callers find them.
  std::string define(const Value& value, bool keep_numbers = false) {
    std::string name = value.name;
    if (name.empty() || (!keep_numbers && is_digits(name))) {
      do name = std::to_string(next_number_++);
      while (!taken_.insert(name).second);
    } else if (!taken_.insert(name).second) {
      int& suffix = next_suffix_[name];
      std::string candidate;
      do candidate = fmt::format("{}.{}", name, ++suffix);
      while (!taken_.insert(candidate).second);
      name = candidate;
    }
    return names_[&value] = "%" + name_text(name);
  }

  // A value of elsewhere can only be met in a broken graph, which must still print.
  std::string operator[](const Value* value) const {
    if (!value) return "%<null>";
    const auto entry = names_.find(value);
    return entry != names_.end() ? entry->second : "%<undefined " + name_text(value->name) + ">";
  }

 private:
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<std::string, int> next_suffix_;
  std::unordered_set<std::string> taken_;
  int next_number_ = 0;
};

std::string location_text(const Location& location) {
  std::vector<std::string> parts;
  if (location.line.known()) parts.push_back(fmt::format("{}:{}", quoted(location.line.file), location.line.line));
  if (!location.scope.empty()) parts.push_back(quoted(location.scope));
  if (!location.role.empty())
    parts.push_back(location.role + (location.origin.empty() ? "" : " " + quoted(location.origin)));
  return parts.empty() ? "" : fmt::format("loc({})", join(parts));
}

class Printer {
 public:
  Printer(const Function& function, const PrintOptions& options) : function_(function), options_(options) {}

  std::string print() {
    print_header();
    print_ops(function_.body, names_, "  ");
    print_return();
    text_ += "}\n";
    if (options_.resources) print_resources();
    return std::move(text_);
  }

 private:
  // `open` parts `close`, broken into one part a line when it is too long for one.
  void print_list(const std::string& open, const std::vector<std::string>& parts, const std::string& close) {
    const std::string line = open + join(parts) + close;
    if (line.size() <= line_width || parts.size() < 2) {
      text_ += line + "\n";
    } else {
      text_ += open + "\n      " + join(parts, ",\n      ") + close + "\n";
    }
  }

  static std::string declaration(const Value& value, Names& names, bool keep_numbers = false) {
    return fmt::format("{}: {}", names.define(value, keep_numbers), to_string(value.type));
  }

  void print_header() {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < function_.body.arguments.size(); ++i) {
      const bool is_state = i < function_.roles.size() && function_.roles[i] == ArgumentRole::state;
      parts.push_back((is_state ? "state " : "") + declaration(*function_.body.arguments[i], names_, true));
    }
    print_list(fmt::format("func @{}(", name_text(function_.name)), parts, ") {");
  }

  void print_return() {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < function_.body.results.size(); ++i) {
      const FunctionResult result = i < function_.results.size() ? function_.results[i] : FunctionResult{};
      std::string target = result.name.empty() ? "" : name_text(result.name) + " = ";
      if (result.updates >= 0 && result.updates < std::ssize(function_.body.arguments)) {
        const Value* state = function_.body.arguments[static_cast<std::size_t>(result.updates)].get();
        const std::string renamed = result.name == state->name ? "" : fmt::format(" as {}", name_text(result.name));
        target = fmt::format("state {}{} = ", names_[state].substr(1), renamed);
      }
      parts.push_back(target + names_[function_.body.results[i]]);
    }
    print_list(parts.empty() ? "  return" : "  return ", parts, "");
  }

  void print_ops(const Region& region, Names& names, const std::string& indent) {
    for (const auto& op : region.ops) print_op(*op, names, indent);
  }

  void print_op(const Op& op, Names& names, const std::string& indent) {
    const std::size_t begin = text_.size();
    std::vector<std::string> operands;
    for (const Value* operand : op.operands) operands.push_back(names[operand]);
    std::vector<std::string> results;
    for (const auto& result : op.results) results.push_back(declaration(*result, names));
    text_ += indent + (results.empty() ? "" : join(results) + " = ");
    text_ += fmt::format("{}({})", op.def ? op.def->name : "<null>", join(operands));
    if (!op.attributes.empty()) text_ += " " + attributes_text(op.attributes);
    for (const auto& nested : op.regions) print_region(*nested, indent);
    const std::string location = options_.locations ? location_text(*op.location) : "";
    if (!location.empty()) {
      const std::size_t column = op.regions.empty() ? text_.size() - begin : location_column;
      text_.append(column < location_column ? location_column - column : 1, ' ');
      text_ += location;
    }
    text_ += '\n';
  }

  void print_region(const Region& region, const std::string& indent) {
    Names names;
    std::vector<std::string> arguments;
    for (const auto& argument : region.arguments) arguments.push_back(declaration(*argument, names));
    print_list(" region(", arguments, ") {");
    print_ops(region, names, indent + "  ");
    std::vector<std::string> results;
    for (const Value* result : region.results) results.push_back(names[result]);
    text_ += fmt::format("{}  return{}{}\n{}}}", indent, results.empty() ? "" : " ", join(results), indent);
  }

  std::string attributes_text(const Attributes& attributes) {
    std::vector<std::string> parts;
    for (const auto& [name, attribute] : attributes.entries())
      parts.push_back(fmt::format("{} = {}", name_text(name), attribute_text(attribute)));
    return fmt::format("{{{}}}", join(parts));
  }

  std::string attribute_text(const Attribute& attribute) {
    struct Visitor {
      Printer& printer;
      std::string operator()(std::int64_t value) const { return std::to_string(value); }
      std::string operator()(double value) const { return float_text(value); }
      std::string operator()(bool value) const { return value ? "true" : "false"; }
      std::string operator()(const std::string& value) const { return quoted(value); }
      std::string operator()(const Integers& value) const { return integers_text(value); }
      std::string operator()(const AxisPairs& value) const {
        return integers_text(value.lhs) + "x" + integers_text(value.rhs);
      }
      std::string operator()(DType value) const { return std::string(name_of(value)); }
      std::string operator()(const Shape& value) const { return "shape" + pullback::to_string(value); }
      std::string operator()(const std::shared_ptr<const Literal>& value) const { return printer.literal_text(value); }
    };
    return std::visit(Visitor{*this}, attribute);
  }

  std::string literal_text(const std::shared_ptr<const Literal>& literal) {
    if (!literal) return "dense<null>";
    const std::string type = fmt::format("{}{}", name_of(literal->dtype), integers_text(literal->dims));
    const std::int64_t size = literal->size();
    if (size > 1 && literal->is_splat()) return fmt::format("dense<{}: splat {}>", type, element_text(*literal, 0));
    if (static_cast<std::size_t>(size) > options_.inline_constant_limit)
      return fmt::format("dense<{}: {}>", type, resource_name(literal));
    std::vector<std::string> elements;
    for (std::int64_t i = 0; i < size; ++i) elements.push_back(element_text(*literal, i));
    return fmt::format("dense<{}:{}{}>", type, elements.empty() ? "" : " ", join(elements));
  }

  std::string resource_name(const std::shared_ptr<const Literal>& literal) {
    auto entry = std::find(resources_.begin(), resources_.end(), literal);
    if (entry == resources_.end()) entry = resources_.insert(entry, literal);
    return "@" + name_text(fmt::format("{}.constant.{}", function_.name, entry - resources_.begin()));
  }

  // The bytes in hexadecimal, as they lie in memory.
  void print_resources() {
    constexpr std::size_t bytes_a_line = 48;
    for (const auto& resource : resources_) {
      text_ += fmt::format("resource {}: {}{} =\n", resource_name(resource), name_of(resource->dtype),
                           integers_text(resource->dims));
      for (std::size_t begin = 0; begin < resource->bytes.size(); begin += bytes_a_line) {
        text_ += "  \"";
        for (std::size_t i = begin; i < std::min(begin + bytes_a_line, resource->bytes.size()); ++i)
          fmt::format_to(std::back_inserter(text_), "{:02x}", static_cast<unsigned>(resource->bytes[i]));
        text_ += "\"\n";
      }
    }
  }

  const Function& function_;
  const PrintOptions& options_;
  std::string text_;
  Names names_;
  std::vector<std::shared_ptr<const Literal>> resources_;

  friend std::string pullback::ir::print(const Op& op);
};

}  // namespace

std::string print(const Function& function, const PrintOptions& options) {
  return Printer(function, options).print();
}

std::string print(const Op& op) {
  const Function no_function;
  const PrintOptions options{.locations = false, .inline_constant_limit = 8};
  Printer printer(no_function, options);
  Names names;
  for (const Value* operand : op.operands)
    if (operand && names[operand].starts_with("%<")) names.define(*operand);
  printer.print_op(op, names, "");
  std::string line = std::move(printer.text_);
  const std::size_t end = line.find('\n');
  const bool has_more = end + 1 < line.size();
  line.resize(end);
  return has_more ? line + " ... }" : line;
}

}  // namespace pullback::ir
