// The code of one compilation in the cache on disk.
#pragma once

#include <optional>
#include <string>

#include "compiler/driver/code_cache.h"
#include "compiler/driver/forms.h"

namespace pullback::driver {

/// Programs are known by the function they are compiled from, before anything is done to it: when the code is found,
/// neither passes nor lowering run.
class KeptCode {
 public:
  explicit KeptCode(const Request& request);

  /// Ready to run; nothing when it is not there or cannot be loaded.
  std::optional<runtime::ExecutableImage> find() const;
  void keep(const runtime::StoredProgram& program) const { cache_.keep(key_, program); }

  /// Not where forms or texts on the way to the code are to be seen, nor where the code cannot run.
  static bool is_used(const Request& request);

 private:
  CodeCache cache_;
  std::string key_;
};

}  // namespace pullback::driver
