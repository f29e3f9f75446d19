// Reading text IR and printing it again.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/ir/element_text.h"
#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

namespace {

std::string read_all(std::istream& stream) {
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string read_text(const std::string& file) {
  if (file == "-") return read_all(std::cin);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error(fmt::format("{}: cannot be opened", file));
  std::string text = read_all(stream);
  if (stream.bad()) throw Error(fmt::format("{}: cannot be read", file));
  return text;
}

std::string names_of(const std::vector<std::unique_ptr<ir::Function>>& functions) {
  std::vector<std::string> names;
  for (const auto& function : functions) names.push_back("@" + function->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<std::unique_ptr<ir::Function>> read_functions(const Source& source) {
  const std::string shown = source.file == "-" ? "<stdin>" : source.file;
  auto functions = ir::parse(read_text(source.file), ops::registry(), shown);
  if (functions.empty()) throw Error(fmt::format("{}: there is no function in it", shown));
  return functions;
}

std::unique_ptr<ir::Function> read_function(const Source& source) {
  auto functions = read_functions(source);
  std::string wanted = source.function;
  if (wanted.starts_with('@')) wanted.erase(0, 1);
  if (wanted.empty()) {
    if (functions.size() > 1)
      throw Error(
          fmt::format("{}: there are several functions, choose with --function: {}", source.file, names_of(functions)));
    return std::move(functions.front());
  }
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const auto& f) { return f->name == wanted; });
  if (found == functions.end())
    throw Error(fmt::format("{}: there is no function @{}: there are {}", source.file, wanted, names_of(functions)));
  return std::move(*found);
}

Bindings parse_bindings(const std::vector<std::string>& texts) {
  Bindings bindings;
  for (const std::string& text : texts) {
    const std::size_t sign = std::min(text.find('='), text.size());
    const auto value = ir::parse_integer(std::string_view(text).substr(std::min(sign + 1, text.size())));
    if (sign == 0 || !value || *value < 0)
      throw Error(fmt::format("--bind {}: expected a symbol and its size, such as batch=128", text));
    bindings[text.substr(0, sign)] = *value;
  }
  return bindings;
}

void print_stage(const std::string& stage, const ir::Function& function, const Source& source) {
  fmt::print("// stage {}\n{}", stage, ir::print(function, {.locations = source.locations}));
}

}  // namespace pullback::tool
