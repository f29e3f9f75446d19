// What an update is known by on disk. Structs are taken apart member by member, so that a new member that is forgotten
// here does not compile.
#include <type_traits>

#include "compiler/driver/update.h"
#include "compiler/frontend/optimizers.h"
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
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// A schedule that leaves the rate alone and feeds nothing.
bool is_none(const Schedule& schedule) {
  return schedule.empty() && !schedule.momentum && schedule.fed.empty() && !schedule.end && !schedule.plateau &&
         !schedule.counts_epochs;
}

}  // namespace

std::optional<std::string> update_identity(const UpdateSpec& spec) {
  const auto& [options, prefix, loss_scale, group_of_parameter, where] = spec;  // `where` is of a schedule's check
  // Loss, metrics and frozen parameters are the step's, as is the precision; the scale of the loss is the spec's.
  const auto& [loss, optimizer, metrics, schedule, clip_norm, clip_value, accumulate, ema, asked_scale, groups, freeze,
               gradient_norm, name, compile] = options;
  const auto* rule = optimizer.rule.target<detail::KnownRule>();
  if (!rule || !is_none(schedule)) return std::nullopt;
  IdentityWriter writer;
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
