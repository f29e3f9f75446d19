#include "compiler/frontend/regions.h"

#include <fmt/format.h>

#include "compiler/frontend/operands.h"

namespace pullback::detail {

std::vector<Tensor> trace_region(Trace& trace, Trace::Frame& frame, const char* op, const SourceLine& line,
                                 const std::function<std::vector<Tensor>()>& body) {
  struct Open {
    Trace& trace;
    Open(Trace& t, Trace::Frame& f) : trace(t) { trace.begin_region(f); }
    ~Open() { trace.end_region(); }
  } open(trace, frame);
  std::vector<Tensor> results = body();
  for (const Tensor& result : results) frame.region->results.push_back(trace.import(result, op, line));
  return results;
}

std::string types_of(const std::vector<Tensor>& tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) text += (text.empty() ? "" : ", ") + tensor.type_string();
  return text.empty() ? "nothing" : text;
}

std::vector<Tensor> arguments_of(Trace& trace, const Trace::Frame& frame, std::size_t first, std::size_t count) {
  std::vector<Tensor> arguments;
  for (std::size_t i = first; i < first + count; ++i) arguments.push_back(trace.wrap(frame.region->arguments[i].get()));
  return arguments;
}

void require_same_carries(const char* op, const std::vector<Tensor>& before, const std::vector<Tensor>& after,
                          const SourceLine& line) {
  if (before.size() != after.size())
    fail(op, fmt::format("there are {} carries, but the body returns {}", before.size(), after.size()), line);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!after[i].defined()) fail(op, fmt::format("the body returns an undefined tensor as carry {}", i), line);
    if (before[i].value()->type == after[i].value()->type) continue;
    fail(op,
         fmt::format("carry {}{} is {}, the body makes it {}: a carry keeps its type", i,
                     before[i].name().empty() ? "" : " " + before[i].name(), before[i].type_string(),
                     after[i].type_string()),
         line);
  }
}

}  // namespace pullback::detail
