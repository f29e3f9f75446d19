#include "compiler/support/environment.h"

#include <cstdlib>

#include <pullback/error.h>

#include "compiler/support/dump.h"

namespace pullback {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool flag(const char* name) {
  const std::string value = variable(name);
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  throw Error(std::string(name) + ": '" + value + "' is neither 0 nor 1");
}

std::set<Stage> stages(const char* name, const std::string& by_default) {
  const std::string value = variable(name);
  try {
    return parse_stages(value.empty() ? by_default : value);
  } catch (const Error& error) {
    throw Error(std::string(name) + ": " + error.what());
  }
}

}  // namespace

Environment read_environment() {
  Environment result;
  result.dump_dir = variable("PULLBACK_DUMP_DIR");
  result.dump = stages("PULLBACK_DUMP", result.dump_dir.empty() ? "" : "all");
  result.verify = flag("PULLBACK_VERIFY");
  result.time = flag("PULLBACK_TIME");
  result.codegen_library = variable("PULLBACK_CODEGEN");
  return result;
}

}  // namespace pullback
