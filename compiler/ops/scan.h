// How the lists of a scan are divided, for its rules, the passes and lowering.
#pragma once

#include <cstddef>

#include "compiler/ir/graph.h"
#include "compiler/ops/contexts.h"

namespace pullback::ops {

/// Operands and arguments of the body: carries, xs (slices in the body), invariants. Results of the op and of the body:
/// carries, then what is stacked.
struct ScanLayout {
  std::size_t carries = 0, slices = 0, invariants = 0, stacked = 0;
  Dim length;
  bool reverse = false;

  explicit ScanLayout(const ir::Op& op);
  std::size_t first_invariant() const { return carries + slices; }
  std::size_t arguments() const { return carries + slices + invariants; }
  bool is_carry(std::size_t argument) const { return argument < carries; }
  bool is_slice(std::size_t argument) const { return argument >= carries && argument < carries + slices; }
  bool is_invariant(std::size_t argument) const { return argument >= carries + slices; }
};

/// [length, ...]
ir::Type stacked_type(const ir::Type& type, const Dim& length);
/// The gradient rule of scan.
void scan_vjp(GradContext& c);

}  // namespace pullback::ops
