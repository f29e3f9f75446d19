#include "tests/oracle/golden.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <pullback/error.h>

namespace pullback::testing {

std::string golden(const std::string& path, const std::string& text) {
  if (std::getenv("PULLBACK_UPDATE_GOLDEN")) std::ofstream(path) << text;
  std::ifstream file(path);
  if (!file) throw Error(path + " cannot be read: PULLBACK_UPDATE_GOLDEN=1 writes it");
  std::stringstream kept;
  kept << file.rdbuf();
  return kept.str();
}

}  // namespace pullback::testing
