#include "runtime/environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <thread>

#include <pullback/error.h>

namespace pullback::runtime {

int thread_count() {
  constexpr int most = 1024;
  const char* variable = std::getenv("PULLBACK_THREADS");
  const std::string text = variable ? variable : "";
  if (text.empty()) return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most);
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failure != std::errc() || end != text.data() + text.size() || count < 1 || count > most)
    throw Error("PULLBACK_THREADS: '" + text + "' is not a number from 1 to " + std::to_string(most));
  return count;
}

}  // namespace pullback::runtime
