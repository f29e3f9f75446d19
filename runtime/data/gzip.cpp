#include "runtime/data/gzip.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <zlib.h>

#include <pullback/error.h>

#include "runtime/file.h"

namespace pullback::data {

namespace {

bool is_gzip(const std::vector<std::byte>& bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

// Decompresses the members of a gzip file, one after the other.
class Inflater {
 public:
  Inflater(const std::string& path, const std::vector<std::byte>& compressed) : path_(path) {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_only) != Z_OK) fail("zlib does not start");
    input_ = reinterpret_cast<const Bytef*>(compressed.data());
    left_ = compressed.size();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::vector<std::byte> run() {
    std::vector<std::byte> out(std::max<std::size_t>(left_ * 4, 1 << 16));
    std::size_t count = 0;
    for (;;) {
      if (count == out.size()) out.resize(out.size() * 2);
      const std::size_t room = std::min<std::size_t>(out.size() - count, kMost);
      const std::size_t given = std::min<std::size_t>(left_, kMost);
      stream_.next_in = const_cast<Bytef*>(input_);  // zlib only reads
      stream_.avail_in = static_cast<uInt>(given);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + count);
      stream_.avail_out = static_cast<uInt>(room);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      count += room - stream_.avail_out;
      input_ += given - stream_.avail_in;
      left_ -= given - stream_.avail_in;
      if (status == Z_STREAM_END) {
        if (left_ == 0) break;
        inflateReset(&stream_);
      } else if (status == Z_BUF_ERROR || (status == Z_OK && left_ == 0 && stream_.avail_out != 0)) {
        fail("the compressed data is truncated");
      } else if (status != Z_OK) {
        fail(fmt::format("the compressed data is damaged ({})", stream_.msg ? stream_.msg : zError(status)));
      }
    }
    out.resize(count);
    return out;
  }

 private:
  static constexpr std::size_t kMost = std::numeric_limits<uInt>::max();

  [[noreturn]] void fail(const std::string& problem) const { throw Error(fmt::format("{}: {}", path_, problem)); }

  std::string path_;
  z_stream stream_{};
  const Bytef* input_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace

std::vector<std::byte> read_data_file(const std::string& path) {
  std::vector<std::byte> bytes = runtime::read_file(path, path);
  return is_gzip(bytes) ? Inflater(path, bytes).run() : bytes;
}

}  // namespace pullback::data
