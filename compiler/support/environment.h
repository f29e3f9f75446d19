// The environment variables of the compiler, read in one place. docs/environment.md lists them.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include <pullback/program.h>

namespace pullback {

struct Environment {
  std::set<Stage> dump;   ///< PULLBACK_DUMP: stages, comma-separated, or "all"
  std::string dump_dir;   ///< PULLBACK_DUMP_DIR: dumps go to files there, and are then of all stages by default
  bool verify = false;    ///< PULLBACK_VERIFY=1: verify after each pass
  bool time = false;      ///< PULLBACK_TIME=1: report the compile time of each stage
  bool profile = false;   ///< PULLBACK_PROFILE=1: measure each kernel, and report when the program is gone
  std::string cache_dir;  ///< where compiled code is kept: PULLBACK_CACHE_DIR, else a folder "pullback" in
                          ///< $XDG_CACHE_HOME or ~/.cache; "" when PULLBACK_CACHE=0 or there is no home
  std::uint64_t cache_bytes = std::uint64_t{256} << 20;  ///< PULLBACK_CACHE_SIZE, in MiB
  bool tune = false;                                     ///< PULLBACK_TUNE: contractions are cut as is measured
  std::string codegen_library;                           ///< PULLBACK_CODEGEN: another path of libpullback_codegen.so
};

/// As the variables are now. Throws Error that names the variable when one has a value that makes no sense.
Environment read_environment();

}  // namespace pullback
