// Compiled programs kept on disk, so that a later process compiles nothing and loads no LLVM.
//
// One file for each program, named by a hash of everything its code depends on; a damaged file counts as missing and is
// replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "compiler/driver/cache_folder.h"
#include "runtime/stored_program.h"

namespace pullback::driver {

class CodeCache {
 public:
  /// Keeps at most about `limit` bytes in `folder`, which is made at the first keep().
  CodeCache(std::filesystem::path folder, std::uint64_t limit) : folder_(std::move(folder), limit) {}

  /// What was kept under `key`; nothing when there is nothing or it cannot be read whole.
  std::optional<runtime::StoredProgram> find(const std::string& key) const;
  /// Where nothing can be kept, nothing is lost: the code is there anyway.
  void keep(const std::string& key, const runtime::StoredProgram& program) const;

 private:
  CacheFolder folder_;
};

}  // namespace pullback::driver
