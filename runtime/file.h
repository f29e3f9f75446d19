// Files read whole, and files that appear only when they are complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pullback::runtime {

/// The bytes of a file. `what` opens the message of the Error that is thrown when it cannot be read.
std::vector<std::byte> read_file(const std::string& what, const std::string& path);

/// Writes a temporary file in the folder of `path`; commit() makes it durable and gives it the name `path`. Without
/// commit() nothing remains. A `path` that names a device or a pipe is written directly.
class AtomicFile {
 public:
  /// `what` opens the message of every Error. Throws Error when the file cannot be created.
  AtomicFile(std::string what, const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error when the bytes cannot be written (disk full, say).
  void write(std::span<const std::byte> bytes);
  /// Durable::no: survives the process, perhaps not a power failure; much faster.
  enum class Durable : std::uint8_t { no, yes };
  void commit(Durable durable = Durable::yes);

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string what_;
  std::string path_;
  std::string temporary_;  // "" when written directly
  int descriptor_ = -1;
};

}  // namespace pullback::runtime
