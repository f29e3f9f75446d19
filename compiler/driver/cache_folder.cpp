#include "compiler/driver/cache_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <vector>

#include <pullback/error.h>

#include "compiler/support/hash.h"
#include "runtime/bytes.h"
#include "runtime/file.h"

namespace pullback::driver {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTemporary = ".tmp";

struct Entry {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
};

std::vector<Entry> entries_of(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // another process may remove files meanwhile
    const std::string kind = it->path().extension();
    if (kind != kCodeFiles && kind != kScheduleFiles && kind != kStepFiles) continue;
    Entry entry{it->path(), it->last_write_time(gone), 0};
    entry.bytes = it->file_size(gone);
    if (!gone) entries.push_back(std::move(entry));
  }
  return entries;
}

// Files that were never finished, because their process was killed.
void remove_remains(const fs::path& folder) {
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->path().extension() == kTemporary && it->last_write_time(gone) < old && !gone) fs::remove(it->path(), gone);
  }
}

// What lies there will be run: nobody else may have put it there.
bool is_ours_alone(const fs::path& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return false;
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

fs::path CacheFolder::file_of(const std::string& key, std::string_view kind) const {
  return folder_ / (digest(key) + std::string(kind));
}

std::optional<KeptBytes> CacheFolder::find(const std::string& key, std::string_view kind) const {
  const fs::path path = file_of(key, kind);
  std::error_code error;
  if (!is_ours_alone(folder_) || !fs::is_regular_file(path, error)) return std::nullopt;
  try {
    KeptBytes kept{runtime::read_file(path, path), {}};
    runtime::ByteReader reader(path, kept.file);
    const runtime::Bytes found = reader.take(reader.number<std::uint32_t>());
    if (!std::ranges::equal(found, std::as_bytes(std::span(key)))) return std::nullopt;
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);  // used now
    kept.content = reader.rest();
    return kept;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void CacheFolder::keep(const std::string& key, std::string_view kind, std::span<const std::byte> bytes) const {
  try {
    std::error_code error;
    if (fs::create_directories(folder_, error)) ::chmod(folder_.c_str(), S_IRWXU);  // code that we will run
    if (!is_ours_alone(folder_)) return;
    runtime::ByteWriter writer;
    writer.text(key);
    writer.raw(runtime::Bytes(bytes));
    if (writer.bytes().size() > limit_) return;
    remove_remains(folder_);
    make_room(writer.bytes().size());
    runtime::AtomicFile file("code cache", file_of(key, kind));
    file.write(writer.bytes());
    file.commit(runtime::AtomicFile::Durable::no);
  } catch (const Error&) {
    // Nothing is kept, and nothing is lost.
  }
}

void CacheFolder::make_room(std::uint64_t bytes) const {
  std::vector<Entry> entries = entries_of(folder_);
  std::uint64_t total = bytes;
  for (const Entry& entry : entries) total += entry.bytes;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= limit_) return;
    std::error_code gone;
    fs::remove(entry.path, gone);
    total -= entry.bytes;
  }
}

}  // namespace pullback::driver
