#include "runtime/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pullback/error.h>

namespace pullback::runtime {

namespace {

[[noreturn]] void fail_with(const std::string& what, const char* action, int code) {
  throw Error(fmt::format("{}: cannot {}: {}", what, action, std::strerror(code)));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

// Makes the new name itself durable; a file system that cannot do that is none of the user's business.
void sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor descriptor(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.value() >= 0) ::fsync(descriptor.value());
}

}  // namespace

std::vector<std::byte> read_file(const std::string& what, const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value() < 0) fail_with(what, "open the file", errno);
  struct stat status{};
  if (::fstat(file.value(), &status) != 0) fail_with(what, "read the file", errno);
  constexpr std::size_t chunk = 1 << 16;
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size) + 1);  // one more sees the end
  std::size_t count = 0;
  for (;;) {
    if (count == bytes.size()) bytes.resize(bytes.size() + std::max(chunk, bytes.size() / 2));
    const ssize_t got = ::read(file.value(), bytes.data() + count, bytes.size() - count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with(what, "read the file", errno);
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  bytes.resize(count);
  return bytes;
}

AtomicFile::AtomicFile(std::string what, const std::string& path) : what_(std::move(what)), path_(path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  // A link keeps pointing where it points: its target is replaced.
  if (const fs::path target = fs::canonical(path, ignored); !ignored) path_ = target.string();
  const fs::file_status status = fs::status(path_, ignored);
  if (fs::is_directory(status)) throw Error(fmt::format("{}: cannot write: it is a folder", what_));
  const bool direct = fs::exists(status) && !fs::is_regular_file(status);
  static std::atomic<int> number{0};  // two threads may save to the same path
  if (!direct) temporary_ = fmt::format("{}.{}-{}.tmp", path_, ::getpid(), number++);
  const int flags = direct ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
  descriptor_ = ::open((direct ? path_ : temporary_).c_str(), flags | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("create the file");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* action) const {
  fail_with(what_, action, errno);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit(Durable durable) {
  if (!temporary_.empty()) {
    if (durable == Durable::yes && ::fsync(descriptor_) != 0) fail("write");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("replace the file");
    if (durable == Durable::yes) sync_folder(path_);
  }
  // The data is safe; and no file is left to remove.
  const int descriptor = std::exchange(descriptor_, -1);
  ::close(descriptor);
}

}  // namespace pullback::runtime
