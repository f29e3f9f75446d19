// Errors from deep inside get the line of the user's call.
#pragma once

#include <utility>

#include <pullback/error.h>

namespace pullback::runtime {

/// action(); an Error that knows no line gets this one: a SourceLine, or a location that becomes one when it is needed.
template <class Line, class Action>
auto with_line(const Line& line, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    if (error.where().known()) throw;
    throw Error(error.what(), SourceLine(line));
  }
}

}  // namespace pullback::runtime
