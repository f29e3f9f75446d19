// From a recorded graph to a function: the ops that some tensors depend on, and nothing else.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <pullback/tensor.h>

#include "compiler/frontend/trace.h"

namespace pullback::detail {

/// A tensor to compute and what the result is called ("": its own name, else "out0", ...).
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct Extraction {
  std::unique_ptr<ir::Function> function;
  ir::ValueMap map;  ///< from the trace's values to the function's; valid for what the outputs need
};

/// Arguments are the inputs and states that the outputs depend on, in the order of their declaration, inputs first;
/// results are the outputs, then the new random counter if it was read, then (`training`) the variables' updates.
/// A check is kept when the outputs depend on every argument that it reads. Throws Error when an output is undefined,
/// of another graph, or of a branch. Of the graph only its first `ops` ops are looked at.
Extraction extract(Trace& trace, const std::string& name, const std::vector<NamedTensor>& outputs, bool training,
                   const SourceLine& line, std::size_t ops = std::numeric_limits<std::size_t>::max());

}  // namespace pullback::detail
