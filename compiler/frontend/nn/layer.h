// What the layers' definitions share: checks whose errors name the layer.
#pragma once

#include <cstdint>
#include <string>

#include <pullback/nn/module.h>

#include "compiler/frontend/operands.h"

namespace pullback::nn {

/// The line that is pinned while a layer is called.
inline SourceLine line_of(const Tensor& x) {
  return x.trace()->line(SourceLocation::current());
}

/// The size of an axis as a number, which parameters need. Throws Error when it is a symbol.
std::int64_t known_size(const std::string& label, const Tensor& x, int axis);

/// Throws Error unless the axis has this size, which `what` calls by its name ("in").
void require_size(const std::string& label, const Tensor& x, int axis, std::int64_t size, const char* what);

/// Throws Error unless low <= rank <= high; `layout` is what x should be: "[N,C,L]".
void require_rank(const std::string& label, const Tensor& x, std::size_t low, std::size_t high, const char* layout);

/// Throws Error unless 0 <= value <= 1.
void require_probability(const char* layer, const char* what, double value, const SourceLocation& where);

/// Throws Error unless value >= low: "Linear: out is 0: at least 1 is needed".
void require_at_least(const char* layer, const char* what, std::int64_t value, std::int64_t low,
                      const SourceLocation& where);

}  // namespace pullback::nn
