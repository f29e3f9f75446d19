#include "compiler/driver/code_cache.h"

#include <pullback/error.h>

namespace pullback::driver {

std::optional<runtime::StoredProgram> CodeCache::find(const std::string& key) const {
  const auto kept = folder_.find(key, kCodeFiles);
  if (!kept) return std::nullopt;
  try {
    return runtime::parse_program("code cache", kept->content);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void CodeCache::keep(const std::string& key, const runtime::StoredProgram& program) const {
  folder_.keep(key, kCodeFiles, runtime::serialize(program));
}

}  // namespace pullback::driver
