// Programs: the compiled versions of a function, and steps with them.
#include <pullback/program.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/driver/program_impl.h"
#include "compiler/driver/report.h"
#include "compiler/ir/schedule.h"
#include "compiler/ir/text.h"

namespace pullback {

static std::string to_text(const Bindings& bindings) {
  std::vector<std::string> parts;
  for (const auto& [name, size] : bindings) parts.push_back(fmt::format("{} = {}", name, size));
  return parts.empty() ? "no symbols" : fmt::format("{}", fmt::join(parts, ", "));
}

std::shared_ptr<const driver::Specialization> Program::Impl::version_for(const Bindings& bindings) {
  const std::lock_guard lock(mutex);
  const auto known =
      std::find_if(versions.begin(), versions.end(), [&](const Version& v) { return v.bindings == bindings; });
  if (known != versions.end()) {
    std::rotate(versions.begin(), known, known + 1);
    return versions.front().code;
  }
  std::shared_ptr<const driver::Specialization> code = driver::compile(source, bindings, options);
  const auto limit = static_cast<std::size_t>(std::max(1, options.max_specializations));
  compilations.push_back(to_text(bindings));
  versions.push_front({bindings, code});
  if (versions.size() > limit) versions.pop_back();
  return code;
}

std::shared_ptr<const driver::Specialization> Program::Impl::latest(const char* what) {
  {
    const std::lock_guard lock(mutex);
    if (!versions.empty()) return versions.front().code;
  }
  if (const auto symbols = ir::symbols_of(declaration()); !symbols.empty())
    throw Error(fmt::format("{}: there is no {} yet: the sizes {} get their numbers with the first step",
                            declaration().name, what, fmt::join(symbols, ", ")));
  return version_for({});
}

static Program::Impl& checked(const std::shared_ptr<Program::Impl>& impl, const SourceLine& line = {}) {
  if (!impl) throw Error("this Program is empty: compile() gives one", line);
  return *impl;
}

const Array& Outputs::operator[](std::size_t i) const {
  if (i >= entries_.size())
    throw Error(fmt::format("there is no output {}: there are {}", static_cast<std::ptrdiff_t>(i), entries_.size()));
  return entries_[i].second;
}

const Array& Outputs::operator[](const std::string& name) const {
  for (const auto& [entry, array] : entries_)
    if (entry == name) return array;
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.first);
  throw Error(fmt::format("there is no output {}; outputs are {}", name, fmt::join(names, ", ")));
}

BoundStep driver::bind(const std::shared_ptr<Program::Impl>& impl, const std::vector<Feed>& feeds,
                       const SourceLine& line) {
  Program::Impl& program = checked(impl, line);
  driver::BoundInputs bound = driver::bind_inputs(program.declaration(), feeds, line);
  auto step = std::make_shared<BoundStep::Impl>();
  step->program = impl;
  step->code = detail::with_line(line, [&] { return program.version_for(bound.bindings); });
  std::vector<std::pair<std::string, Array>> outputs;
  auto input = bound.inputs.begin();
  for (const runtime::ExternalSlot& slot : step->code->slots) {
    Array array;
    switch (slot.role) {
      case runtime::SlotRole::input:
        array = *input++;
        break;
      case runtime::SlotRole::state:
        array = program.state->get(slot.name);
        break;
      case runtime::SlotRole::output:
        array = detail::with_line(line, [&] { return Array(slot.dtype, slot.dims, {}); });
        outputs.emplace_back(slot.name, array);
        break;
    }
    step->pointers.push_back(array.raw());
    step->held.push_back(std::move(array));
  }
  step->outputs = Outputs(std::move(outputs));
  program.finished_state();  // steps ask no more
  return BoundStep(std::move(step));
}

BoundStep Program::bind(const std::vector<Feed>& inputs, SourceLocation where) {
  return driver::bind(impl_, inputs, where);
}

Outputs Program::step(const std::vector<Feed>& inputs, SourceLocation where) {
  BoundStep bound = driver::bind(impl_, inputs, where);
  detail::with_line(where, [&] { bound.step(); });
  return bound.outputs();
}

void BoundStep::step() {
  if (impl_->program->before_step) impl_->program->before_step();
  impl_->code->run(impl_->pointers);
}

const Outputs& BoundStep::outputs() const {
  return impl_->outputs;
}

const std::string& Program::name() const {
  return checked(impl_).declaration().name;
}

std::vector<std::string> driver::input_names(const ir::Function& function) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < function.roles.size(); ++i)
    if (function.roles[i] == ir::ArgumentRole::input) names.push_back(function.body.arguments[i]->name);
  return names;
}

std::vector<std::string> driver::result_names(const ir::Function& function) {
  std::vector<std::string> names;
  for (const ir::FunctionResult& result : function.results)
    if (result.updates < 0) names.push_back(result.name);
  return names;
}

std::vector<std::string> Program::input_names() const {
  return driver::input_names(checked(impl_).declaration());
}

std::vector<std::string> Program::result_names() const {
  return driver::result_names(checked(impl_).declaration());
}

State& Program::state() {
  return checked(impl_).finished_state();
}

const State& Program::state() const {
  return checked(impl_).finished_state();
}

Array Program::get(const std::string& parameter, SourceLocation where) const {
  return state().get(parameter, where).clone();
}

void Program::set(const std::string& parameter, const Array& value, SourceLocation where) {
  state().set(parameter, value, where);
}

static std::string later_text(Program::Impl& program, Stage stage) {
  const auto code = program.latest("compiled version");
  const driver::Forms& forms = code->forms();
  if (stage == Stage::optimized) return ir::print(*forms.optimized());
  if (!forms.module)
    throw Error(
        fmt::format("{} runs on the reference evaluator: it has no schedule and no code", program.declaration().name));
  if (stage == Stage::schedule) return schedule::print(*forms.module);
  if (stage == Stage::kernel) return driver::kernel_text(*forms.module);
  driver::CodeText text = driver::code_text(*forms.module, program.options);
  return stage == Stage::llvm ? std::move(text.llvm) : std::move(text.assembly);
}

std::string Program::dump(Stage stage) const {
  Impl& program = checked(impl_);
  if (stage >= Stage::optimized) return later_text(program, stage);
  const auto known = program.earlier.find(stage);
  if (known != program.earlier.end()) return known->second();
  if (!program.earlier.empty())
    throw Error(fmt::format("{} has no such stage: it is no training step", program.declaration().name));
  return ir::print(*program.source->whole());
}

std::vector<StageTime> Program::compile_times() const {
  return checked(impl_).latest("compiled version")->times;
}

StepCost Program::cost() const {
  Impl& program = checked(impl_);
  const auto code = program.latest("compiled version");
  const driver::Forms& forms = code->forms();
  if (!forms.module)
    throw Error(fmt::format("{} runs on the reference evaluator: it has no plan", program.declaration().name));
  return driver::cost_of(*forms.optimized(), *forms.module);
}

std::string Program::profile() const {
  Impl& program = checked(impl_);
  const auto code = program.latest("compiled version");
  if (!code->profile)
    throw Error(
        fmt::format("{} was not compiled to be measured: set CompileOptions::profile", program.declaration().name));
  return code->profile();
}

std::vector<std::string> Program::compilations() const {
  Impl& program = checked(impl_);
  const std::lock_guard lock(program.mutex);
  return program.compilations;
}

}  // namespace pullback
