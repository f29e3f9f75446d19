// What the differentiation tests share: functions from text, f64 arguments, central differences.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/text.h"

namespace pullback::testing {

std::unique_ptr<ir::Function> parse_one(const std::string& text);

/// Numbers in [low, high) for each argument; integers and bools are 0 or 1.
std::vector<ir::Literal> random_arguments(const ir::Function& function, unsigned seed, double low = -1,
                                          double high = 1);
/// The first result, a scalar.
double scalar_result(const ir::Function& function, const std::vector<ir::Literal>& arguments);
/// Central differences of `function`'s result `loss` (by position) with respect to argument `argument`.
std::vector<double> numeric_gradient(const ir::Function& function, std::vector<ir::Literal> arguments,
                                     std::size_t argument, double step = 1e-5);
/// The values for the arguments of `of`, by name, from those of `function`; others come from `extra`.
std::vector<ir::Literal> arguments_of(const ir::Function& of, const ir::Function& function,
                                      const std::vector<ir::Literal>& arguments,
                                      const std::vector<std::pair<std::string, ir::Literal>>& extra = {});
void check_close(const ir::Literal& got, const std::vector<double>& expected, double tolerance);
/// Checks gradient(function, "loss", wrt) against central differences.
void check_gradient(const ir::Function& function, const std::vector<std::string>& wrt, double tolerance = 1e-7);

/// How many ops of this name are there?
std::size_t count(const ir::Function& function, const std::string& op);

}  // namespace pullback::testing
