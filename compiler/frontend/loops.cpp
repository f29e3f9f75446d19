// Loops: scan, which gradients run through; fori_loop and a bounded while_loop, which are scans; a while_loop without
// bound.
#include <fmt/format.h>

#include <pullback/control.h>
#include <pullback/elementwise.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"
#include "compiler/frontend/regions.h"

namespace pullback {

using detail::Trace;

namespace {

/// The graph that the tensors belong to.
Trace& trace_of(const char* op, const std::vector<Tensor>& first, const std::vector<Tensor>& second,
                const SourceLocation& where) {
  for (const std::vector<Tensor>* list : {&first, &second})
    for (const Tensor& tensor : *list) detail::require_defined(op, tensor, where);
  if (first.empty() && second.empty()) throw Error(fmt::format("{}: there is nothing to loop over", op), where);
  return *(first.empty() ? second : first).front().trace();
}

/// How often a scan runs: the leading sizes of xs, which agree, or what the options say.
Dim length_of(const std::vector<Tensor>& xs, const ScanOptions& options, const SourceLine& line) {
  std::optional<Dim> length = options.length;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (xs[i].rank() == 0)
      detail::fail("scan", fmt::format("xs[{}] is the scalar {}: it has no leading axis", i, xs[i].type_string()),
                   line);
    const Dim& size = xs[i].shape().front();
    if (length && !(*length == size))
      detail::fail("scan",
                   fmt::format("xs[{}] is {}, but {} is {}", i, xs[i].type_string(),
                               options.length ? "the length" : "the leading axis of xs[0]", length->to_string()),
                   line);
    length = size;
  }
  if (!length) detail::fail("scan", "there are no xs: give the length in the options", line);
  if (length->is_constant() && length->constant() < 0)
    detail::fail("scan", fmt::format("the length is {}", length->constant()), line);
  return *length;
}

/// Removes an argument that nothing in the region reads.
void remove_argument(ir::Region& region, std::size_t position) {
  region.arguments.erase(region.arguments.begin() + static_cast<std::ptrdiff_t>(position));
  for (std::size_t i = position; i < region.arguments.size(); ++i) region.arguments[i]->index = i;
}

bool is_read(const ir::Region& region, const ir::Value* value) {
  for (const auto& op : region.ops)
    for (const ir::Value* operand : op->operands)
      if (operand == value) return true;
  for (const ir::Value* result : region.results)
    if (result == value) return true;
  return false;
}

struct Loop {
  Trace& trace;
  SourceLine line;
  std::vector<Tensor> carry, xs;
  Dim length;
  bool reverse = false;
};

/// The body also takes the iteration's number: a slice of 0, 1, 2, ..., dropped when nothing reads it.
using NumberedBody = std::function<ScanResult(const Tensor& number, const std::vector<Tensor>& carry,
                                              const std::vector<Tensor>& slices)>;

ScanResult run_scan(const char* op, const Loop& loop, const NumberedBody& body) {
  Trace& trace = loop.trace;
  Trace::Frame frame(trace);
  for (const Tensor& carry : loop.carry) frame.region->add_argument(carry.value()->type, carry.name());
  for (const Tensor& x : loop.xs) {
    const ir::Type& type = x.value()->type;
    frame.region->add_argument({type.dtype, Shape(type.shape.begin() + 1, type.shape.end())}, x.name());
  }
  const std::size_t carries = loop.carry.size(), slices = loop.xs.size();
  ir::Value* number = frame.counter = frame.region->add_argument({i64, {}}, "i");
  std::size_t stacked = 0;
  detail::trace_region(trace, frame, op, loop.line, [&] {
    ScanResult given = body(trace.wrap(number), detail::arguments_of(trace, frame, 0, carries),
                            detail::arguments_of(trace, frame, carries, slices));
    detail::require_same_carries(op, loop.carry, given.carry, loop.line);
    stacked = given.ys.size();
    given.carry.insert(given.carry.end(), given.ys.begin(), given.ys.end());
    return given.carry;
  });

  std::vector<Tensor> operands = loop.carry;
  operands.insert(operands.end(), loop.xs.begin(), loop.xs.end());
  const bool numbered = is_read(*frame.region, number);
  if (numbered)
    operands.push_back(trace.emit(op, {}, loop.line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
      return ops::iota(b, i64, {loop.length}, 0);
    }));
  else
    remove_argument(*frame.region, number->index);
  for (ir::Value* outer : frame.captures) operands.push_back(trace.wrap(outer));
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(frame.region));
  const std::vector<Tensor> results =
      trace.create_all("scan", operands,
                       {{"length", Shape{loop.length}},
                        {"carries", static_cast<std::int64_t>(carries)},
                        {"slices", static_cast<std::int64_t>(slices + (numbered ? 1 : 0))},
                        {"reverse", loop.reverse}},
                       loop.line, std::move(regions));
  const auto middle = results.end() - static_cast<std::ptrdiff_t>(stacked);
  return {{results.begin(), middle}, {middle, results.end()}};
}

