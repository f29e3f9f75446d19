// Data files, plain or compressed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pullback::data {

/// The bytes of the file at `path`, decompressed when they are gzip's (whatever the file's name). Throws Error, naming
/// the file, when it cannot be read or its compression is damaged.
std::vector<std::byte> read_data_file(const std::string& path);

}  // namespace pullback::data
