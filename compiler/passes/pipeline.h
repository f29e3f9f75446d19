// The pipeline: passes in order, each with the reason for its place, and the runner that verifies, dumps and times.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/graph.h"

namespace pullback::passes {

struct Pass {
  std::string_view name;
  bool (*run)(ir::Function&);
  std::string_view reason;  ///< why it stands where it stands
};

/// What compile() runs after specialization.
std::span<const Pass> pipeline();
/// Every pass once, by name; for tools. Null for an unknown name.
const Pass* find_pass(std::string_view name);
std::span<const Pass> all_passes();

struct PassReport {
  std::string name;
  bool changed = false;
  double seconds = 0;
  std::size_t ops = 0;  ///< ops in the function afterwards, nested ones included
};

struct RunOptions {
  bool verify = false;  ///< verify after each pass; PULLBACK_VERIFY turns it on as well
  /// Called after each pass: a tool prints the function here.
  std::function<void(const PassReport&, const ir::Function&)> after;
};

/// Runs `passes` in order. Throws InternalError naming the pass when verification fails.
std::vector<PassReport> run(ir::Function& function, std::span<const Pass> passes, const RunOptions& options = {});
/// run() with pipeline().
std::vector<PassReport> optimize(ir::Function& function, const RunOptions& options = {});

}  // namespace pullback::passes
