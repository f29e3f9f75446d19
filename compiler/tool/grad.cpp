// pullback grad: differentiate and print.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/autodiff/gradient.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

namespace {

std::string default_loss(const ir::Function& function) {
  std::vector<std::string> names;
  for (const ir::FunctionResult& result : function.results)
    if (result.updates < 0) names.push_back(result.name);
  if (std::count(names.begin(), names.end(), "loss")) return "loss";
  if (names.size() == 1) return names.front();
  throw Error(fmt::format("@{}: choose the result to differentiate with --loss: there are {}", function.name,
                          names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

std::vector<std::string> floating_arguments(const ir::Function& function, ir::ArgumentRole role) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < function.roles.size(); ++i) {
    const ir::Value& argument = *function.body.arguments[i];
    if (function.roles[i] == role && is_float(argument.type.dtype)) names.push_back(argument.name);
  }
  return names;
}

std::vector<std::string> default_wrt(const ir::Function& function) {
  std::vector<std::string> names = floating_arguments(function, ir::ArgumentRole::state);
  if (names.empty()) names = floating_arguments(function, ir::ArgumentRole::input);
  if (names.empty()) throw Error(fmt::format("@{}: it has no floating argument to differentiate by", function.name));
  return names;
}

}  // namespace

void grad(const Source& source, const GradOptions& options) {
  const auto function = read_function(source);
  const std::string loss = options.loss.empty() ? default_loss(*function) : options.loss;
  const std::vector<std::string> wrt = options.wrt.empty() ? default_wrt(*function) : options.wrt;
  const autodiff::FunctionGradient gradient = autodiff::gradient(*function, loss, wrt);
  for (const std::string& name : gradient.independent)
    fmt::print(stderr, "pullback: warning: {}\n", autodiff::independence_warning(name, loss));
  print_stage("grad", *gradient.function, source);
}

}  // namespace pullback::tool
