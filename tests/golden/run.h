// Runs one case at one dtype through the compiled path.
#pragma once

#include <vector>

#include "tests/golden/compare.h"
#include "tests/golden/manifest.h"

namespace pullback::golden {

/// Outputs, loss, gradients and Hessian-vector products of an op case. Throws when the case can't be built or run.
std::vector<Finding> run(const OpCase& op_case, DType dtype, const CompileOptions& options);
/// The steps of a training trajectory.
std::vector<Finding> run(const Trajectory& trajectory, DType dtype, const CompileOptions& options);

}  // namespace pullback::golden
