// Error's message carries the user's line at its end.
#include <pullback/error.h>

namespace pullback {

namespace {

std::string base_name(const std::string& path) {
  const std::size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string text_with_line(const std::string& message, const SourceLine& where) {
  return where.known() ? message + " (" + where.to_string() + ")" : message;
}

}  // namespace

SourceLine::SourceLine(const std::source_location& location)
    : file(base_name(location.file_name())), line(static_cast<int>(location.line())) {}

std::string SourceLine::to_string() const {
  return known() ? file + ":" + std::to_string(line) : std::string();
}

Error::Error(const std::string& message, SourceLine where)
    : std::runtime_error(text_with_line(message, where)), where_(std::move(where)) {}

}  // namespace pullback
