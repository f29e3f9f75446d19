// Checkpoint files: a State on disk, little-endian, as follows.
//
//   8 bytes  "PBSTATE\n"        u32  format version         u32  bytes of the table
//   table    u32 entries, then for each: u32 length and bytes of the name, u8 kind, u32 length and bytes of the dtype's
//            name, u32 rank, i64 dims, u64 bytes of data, u32 CRC-32 of the data
//   u32      CRC-32 of everything before it
//   data     of the entries in order, nothing between, nothing after
#pragma once

#include <string>

namespace pullback {

class State;

namespace runtime {

/// Throws Error when the file cannot be written; a file that was at `path` is unharmed then.
void write_checkpoint(const std::string& path, const State& state);

/// Throws Error when the file is missing, no checkpoint, of a newer version, or damaged in any byte.
State read_checkpoint(const std::string& path);

}  // namespace runtime
}  // namespace pullback
