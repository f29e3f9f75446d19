// A compiled step as it is kept on disk: its code, and all that running it takes besides.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/code_image.h"
#include "runtime/executable.h"

namespace pullback::runtime {

struct StoredProgram {
  CodeImage code;
  ExecutableLayout layout;
};

/// The program as bytes with checksums, and back. Throws Error, beginning with `what`, when it is no whole program.
std::vector<std::byte> serialize(const StoredProgram& program);
StoredProgram parse_program(const std::string& what, std::span<const std::byte> bytes);

}  // namespace pullback::runtime
