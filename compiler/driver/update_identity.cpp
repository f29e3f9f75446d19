// What an update is known by on disk. The options of a Trainer, of groups and of optimizers are taken apart member by
// member, so that a new member that is forgotten here does not compile.
#include <string>
#include <type_traits>

#include <pullback/graph.h>

#include "compiler/driver/update.h"
#include "compiler/frontend/optimizers.h"
#include "compiler/frontend/schedules.h"
#include "compiler/ir/canonical.h"
#include "compiler/support/fields.h"

namespace pullback::driver {

namespace {

class IdentityWriter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void add(T number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void add(const std::string& text) {
    add(text.size());
    bytes_ += text;
  }
  /// Of a number, or of a struct of numbers.
  template <class T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    if (!value) return;
    if constexpr (std::is_arithmetic_v<T>)
      add(*value);
    else
      for_each_field(*value, [this](const auto& field) { add(field); });
  }
  /// By the names and numbers that the step reads, and its formulas, which are Pullback's own, as ops. What the host
  /// computes is no part of it.
  void add(const Schedule& schedule, const SourceLine& line) {
    add(schedule.name);
    add(schedule.counts_epochs);
    const std::size_t fed = schedule.fed.size() + (schedule.plateau ? 1 : 0);
    add(fed);
    add(schedule.plateau.has_value());
    add(schedule.end);
    if (schedule.end) {  // of the check that it has not ended
      add(line.file);
      add(line.line);
    }
    for (const Schedule::Formula* formula : {&schedule.rate, &schedule.momentum}) {
      add(static_cast<bool>(*formula));
      if (*formula) add(ops_of(*formula, fed));
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  /// A formula reads a few scalars: writing it is the way to know it.
  static std::string ops_of(const Schedule::Formula& formula, std::size_t fed) {
    Graph graph("schedule");
    ScheduleInputs inputs{graph.input("time", f64, {}), graph.input("base", f64, {}), {}};
    for (std::size_t i = 0; i < fed; ++i) inputs.fed.push_back(graph.input(kFed + std::to_string(i), f64, {}));
    return ir::canonical_bytes(graph.function({formula(inputs)}).ir());
  }

  std::string bytes_;
};

}  // namespace

std::optional<std::string> update_identity(const UpdateSpec& spec) {
  const auto& [options, prefix, loss_scale, group_of_parameter, where] = spec;
  // Loss, metrics and frozen parameters are the step's, as is the precision; the scale of the loss is the spec's.
  const auto& [loss, optimizer, metrics, schedule, clip_norm, clip_value, accumulate, ema, asked_scale, groups, freeze,
               gradient_norm, name, compile] = options;
  const auto* rule = optimizer.rule.target<detail::KnownRule>();
  if (!rule || !detail::is_known(schedule.rate) || !detail::is_known(schedule.momentum)) return std::nullopt;
  IdentityWriter writer;
  try {
    writer.add(schedule, where);
  } catch (const Error&) {
    return std::nullopt;  // building the step meets it again
  }
  writer.add(optimizer.name);
  writer.add(optimizer.learning_rate);
  writer.add(rule->bytes);
  writer.add(prefix);
  writer.add(loss_scale);
  writer.add(clip_norm);
  writer.add(clip_value);
  writer.add(accumulate);
  writer.add(ema);
  writer.add(gradient_norm);
  writer.add(group_of_parameter.size());
  for (const auto& [parameter, group] : group_of_parameter) {
    writer.add(parameter);
    writer.add(group);
  }
  for (const ParameterGroup& group : groups) {
    const auto& [patterns, lr, lr_scale, weight_decay, frozen] = group;  // the names that fit are above
    writer.add(lr);
    writer.add(lr_scale);
    writer.add(weight_decay);
  }
  return writer.take();
}

}  // namespace pullback::driver
