#include "runtime/bytes.h"

#include <fmt/format.h>
#include <zlib.h>

#include <pullback/error.h>

namespace pullback::runtime {

std::uint32_t crc_of(Bytes bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void ByteWriter::raw(Bytes bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteReader::fail(std::string_view problem) const {
  throw Error(fmt::format("{}: {}", what_, problem));
}

}  // namespace pullback::runtime
