// Which compiler this is: what it found out on disk is of no use to another.
#pragma once

#include <string>

namespace pullback::driver {

/// Changes with the files of the compiler: its own library and the code generator's.
std::string compiler_fingerprint();

}  // namespace pullback::driver
