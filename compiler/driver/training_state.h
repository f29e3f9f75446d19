// What a Trainer keeps in the graph's state beside the parameters, and what the host does with it between steps.
#pragma once

#include <string>
#include <vector>

#include <pullback/schedules.h>
#include <pullback/state.h>

#include "compiler/autodiff/step.h"
#include "compiler/frontend/trace.h"

namespace pullback::driver {

/// Adds the entries. Those that are there already go on when the last Trainer of this name had the same kind of
/// optimizer and asked for the same first value; else they begin anew. Throws Error when one has another type.
void add_training_state(detail::Trace& trace, const std::string& trainer, const std::string& optimizer,
                        const std::vector<autodiff::AddedState>& added, const SourceLine& line);

/// The host's part of a schedule. `prefix` is that of the entries.
class HostSchedule {
 public:
  HostSchedule(Schedule schedule, std::string prefix) : schedule_(std::move(schedule)), prefix_(std::move(prefix)) {}

  /// What it keeps in the state beside what the step reads.
  std::vector<autodiff::AddedState> added_states() const;
  bool feeds() const { return !schedule_.fed.empty(); }
  /// Writes what its functions give for the coming step.
  void feed(State& state) const;
  /// Counts an epoch.
  void end_epoch(State& state) const;
  /// For ReduceLROnPlateau: counts an epoch whose number was `value`; `name` tells in which direction it improves.
  void watch(State& state, const std::string& name, double value) const;

  const Schedule& schedule() const { return schedule_; }

 private:
  Schedule schedule_;
  std::string prefix_;
};

}  // namespace pullback::driver