/// Calls the user's condition and checks what it gives.
Tensor condition_of(const LoopCondition& condition, const std::vector<Tensor>& carry, const SourceLine& line) {
  Tensor result = condition(carry);
  if (!result.defined() || result.dtype() != boolean || result.rank() != 0)
    detail::fail("while_loop",
                 fmt::format("the condition gives {}: a bool scalar is needed",
                             result.defined() ? result.type_string() : "an undefined tensor"),
                 line);
  return result;
}

/// Iterations after the last that is wanted do nothing.
std::vector<Tensor> bounded_while(const Loop& loop, const LoopCondition& condition, const LoopBody& body) {
  const auto step = [&](const Tensor&, const std::vector<Tensor>& carry, const std::vector<Tensor>&) -> ScanResult {
    const Branch go_on = [&] {
      std::vector<Tensor> next = body(carry);
      detail::require_same_carries("while_loop", carry, next, loop.line);
      return next;
    };
    return {cond(condition_of(condition, carry, loop.line), go_on, [&] { return carry; }), {}};
  };
  std::vector<Tensor> last = run_scan("while_loop", loop, step).carry;
  check(logical_not(condition_of(condition, last, loop.line)),
        fmt::format("while_loop: its condition still holds after max_trips = {} iterations", loop.length.to_string()));
  return last;
}

std::vector<Tensor> unbounded_while(const Loop& loop, const LoopCondition& condition, const LoopBody& body) {
  Trace& trace = loop.trace;
  Trace::Frame test(trace), step(trace);
  const std::size_t carries = loop.carry.size();
  for (Trace::Frame* frame : {&test, &step}) {
    for (const Tensor& carry : loop.carry) frame->region->add_argument(carry.value()->type, carry.name());
    frame->counter = frame->region->add_argument({i64, {}}, "i");
  }
  const auto carry_of = [&](const Trace::Frame& frame) { return detail::arguments_of(trace, frame, 0, carries); };
  detail::trace_region(trace, test, "while_loop", loop.line,
                       [&] { return std::vector{condition_of(condition, carry_of(test), loop.line)}; });
  // Both regions take all that either of them captured, in one order.
  for (ir::Value* outer : test.captures) trace.capture(step, outer);
  detail::trace_region(trace, step, "while_loop", loop.line, [&] {
    std::vector<Tensor> next = body(carry_of(step));
    detail::require_same_carries("while_loop", loop.carry, next, loop.line);
    next.push_back(trace.wrap(step.counter) + 1);
    return next;
  });
  for (ir::Value* outer : step.captures) trace.capture(test, outer);

  std::vector<Tensor> operands = loop.carry;
  operands.push_back(detail::fill(trace, i64, {}, 0, loop.line));
  for (ir::Value* outer : step.captures) operands.push_back(trace.wrap(outer));
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(test.region));
  regions.push_back(std::move(step.region));
  std::vector<Tensor> results = trace.create_all(
      "while", operands, {{"carries", static_cast<std::int64_t>(carries + 1)}}, loop.line, std::move(regions));
  results.pop_back();  // the counter
  return results;
}

}  // namespace

ScanResult scan(const std::vector<Tensor>& carry, const std::vector<Tensor>& xs, const ScanBody& body,
                const ScanOptions& options, SourceLocation where) {
  Trace& trace = trace_of("scan", carry, xs, where);
  const SourceLine line = trace.line(where);
  detail::require_function("scan", "body", body, line);
  const Loop loop{trace, line, carry, xs, length_of(xs, options, line), options.reverse};
  return run_scan("scan", loop, [&](const Tensor&, const std::vector<Tensor>& c, const std::vector<Tensor>& x) {
    return body(c, x);
  });
}

std::vector<Tensor> fori_loop(const Dim& trips, const std::vector<Tensor>& carry, const ForBody& body,
                              SourceLocation where) {
  Trace& trace = trace_of("fori_loop", carry, {}, where);
  if (trips.is_constant() && trips.constant() < 0)
    detail::fail("fori_loop", fmt::format("{} trips are asked for", trips.constant()), trace.line(where));
  detail::require_function("fori_loop", "body", body, trace.line(where));
  const Loop loop{trace, trace.line(where), carry, {}, trips};
  return run_scan("fori_loop", loop,
                  [&](const Tensor& i, const std::vector<Tensor>& c, const std::vector<Tensor>&) -> ScanResult {
                    return {body(i, c), {}};
                  })
      .carry;
}

std::vector<Tensor> while_loop(const std::vector<Tensor>& carry, const LoopCondition& condition, const LoopBody& body,
                               const WhileOptions& options, SourceLocation where) {
  Trace& trace = trace_of("while_loop", carry, {}, where);
  detail::Pin pin(&trace, where);
  const SourceLine line = trace.line(where);
  if (options.max_trips && options.max_trips->is_constant() && options.max_trips->constant() < 0)
    detail::fail("while_loop", fmt::format("max_trips is {}", options.max_trips->constant()), line);
  detail::require_function("while_loop", "condition", condition, line);
  detail::require_function("while_loop", "body", body, line);
  const Loop loop{trace, line, carry, {}, options.max_trips.value_or(0)};
  return options.max_trips ? bounded_while(loop, condition, body) : unbounded_while(loop, condition, body);
}

}  // namespace pullback
