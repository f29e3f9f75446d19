// Compiled programs kept on disk, so that a later process compiles nothing and loads no LLVM.
//
// One file for each program, named by a hash of everything its code depends on. Files appear whole (renamed when
// complete), so that any number of processes may share the folder; a damaged file counts as missing and is replaced.
// A folder that belongs to another user, or that others may write to, is not used: code from it would be run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runtime/stored_program.h"

namespace pullback::driver {

class CodeCache {
 public:
  /// Keeps at most about `limit` bytes in `folder`, which is made at the first keep().
  CodeCache(std::filesystem::path folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

  /// What was kept under `key`; nothing when there is nothing or it cannot be read whole.
  std::optional<runtime::StoredProgram> find(const std::string& key) const;
  /// Files that were not used for longest go when the limit is reached. A folder that cannot be written (full,
  /// read-only) keeps nothing: that is no error, the code is there anyway.
  void keep(const std::string& key, const runtime::StoredProgram& program) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;
  void make_room(std::uint64_t bytes) const;

  std::filesystem::path folder_;
  std::uint64_t limit_;
};

}  // namespace pullback::driver
