// pullback opt: run passes and print.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/error.h>

#include "compiler/passes/passes.h"
#include "compiler/passes/pipeline.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

namespace {

std::vector<passes::Pass> chosen_passes(const std::vector<std::string>& names) {
  std::vector<passes::Pass> chosen;
  for (const std::string& name : names) {
    const passes::Pass* pass = passes::find_pass(name);
    if (!pass) {
      std::vector<std::string_view> known;
      for (const passes::Pass& each : passes::all_passes()) known.push_back(each.name);
      throw Error(fmt::format("there is no pass '{}': the passes are {}", name, fmt::join(known, ", ")));
    }
    chosen.push_back(*pass);
  }
  if (names.empty()) chosen.assign(passes::pipeline().begin(), passes::pipeline().end());
  return chosen;
}

}  // namespace

void opt(const Source& source, const OptOptions& options) {
  const std::vector<passes::Pass> passes = chosen_passes(options.passes);
  std::unique_ptr<ir::Function> function = read_function(source);
  const Bindings bindings = parse_bindings(options.bindings, *function);
  if (!bindings.empty()) function = passes::specialize(*function, bindings);
  std::vector<std::string> changes;
  for (const passes::PassReport& report : passes::run(*function, passes, {.verify = true}))
    changes.push_back(report.name + (report.changed ? "" : " (unchanged)"));
  print_stage(fmt::format("opt: {}", fmt::join(changes, ", ")), *function, source);
}

void list_passes() {
  fmt::print("the pipeline, in order:\n");
  for (const passes::Pass& pass : passes::pipeline()) fmt::print("  {:<18} {}\n", pass.name, pass.reason);
}

}  // namespace pullback::tool
