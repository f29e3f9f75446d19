// Hashes of texts that are the same from run to run, on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pullback {

/// FNV-1a (Fowler, Noll and Vo).
std::uint64_t fnv1a(std::string_view text);

/// 128 bits in hexadecimal.
std::string digest(std::string_view text);

}  // namespace pullback
