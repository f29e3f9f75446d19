// Where warnings go.
#include "compiler/frontend/warnings.h"

#include <cstdio>
#include <mutex>
#include <utility>

#include <pullback/graph.h>

namespace pullback {

static std::mutex sink_mutex;

static WarningSink& current_sink() {
  static WarningSink sink = [](const std::string& message) {
    std::fprintf(stderr, "pullback: warning: %s\n", message.c_str());
  };
  return sink;
}

WarningSink set_warning_sink(WarningSink sink) {
  const std::lock_guard lock(sink_mutex);
  return std::exchange(current_sink(), std::move(sink));
}

namespace detail {

void warn(const std::string& message) {
  WarningSink sink;
  {
    const std::lock_guard lock(sink_mutex);
    sink = current_sink();
  }
  if (sink) sink(message);
}

}  // namespace detail

}  // namespace pullback
