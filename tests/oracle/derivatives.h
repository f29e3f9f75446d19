// The derivatives of the contract tests' cases as functions of their own.
#pragma once

#include <vector>

#include "tests/oracle/cases.h"

namespace pullback::contract {

/// The case's function with cotangents of its floating results and tangents of its floating arguments as further
/// arguments: results are the floating results' JVP, then the floating arguments' VJP.
struct Derivatives {
  std::unique_ptr<ir::Function> function;
  std::vector<std::size_t> wrt, outputs;  ///< which arguments and results are floating

  explicit Derivatives(const Case& c);
  /// False: nothing is floating, and there is no derivative.
  bool usable() const { return !wrt.empty() && !outputs.empty(); }
};

/// Values of the further arguments, in [-1, 1).
struct Directions {
  std::vector<ir::Literal> cotangents, tangents;
};
Directions directions_of(const Case& c, const Derivatives& d, unsigned seed);

/// All arguments of the derivative's function.
std::vector<ir::Literal> arguments_of(const Case& c, const Directions& directions);

/// The derivatives of the cases, with their arguments, as cases; those without derivatives are left out.
std::vector<Case> derivatives_of(const std::vector<Case>& cases);

}  // namespace pullback::contract
