// Reading text IR and printing it again.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/ir/element_text.h"
#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"
#include "compiler/tool/commands.h"
#include "runtime/file.h"

namespace pullback::tool {

namespace {

std::string read_standard_input(const std::string& shown) {
  std::string text;
  char block[1 << 16];
  while (const std::size_t count = std::fread(block, 1, sizeof block, stdin)) text.append(block, count);
  if (std::ferror(stdin)) throw Error(fmt::format("{}: cannot be read: {}", shown, std::strerror(errno)));
  return text;
}

std::string read_text(const std::string& shown, const std::string& file) {
  if (file == "-") return read_standard_input(shown);
  const std::vector<std::byte> bytes = runtime::read_file(shown, file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string names_of(const std::vector<std::unique_ptr<ir::Function>>& functions) {
  std::vector<std::string> names;
  for (const auto& function : functions) names.push_back("@" + function->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<std::unique_ptr<ir::Function>> read_functions(const Source& source) {
  const std::string shown = source.file == "-" ? "<stdin>" : source.file;
  auto functions = ir::parse(read_text(shown, source.file), ops::registry(), shown);
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

Bindings parse_bindings(const std::vector<std::string>& texts, const ir::Function& function) {
  const std::set<std::string> symbols = ir::symbols_of(function);
  Bindings bindings;
  for (const std::string& text : texts) {
    const std::size_t sign = std::min(text.find('='), text.size());
    const auto value = ir::parse_integer(std::string_view(text).substr(std::min(sign + 1, text.size())));
    if (sign == 0 || !value || *value < 0)
      throw Error(fmt::format("--bind {}: expected a symbol and its size, such as batch=128", text));
    const std::string name = text.substr(0, sign);
    if (!symbols.contains(name))
      throw Error(fmt::format("--bind {}: @{} has no size {}: there {}", text, function.name, name,
                              symbols.empty() ? "are none" : fmt::format("are {}", fmt::join(symbols, ", "))));
    if (!bindings.emplace(name, *value).second) throw Error(fmt::format("--bind {}: {} is given twice", text, name));
  }
  return bindings;
}

void print_stage(const std::string& stage, const ir::Function& function, const Source& source) {
  fmt::print("// stage {}\n{}", stage, ir::print(function, {.locations = source.locations}));
}

}  // namespace pullback::tool
