// Warnings: mistakes that do not stop the work.
#pragma once

#include <string>

namespace pullback::detail {

/// Hands the message to the sink of set_warning_sink().
void warn(const std::string& message);

}  // namespace pullback::detail
