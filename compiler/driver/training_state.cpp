#include "compiler/driver/training_state.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "compiler/driver/update.h"
#include "compiler/ir/text.h"
#include "runtime/monitor.h"

namespace pullback::driver {

namespace {

// Host entries of ReduceLROnPlateau.
constexpr const char* kBest = "schedule.best";             // f64
constexpr const char* kBadEpochs = "schedule.bad_epochs";  // i64
constexpr const char* kCooldown = "schedule.cooldown";     // i64: epochs left

Array first_values(detail::Trace& trace, const autodiff::AddedState& entry) {
  Array initial = runtime::lasting_array(entry.type.dtype, ir::static_dims(entry.type.shape));
  if (!entry.copy_of.empty()) {
    if (initial.bytes() > 0) std::memcpy(initial.raw(), trace.state()->get(entry.copy_of).raw(), initial.bytes());
    return initial;
  }
  if (entry.initial == 0 || initial.bytes() == 0) return initial;  // slots, which may be large, are zeros
  const ir::Literal literal = ir::Literal::filled(initial.dtype(), initial.dims(), entry.initial);
  std::memcpy(initial.raw(), literal.bytes.data(), initial.bytes());
  return initial;
}

void write(State& state, const std::string& name, double value) {
  state.set(name, Array::scalar(value));
}
void write(State& state, const std::string& name, std::int64_t value) {
  state.set(name, Array::scalar(value));
}
std::int64_t count(const State& state, const std::string& name) {
  return state.get(name).values<std::int64_t>()[0];
}

}  // namespace

void add_training_state(detail::Trace& trace, const std::string& trainer, const std::string& optimizer,
                        const std::vector<autodiff::AddedState>& added, const SourceLine& line) {
  State& state = *trace.growing_state;
  detail::TrainerRecord& record = trace.trainers[trainer];
  if (record.optimizer != optimizer) record = {optimizer, {}};
  for (const autodiff::AddedState& entry : added) {
    const auto earlier = record.initial.find(entry.name);
    const bool goes_on = earlier != record.initial.end() && earlier->second == entry.initial;
    record.initial[entry.name] = entry.initial;
    if (!state.contains(entry.name)) {
      const StateKind kind = entry.type.shape.empty() ? StateKind::counter : StateKind::slot;
      state.add(entry.name, kind, first_values(trace, entry));
      continue;
    }
    const Array there = state.get(entry.name);
    if (there.dtype() != entry.type.dtype || there.dims() != ir::static_dims(entry.type.shape))
      throw Error(fmt::format("Trainer: the state has a {} {}, but a {} is needed: give the Trainer a .name of its own",
                              entry.name, there.type_string(), ir::to_string(entry.type)),
                  line);
    if (!goes_on) state.set(entry.name, first_values(trace, entry));
  }
}

std::vector<autodiff::AddedState> HostSchedule::added_states() const {
  if (!schedule_.plateau) return {};
  const double infinity = std::numeric_limits<double>::infinity();
  return {{prefix_ + kBest, {f64, {}}, infinity}, {prefix_ + kBadEpochs, {i64, {}}}, {prefix_ + kCooldown, {i64, {}}}};
}

void HostSchedule::feed(State& state) const {
  const std::int64_t time = count(state, prefix_ + (schedule_.counts_epochs ? kEpoch : kStep));
  for (std::size_t i = 0; i < schedule_.fed.size(); ++i) {
    const double value = schedule_.fed[i](time);
    if (!std::isfinite(value))
      throw Error(fmt::format("{}: its function gives {} for t = {}", schedule_.name, value, time));
    write(state, fmt::format("{}{}{}", prefix_, kFed, i), value);
  }
}

void HostSchedule::end_epoch(State& state) const {
  if (schedule_.counts_epochs) write(state, prefix_ + kEpoch, count(state, prefix_ + kEpoch) + 1);
}

void HostSchedule::watch(State& state, const std::string& name, double value) const {
  if (!schedule_.plateau) return;
  const ReduceLROnPlateau& plateau = *schedule_.plateau;
  // Kept as a number to minimize, so that infinity is the worst for both directions.
  const double sign = runtime::larger_is_better(plateau.monitor, name) ? -1 : 1;
  const double best = state.get(prefix_ + kBest).item(), number = sign * value;
  const double margin = plateau.relative ? plateau.threshold * best * sign : plateau.threshold;
  std::int64_t bad = count(state, prefix_ + kBadEpochs), cooldown = count(state, prefix_ + kCooldown);
  if (std::isinf(best) ? number < best : number < best - margin) {
    write(state, prefix_ + kBest, number);
    bad = 0;
  } else {
    ++bad;
  }
  if (cooldown > 0) {
    --cooldown;
    bad = 0;
  }
  if (bad > plateau.patience) {
    const double base = state.get(prefix_ + kLearningRate).item();
    const double old_rate = base * state.get(prefix_ + kPlateauScale).item();
    const double new_rate = std::max(old_rate * plateau.factor, plateau.min_lr);
    if (old_rate - new_rate > plateau.epsilon) write(state, prefix_ + kPlateauScale, new_rate / base);
    cooldown = plateau.cooldown;
    bad = 0;
  }
  write(state, prefix_ + kBadEpochs, bad);
  write(state, prefix_ + kCooldown, cooldown);
}

}  // namespace pullback::driver
