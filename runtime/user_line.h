// Errors from deep inside get the line of the user's call.
#pragma once

#include <utility>

#include <pullback/error.h>

namespace pullback::runtime {

/// action(); an Error that knows no line gets this one.
template <class Action>
auto with_line(const SourceLine& line, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    if (error.where().known()) throw;
    throw Error(error.what(), line);
  }
}

}  // namespace pullback::runtime
