// What the lowering tests share: a function is lowered, its schedule interpreted, and the results compared with the
// reference evaluator's.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ir/literal.h"
#include "compiler/ir/schedule.h"
#include "compiler/lower/lower.h"
#include "compiler/support/target.h"

namespace pullback::testing {

std::unique_ptr<ir::Function> parse_function(const std::string& text);

/// Floats in [-2, 2], integers in [0, 5), bools.
std::vector<ir::Literal> random_arguments(const ir::Function& function, std::mt19937& random);

struct Ran {
  int status = 0;
  std::vector<ir::Literal> results;  ///< in the order of the function's results; new states as their slots hold them
};
/// Interprets the function's schedule.
Ran run_schedule(const schedule::Module& module, const ir::Function& function,
                 const std::vector<ir::Literal>& arguments);

/// Lowers with several options and targets and compares with the reference evaluator.
void check_lowering(const ir::Function& function, std::uint32_t seed = 1);
inline void check_lowering(const std::string& text) {
  check_lowering(*parse_function(text));
}

/// Is any kernel shared among threads?
bool is_parallel(const schedule::Module& module);
/// Kernel calls, those of branches included.
std::size_t calls_of(const std::vector<schedule::Step>& steps);

}  // namespace pullback::testing
