// Texts that are kept as files, so that a change of them shows as a difference under version control.
#pragma once

#include <string>

namespace pullback::testing {

/// What the file at `path` (from the repository's root) holds; with PULLBACK_UPDATE_GOLDEN=1 `text` is written to it
/// first. Throws Error when there is no such file.
std::string golden(const std::string& path, const std::string& text);

}  // namespace pullback::testing
