// Binary files: numbers as they lie in memory (little-endian), texts with their length, checksums.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pullback::runtime {

static_assert(std::endian::native == std::endian::little, "files are little-endian and written as they are");

using Bytes = std::span<const std::byte>;

/// CRC-32.
std::uint32_t crc_of(Bytes bytes);

class ByteWriter {
 public:
  template <class T>
  void number(T value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  void raw(Bytes bytes);
  void raw(std::string_view text) { raw(std::as_bytes(std::span(text))); }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    raw(text);
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what ByteWriter wrote; every read is checked against the end. `what` opens the message of each Error.
class ByteReader {
 public:
  ByteReader(std::string what, Bytes bytes) : what_(std::move(what)), bytes_(bytes) {}

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const Bytes bytes = take(number<std::uint32_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  Bytes take(std::size_t count) {
    if (count > bytes_.size()) fail("the file is truncated");
    const Bytes taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  /// All that is left.
  Bytes rest() { return take(bytes_.size()); }
  bool at_end() const { return bytes_.empty(); }
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  std::string what_;
  Bytes bytes_;
};

}  // namespace pullback::runtime
