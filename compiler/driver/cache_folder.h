// A folder of small files that any number of processes share: what a compilation found out, for later ones.
//
// Each file is named by a hash of its key, and holds the whole key as well. Files appear whole (renamed when complete).
// A folder that belongs to another user, or that others may write to, is not used: code from it would be run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pullback::driver {

/// The kinds of files, by their extensions.
inline constexpr std::string_view kCodeFiles = ".code", kScheduleFiles = ".tune", kStepFiles = ".step";

/// What was kept: a part of its file's bytes, which may be moved.
struct KeptBytes {
  std::vector<std::byte> file;
  std::span<const std::byte> content;
};

class CacheFolder {
 public:
  /// Keeps at most about `limit` bytes in `folder`, which is made at the first keep().
  CacheFolder(std::filesystem::path folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

  /// What was kept under `key`; nothing when there is nothing or it cannot be read. The caller sees whether it is
  /// whole.
  std::optional<KeptBytes> find(const std::string& key, std::string_view kind) const;
  /// Files that were not used for longest go when the limit is reached. A folder that cannot be written (full,
  /// read-only) keeps nothing: that is no error.
  void keep(const std::string& key, std::string_view kind, std::span<const std::byte> bytes) const;

 private:
  std::filesystem::path file_of(const std::string& key, std::string_view kind) const;
  void make_room(std::uint64_t bytes) const;

  std::filesystem::path folder_;
  std::uint64_t limit_;
};

}  // namespace pullback::driver
