// Schedules: how the learning rate (and the momentum) moves from step to step.
//
// A schedule is evaluated inside the step from the counter in the state, in f64: nothing is compiled again, and a
// resumed run goes on where it was. Names, options and formulas are PyTorch's (torch.optim.lr_scheduler), in closed
// form. `t` is the number of steps (or, with per_epoch(), of epochs) that were done before, `base` the optimizer's
// learning rate. An option out of its range throws Error when the struct becomes a Schedule.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <pullback/fit.h>
#include <pullback/tensor.h>

namespace pullback {

class Schedule;

/// base * factor up to step total_iters, then base.
struct ConstantLR {
  double factor = 1.0 / 3;
  std::int64_t total_iters = 5;
};
/// base * gamma^floor(t / step_size).
struct StepLR {
  std::int64_t step_size = 0;
  double gamma = 0.1;
};
/// base * gamma^(number of milestones that t has reached).
struct MultiStepLR {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
};
/// base * gamma^t.
struct ExponentialLR {
  double gamma = 1;
};
/// base times a factor that moves straight from start_factor to end_factor in total_iters steps.
struct LinearLR {
  double start_factor = 1.0 / 3, end_factor = 1;
  std::int64_t total_iters = 5;
};
/// base * (1 - t / total_iters)^power, 0 from total_iters on.
struct PolynomialLR {
  std::int64_t total_iters = 5;
  double power = 1;
};
/// eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2 (Loshchilov and Hutter 2017); beyond T_max it rises
/// again.
struct CosineAnnealingLR {
  std::int64_t T_max = 0;
  double eta_min = 0;
};
/// The same, begun anew after T_0 steps, then after T_0 * T_mult, T_0 * T_mult^2, ... more.
struct CosineAnnealingWarmRestarts {
  std::int64_t T_0 = 0;
  std::int64_t T_mult = 1;
  double eta_min = 0;
};

enum class Anneal : std::uint8_t { cosine, linear };

/// From max_lr / div_factor up to max_lr within pct_start of all steps, then down to the first rate / final_div_factor;
/// three_phase goes down symmetrically first (Smith and Topin 2019). Momentum (beta1) moves the other way, from
/// max_momentum to base_momentum. `base` is not used. There is no step beyond the last: it throws Error.
struct OneCycleLR {
  double max_lr = 0;
  std::int64_t total_steps = 0;  ///< 0: epochs * steps_per_epoch
  std::int64_t epochs = 0, steps_per_epoch = 0;
  double pct_start = 0.3;
  Anneal anneal_strategy = Anneal::cosine;
  bool cycle_momentum = true;
  double base_momentum = 0.85, max_momentum = 0.95;
  double div_factor = 25, final_div_factor = 1e4;
  bool three_phase = false;
};
/// Back and forth between base_lr and max_lr in straight lines (Smith 2017); the amplitude stays (triangular), halves
/// with each cycle (triangular2), or shrinks by gamma with each step (exp_range). Momentum (beta1) moves the other way.
struct CyclicLR {
  enum class Mode : std::uint8_t { triangular, triangular2, exp_range };
  double base_lr = 0, max_lr = 0;
  std::int64_t step_size_up = 2000, step_size_down = 0;  ///< down 0: as up
  Mode mode = Mode::triangular;
  double gamma = 1;
  bool cycle_momentum = true;
  double base_momentum = 0.8, max_momentum = 0.9;
};
/// base * lr_lambda(t). The function runs on the host before each step.
struct LambdaLR {
  std::function<double(std::int64_t t)> lr_lambda;
};
/// Multiplies the rate by factor, down to min_lr, after more than `patience` epochs without improvement of the
/// monitored number (fit's validation loss, or what `monitor` says). An epoch improves when its number is better than
/// the best by `threshold`: of the best (relative) or by itself. After a reduction `cooldown` epochs are not counted.
/// Reductions by not more than epsilon are left out. Moves only between epochs: by fit() or Trainer::end_epoch().
struct ReduceLROnPlateau {
  double factor = 0.1;
  int patience = 10;
  double threshold = 1e-4;
  bool relative = true;  ///< PyTorch's threshold_mode "rel"; false: "abs"
  int cooldown = 0;
  double min_lr = 0;
  double epsilon = 1e-8;
  Monitor monitor = {};
};
/// schedules[i] holds from milestones[i-1] up to milestones[i], counting its own t from 0.
struct SequentialLR {
  std::vector<Schedule> schedules;
  std::vector<std::int64_t> milestones;  ///< one less than schedules, rising
};
/// Each schedule takes the rate of the one before it as its base: factors multiply.
struct ChainedScheduler {
  std::vector<Schedule> schedulers;
};

/// What a schedule's formula reads: f64 tensors that broadcast.
struct ScheduleInputs {
  Tensor time;  ///< t
  Tensor base;
  std::vector<Tensor> fed;  ///< Schedule::fed at t
};

/// Any schedule; an empty one leaves the rate alone.
class Schedule {
 public:
  using Formula = std::function<Tensor(const ScheduleInputs&)>;

  Schedule() = default;
  // NOLINTBEGIN(google-explicit-constructor): .schedule = StepLR{...}
  Schedule(const ConstantLR& constant, SourceLocation where = SourceLocation::current());
  Schedule(const StepLR& step, SourceLocation where = SourceLocation::current());
  Schedule(const MultiStepLR& multi, SourceLocation where = SourceLocation::current());
  Schedule(const ExponentialLR& exponential, SourceLocation where = SourceLocation::current());
  Schedule(const LinearLR& linear, SourceLocation where = SourceLocation::current());
  Schedule(const PolynomialLR& polynomial, SourceLocation where = SourceLocation::current());
  Schedule(const CosineAnnealingLR& cosine, SourceLocation where = SourceLocation::current());
  Schedule(const CosineAnnealingWarmRestarts& restarts, SourceLocation where = SourceLocation::current());
  Schedule(const OneCycleLR& one_cycle, SourceLocation where = SourceLocation::current());
  Schedule(const CyclicLR& cyclic, SourceLocation where = SourceLocation::current());
  Schedule(const LambdaLR& lambda, SourceLocation where = SourceLocation::current());
  Schedule(const ReduceLROnPlateau& plateau, SourceLocation where = SourceLocation::current());
  Schedule(const SequentialLR& sequential, SourceLocation where = SourceLocation::current());
  Schedule(const ChainedScheduler& chained, SourceLocation where = SourceLocation::current());
  // NOLINTEND(google-explicit-constructor)

  /// The same with t counting epochs: fit() counts them, and Trainer::end_epoch().
  Schedule per_epoch() const;
  /// The rates at t = 0 .. count-1, for a plot. Throws Error when the schedule ends before, or needs fit()'s numbers.
  std::vector<double> rates(double base, std::int64_t count) const;
  /// Momentum (beta1) likewise; empty when the schedule does not move it.
  std::vector<double> momenta(std::int64_t count) const;

  bool empty() const { return !rate; }

  std::string name;
  Formula rate;
  Formula momentum;                                             ///< empty: not moved
  std::vector<std::function<double(std::int64_t t)>> fed = {};  ///< numbers that the host gives with each step
  std::optional<std::int64_t> end;                              ///< t stays below it; nothing: no end
  std::optional<ReduceLROnPlateau> plateau;                     ///< its rate is fed between epochs
  bool counts_epochs = false;
};

/// From base * start_factor straight to base in `steps` steps, then `next`, counting its own t from 0.
Schedule warm_up(std::int64_t steps, const Schedule& next = {}, double start_factor = 0,
                 SourceLocation where = SourceLocation::current());

}  // namespace pullback
