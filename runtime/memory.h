// Memory for tensors, arenas and scratch: 64-byte aligned, never null.
#pragma once

#include <cstddef>
#include <memory>

#include <pullback/array.h>

namespace pullback::runtime {

/// What generated code may assume of memory that the runtime owns.
inline constexpr std::size_t kAlignment = 64;

/// `bytes` bytes set to zero; a valid, aligned pointer even for 0 bytes. Throws Error when there is not enough memory.
std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes);

/// The same for what lives as long as a State: blocks lie side by side on huge pages, which go back to the system when
/// the last block of the 32 MiB around them dies: not for what comes and goes.
std::shared_ptr<std::byte> allocate_lasting(std::size_t bytes, FirstWriter writer);

}  // namespace pullback::runtime
