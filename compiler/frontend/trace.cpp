#include "compiler/frontend/trace.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/frontend/operands.h"
#include "compiler/ops/registry.h"

namespace pullback::detail {

Trace::Trace(std::string name)
    : name_(std::move(name)), function_(std::make_unique<ir::Function>()), root_(&function_->body) {
  function_->name = name_;
}

Trace::Trace(ir::Builder& builder)
    : name_(builder.location->origin),
      root_(&builder.region()),
      role_(builder.location->role),
      origin_(builder.location->origin),
      scope_(builder.location->scope) {}

ir::Builder Trace::builder_at(const SourceLine& line) {
  ir::Builder builder(frames_.empty() ? *root_ : *frames_.back()->region);
  const ir::Location& last = *location_;
  if (!(last.line == line && last.scope == scope_ && last.role == role_ && last.origin == origin_))
    location_ = ir::Location{line, scope_, role_, origin_};
  builder.location = location_;
  if (frames_.empty()) builder.known = known_.get();
  return builder;
}

// Notes where a new value belongs.
ir::Value* Trace::settle(ir::Value* value) {
  // A region that was abandoned may have had a value at this address.
  if (!home_.empty()) home_.erase(value);
  if (!frames_.empty()) home_[value] = frames_.back()->id;
  return value;
}

ir::Value* Trace::append(const ops::OpDef& def, std::vector<ir::Value*> operands, ir::Attributes attributes,
                         const SourceLine& line) {
  return settle(builder_at(line).value(def, std::move(operands), std::move(attributes)));
}

std::vector<Tensor> Trace::create_all(std::string_view name, const std::vector<Tensor>& operands,
                                      ir::Attributes attributes, const SourceLine& line,
                                      std::vector<std::unique_ptr<ir::Region>> regions) {
  const ops::OpDef* def = ops::registry().find(name);
  if (!def) throw InternalError(fmt::format("frontend: there is no op {}", name));
  std::vector<ir::Value*> values;
  for (const Tensor& operand : operands) values.push_back(import(operand, name, line));
  const ir::Op* op = builder_at(line).create(*def, std::move(values), std::move(attributes), std::move(regions));
  std::vector<Tensor> results;
  for (const auto& result : op->results) results.push_back(adopt(result.get()));
  return results;
}

Tensor Trace::emit(std::string_view op, const std::vector<Tensor>& operands, const SourceLine& line,
                   const Writer& write) {
  ir::Builder builder = builder_at(line);
  std::vector<ops::Value> values;
  for (const Tensor& operand : operands) values.emplace_back(builder, import(operand, op, line));
  return adopt(write(builder, values).value);
}

std::vector<Tensor> Trace::emit_all(std::string_view op, const std::vector<Tensor>& operands, const SourceLine& line,
                                    const ListWriter& write) {
  std::vector<ir::Value*> values;
  for (const Tensor& operand : operands) values.push_back(import(operand, op, line));
  ir::Builder builder = builder_at(line);
  const std::size_t first = builder.region().ops.size();
  const std::vector<ir::Value*> written = write(builder, values);
  for (std::size_t i = first; i < builder.region().ops.size(); ++i)  // all of it, not only what is returned
    for (const auto& result : builder.region().ops[i]->results) adopt(result.get());
  std::vector<Tensor> results;
  for (ir::Value* value : written) results.push_back(wrap(value));
  return results;
}

static bool is_identifier(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; };
  return !name.empty() && letter(name.front()) && name.back() != '.' && std::all_of(name.begin(), name.end(), rest);
}

Tensor Trace::add_argument(const std::string& name, ir::Type type, ir::ArgumentRole role, const SourceLine& line) {
  if (!is_identifier(name))
    throw Error(
        fmt::format("'{}' is no name for a tensor: letters, digits, '_' and '.', beginning with a letter", name), line);
  for (const auto& argument : function_->body.arguments)
    if (argument->name == name)
      throw Error(fmt::format("the graph {} already has a tensor named {}", name_, name), line);
  ir::Value* argument = function_->add_argument(std::move(type), name, role);
  home_.erase(argument);
  return wrap(argument);
}

std::size_t Trace::frame_of(const ir::Value* value, std::string_view op, const SourceLine& line) const {
  const auto home = home_.find(value);
  if (home == home_.end()) return 0;
  const auto frame =
      std::find_if(frames_.begin(), frames_.end(), [&](const Frame* f) { return f->id == home->second; });
  if (frame == frames_.end())
    throw Error(fmt::format("{}: a {} belongs to a branch or block that has ended: return it from there", op,
                            ir::to_string(value->type)),
                line);
  return static_cast<std::size_t>(frame - frames_.begin()) + 1;
}

ir::Value* Trace::import(const Tensor& tensor, std::string_view op, const SourceLine& line) {
  if (!tensor.defined()) throw Error(fmt::format("{}: an operand is an undefined tensor", op), line);
  if (tensor.trace().get() != this)
    throw Error(fmt::format("{}: its operands belong to two graphs, {} and {}", op, name(), tensor.trace()->name()),
                line);
  ir::Value* value = tensor.value();
  for (std::size_t i = frame_of(value, op, line); i < frames_.size(); ++i) value = capture(*frames_[i], value);
  return value;
}

ir::Value* Trace::capture(Frame& frame, ir::Value* outer) {
  const auto known = std::find(frame.captures.begin(), frame.captures.end(), outer);
  if (known != frame.captures.end())
    return frame.region->arguments[frame.first_capture + static_cast<std::size_t>(known - frame.captures.begin())]
        .get();
  frame.captures.push_back(outer);
  ir::Value* argument = frame.region->add_argument(outer->type, outer->name);
  home_[argument] = frame.id;
  return argument;
}

Tensor Trace::training_flag() {
  if (forced_training) return fill(*this, boolean, {}, *forced_training ? 1 : 0, {});
  if (!training) training = add_argument("training", {boolean, {}}, ir::ArgumentRole::input, {}).value();
  return wrap(training);
}

StateTensor* Trace::find_state(const ir::Value* value) {
  const auto found = std::find_if(state_tensors.begin(), state_tensors.end(),
                                  [&](const StateTensor& tensor) { return tensor.value == value; });
  return found == state_tensors.end() ? nullptr : &*found;
}

void Trace::begin_region(Frame& frame) {
  frame.first_capture = frame.region->arguments.size() - frame.captures.size();
  for (const auto& argument : frame.region->arguments) home_[argument.get()] = frame.id;
  frames_.push_back(&frame);
}

void Trace::end_region() {
  frames_.pop_back();
}

std::vector<Tensor> Trace::loop_counters() {
  std::vector<Tensor> counters;
  for (const Frame* frame : frames_)
    if (frame->counter) counters.push_back(wrap(frame->counter));
  return counters;
}

Pin::Pin(Trace* trace, const SourceLocation& where) : trace_(trace) {
  if (!trace_) return;
  if (trace_->pinned_ == 0) trace_->pin_ = SourceLine(where);
  ++trace_->pinned_;
}

Pin::~Pin() {
  if (trace_) --trace_->pinned_;
}

ScopeGuard::ScopeGuard(Trace& trace, const std::string& name, bool whole) : trace_(trace), previous_(trace.scope_) {
  trace_.scope_ = whole ? name : trace_.scoped(name);
}

ScopeGuard::~ScopeGuard() {
  trace_.scope_ = std::move(previous_);
}

}  // namespace pullback::detail
