// What the functions that trace regions share: branches, loops, blocks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/frontend/trace.h"

namespace pullback::detail {

/// Traces `body` into the frame; its results become the region's.
std::vector<Tensor> trace_region(Trace& trace, Trace::Frame& frame, const char* op, const SourceLine& line,
                                 const std::function<std::vector<Tensor>()>& body);
/// "f32[2], i32[]", for messages.
std::string types_of(const std::vector<Tensor>& tensors);
/// Arguments [first, first + count) of the frame's region.
std::vector<Tensor> arguments_of(Trace& trace, const Trace::Frame& frame, std::size_t first, std::size_t count);
/// Throws Error unless a loop's body keeps the types of its carries.
void require_same_carries(const char* op, const std::vector<Tensor>& before, const std::vector<Tensor>& after,
                          const SourceLine& line);

}  // namespace pullback::detail
