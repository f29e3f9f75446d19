// Shared by the ops that own regions: composite and cond.
#pragma once

#include "compiler/ops/define.h"

namespace pullback::ops {

/// Fails unless the region takes the op's operands from `first` on.
void require_region_takes_operands(const InferContext& c, const ir::Region& region, std::size_t first,
                                   const std::string& name);
std::vector<ir::Type> result_types(const ir::Region& region);
/// "(f32[2], i32[])", for messages.
std::string list_types(const std::vector<ir::Type>& types);

/// Operands from `first` on whose gradient is wanted, counted from `first`.
std::vector<std::size_t> wanted_gradients(const GradContext& c, std::size_t first);
/// dL/d(result) for each floating result.
std::vector<Value> floating_cotangents(GradContext& c);
/// GradContext::gradient_region without checks: the forward op has made them already.
std::unique_ptr<ir::Region> pure_gradient_region(GradContext& c, const ir::Region& body,
                                                 const std::vector<std::size_t>& wanted);

}  // namespace pullback::ops
