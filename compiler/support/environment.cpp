#include "compiler/support/environment.h"

#include <charconv>
#include <cstdlib>

#include <pullback/error.h>

#include "compiler/support/dump.h"

namespace pullback {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool flag(const char* name, bool by_default = false) {
  const std::string value = variable(name);
  if (value.empty()) return by_default;
  if (value == "0") return false;
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

std::string cache_folder() {
  if (!flag("PULLBACK_CACHE", true)) return "";
  if (std::string folder = variable("PULLBACK_CACHE_DIR"); !folder.empty()) return folder;
  if (const std::string base = variable("XDG_CACHE_HOME"); !base.empty()) return base + "/pullback";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/pullback";
  return "";
}

std::uint64_t mebibytes(const char* name, std::uint64_t by_default) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 20;
  const std::string text = variable(name);
  if (text.empty()) return by_default << 20;
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || number > kMost)
    throw Error(std::string(name) + ": '" + text + "' is not a number of MiB from 0 to " + std::to_string(kMost));
  return number << 20;
}

}  // namespace

Environment read_environment() {
  Environment result;
  result.dump_dir = variable("PULLBACK_DUMP_DIR");
  result.dump = stages("PULLBACK_DUMP", result.dump_dir.empty() ? "" : "all");
  result.verify = flag("PULLBACK_VERIFY");
  result.time = flag("PULLBACK_TIME");
  result.profile = flag("PULLBACK_PROFILE");
  result.cache_dir = cache_folder();
  result.cache_bytes = mebibytes("PULLBACK_CACHE_SIZE", 256);
  result.tune = flag("PULLBACK_TUNE");
  result.codegen_library = variable("PULLBACK_CODEGEN");
  return result;
}

}  // namespace pullback
