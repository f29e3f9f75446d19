// Strided views: what a contraction can read in place although a transpose or the like stands before it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compiler/lower/access.h"

namespace pullback::lower {

/// Follows ops that only rearrange elements until `stored` says yes. Nothing when an op computes something, or when the
/// elements do not lie in strides. Values must not be empty.
std::optional<View> view_of(const ir::Value& value, Accesses& accesses,
                            const std::function<bool(const ir::Value&)>& stored);

/// The same of the value with other dims, of as many elements: an axis that is walked as two may have two strides.
std::optional<View> view_of(const ir::Value& value, const std::vector<std::int64_t>& dims, Accesses& accesses,
                            const std::function<bool(const ir::Value&)>& stored);

/// The other, stored value in whose memory the elements of `value` lie already, each in its place: a transpose is that
/// where what it transposes lies in the order of the result. Null: there is none.
const ir::Value* value_in_place(const ir::Value& value, Accesses& accesses,
                                const std::function<bool(const ir::Value&)>& stored);

}  // namespace pullback::lower
