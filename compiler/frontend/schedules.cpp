// Schedules as formulas over f64 scalars; elementwise, so that a whole course can be computed at once.
#include <pullback/schedules.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/schedules.h"

namespace pullback {

namespace {

using Inputs = ScheduleInputs;
using detail::KnownFormula;

void require(bool good, const char* schedule, const std::string& problem, const SourceLocation& where) {
  if (!good) throw Error(fmt::format("{}: {}", schedule, problem), where);
}

void require_count(const char* schedule, const char* option, std::int64_t value, std::int64_t least,
                   const SourceLocation& where) {
  require(value >= least, schedule, fmt::format("{} is {}: it must be at least {}", option, value, least), where);
}

// A factor or rate that may not be negative.
void require_rate(const char* schedule, const char* option, double value, const SourceLocation& where) {
  require(value >= 0 && std::isfinite(value), schedule,
          fmt::format("{} is {}: it must be a finite number of at least 0", option, value), where);
}

void require_momenta(const char* schedule, double low, double high, const SourceLocation& where) {
  require(low >= 0 && high < 1, schedule,
          fmt::format("base_momentum is {} and max_momentum {}: they must lie in [0, 1)", low, high), where);
}

double real(std::int64_t n) {
  return static_cast<double>(n);
}

Tensor cosine_between(const Tensor& low, const Tensor& high, const Tensor& share) {
  return low + (high - low) * (1.0 + cos(std::numbers::pi * share)) / 2.0;
}

}  // namespace

Schedule::Schedule(const ConstantLR& constant, SourceLocation where) : name("ConstantLR") {
  require_rate("ConstantLR", "factor", constant.factor, where);
  require_count("ConstantLR", "total_iters", constant.total_iters, 0, where);
  rate = KnownFormula{[constant](const Inputs& in) {
    return pullback::where(in.time < real(constant.total_iters), in.base * constant.factor, in.base);
  }};
}

Schedule::Schedule(const StepLR& step, SourceLocation where) : name("StepLR") {
  require_count("StepLR", "step_size", step.step_size, 1, where);
  require_rate("StepLR", "gamma", step.gamma, where);
  rate = KnownFormula{
      [step](const Inputs& in) { return in.base * pow(step.gamma, floor(in.time / real(step.step_size))); }};
}

Schedule::Schedule(const MultiStepLR& multi, SourceLocation where) : name("MultiStepLR") {
  for (const std::int64_t milestone : multi.milestones)
    require_count("MultiStepLR", "a milestone", milestone, 0, where);
  require_rate("MultiStepLR", "gamma", multi.gamma, where);
  rate = KnownFormula{[multi](const Inputs& in) {
    Tensor reached = in.time * 0.0;
    for (const std::int64_t milestone : multi.milestones) reached = reached + cast(in.time >= real(milestone), f64);
    return in.base * pow(multi.gamma, reached);
  }};
}

Schedule::Schedule(const ExponentialLR& exponential, SourceLocation where) : name("ExponentialLR") {
  require_rate("ExponentialLR", "gamma", exponential.gamma, where);
  rate = KnownFormula{[exponential](const Inputs& in) { return in.base * pow(exponential.gamma, in.time); }};
}

Schedule::Schedule(const LinearLR& linear, SourceLocation where) : name("LinearLR") {
  require_rate("LinearLR", "start_factor", linear.start_factor, where);
  require_rate("LinearLR", "end_factor", linear.end_factor, where);
  require_count("LinearLR", "total_iters", linear.total_iters, 1, where);
  rate = KnownFormula{[linear](const Inputs& in) {
    const Tensor share = minimum(in.time, real(linear.total_iters)) / real(linear.total_iters);
    return in.base * (linear.start_factor + (linear.end_factor - linear.start_factor) * share);
  }};
}

Schedule::Schedule(const PolynomialLR& polynomial, SourceLocation where) : name("PolynomialLR") {
  require_count("PolynomialLR", "total_iters", polynomial.total_iters, 1, where);
  require_rate("PolynomialLR", "power", polynomial.power, where);
  rate = KnownFormula{[polynomial](const Inputs& in) {
    const Tensor left = 1.0 - minimum(in.time, real(polynomial.total_iters)) / real(polynomial.total_iters);
    return in.base * pow(left, polynomial.power);
  }};
}

Schedule::Schedule(const CosineAnnealingLR& cosine, SourceLocation where) : name("CosineAnnealingLR") {
  require_count("CosineAnnealingLR", "T_max", cosine.T_max, 1, where);
  require_rate("CosineAnnealingLR", "eta_min", cosine.eta_min, where);
  rate = KnownFormula{[cosine](const Inputs& in) {
    const Tensor low = in.base * 0.0 + cosine.eta_min;
    return cosine_between(low, in.base, in.time / real(cosine.T_max));
  }};
}

// Restart n is at T_0 * (T_mult^n - 1) / (T_mult - 1). The logarithm gives n up to rounding; two comparisons mend it.
static Tensor share_since_restart(const Tensor& time, const CosineAnnealingWarmRestarts& restarts) {
  const double first = real(restarts.T_0), growth = real(restarts.T_mult);
  if (restarts.T_mult == 1) return (time - first * floor(time / first)) / first;
  const auto length_of = [&](const Tensor& n) { return round_even(pow(growth, n)); };
  const auto start_of = [&](const Tensor& n) { return (length_of(n) - 1.0) * first / (growth - 1); };
  Tensor n = floor(log(time * ((growth - 1) / first) + 1.0) / std::log(growth));
  n = n + cast(time >= start_of(n + 1.0), f64);
  n = n - cast(time < start_of(n), f64);
  return (time - start_of(n)) / (length_of(n) * first);
}

Schedule::Schedule(const CosineAnnealingWarmRestarts& restarts, SourceLocation where)
    : name("CosineAnnealingWarmRestarts") {
  require_count("CosineAnnealingWarmRestarts", "T_0", restarts.T_0, 1, where);
  require_count("CosineAnnealingWarmRestarts", "T_mult", restarts.T_mult, 1, where);
  require_rate("CosineAnnealingWarmRestarts", "eta_min", restarts.eta_min, where);
  rate = KnownFormula{[restarts](const Inputs& in) {
    const Tensor low = in.base * 0.0 + restarts.eta_min;
    return cosine_between(low, in.base, share_since_restart(in.time, restarts));
  }};
}

// A course of phases: each goes from one value to the next until its last step.
namespace {
struct Phase {
  double last, from, to;
};

Tensor through_phases(const Tensor& time, const std::vector<Phase>& phases, Anneal strategy) {
  Tensor value;
  for (std::size_t i = phases.size(); i-- > 0;) {
    const Phase& phase = phases[i];
    const double start = i == 0 ? 0 : phases[i - 1].last;
    const Tensor share = phase.last == start ? time * 0.0 + 1.0 : (time - start) / (phase.last - start);
    const Tensor here = strategy == Anneal::linear
                            ? (phase.to - phase.from) * share + phase.from
                            : phase.to + (phase.from - phase.to) / 2 * (cos(std::numbers::pi * share) + 1.0);
    value = value.defined() ? pullback::where(time <= phase.last, here, value) : here;
  }
  return value;
}
}  // namespace

static std::int64_t check_one_cycle(const OneCycleLR& cycle, const SourceLocation& where) {
  constexpr const char* kName = "OneCycleLR";
  const std::int64_t total = cycle.total_steps != 0 ? cycle.total_steps : cycle.epochs * cycle.steps_per_epoch;
  require(total >= 1, kName,
          fmt::format("total_steps is {}, epochs {} and steps_per_epoch {}: give the number of steps",
                      cycle.total_steps, cycle.epochs, cycle.steps_per_epoch),
          where);
  require(cycle.max_lr > 0 && std::isfinite(cycle.max_lr), kName,
          fmt::format("max_lr is {}: it must be a number above 0", cycle.max_lr), where);
  require(cycle.pct_start >= 0 && cycle.pct_start <= 1, kName,
          fmt::format("pct_start is {}: it must lie in [0, 1]", cycle.pct_start), where);
  require(cycle.div_factor > 0 && cycle.final_div_factor > 0, kName,
          fmt::format("div_factor is {} and final_div_factor {}: they must be above 0", cycle.div_factor,
                      cycle.final_div_factor),
          where);
  if (cycle.cycle_momentum) require_momenta(kName, cycle.base_momentum, cycle.max_momentum, where);
  return total;
}

Schedule::Schedule(const OneCycleLR& cycle, SourceLocation where) : name("OneCycleLR") {
  end = check_one_cycle(cycle, where);
  const double total = real(*end), initial = cycle.max_lr / cycle.div_factor, least = initial / cycle.final_div_factor;
  const double low = cycle.base_momentum, high = cycle.max_momentum, top = cycle.pct_start * total - 1;
  std::vector<Phase> rates{{top, initial, cycle.max_lr}}, momenta{{top, high, low}};
  if (cycle.three_phase) {
    rates.push_back({2 * cycle.pct_start * total - 2, cycle.max_lr, initial});
    momenta.push_back({2 * cycle.pct_start * total - 2, low, high});
  }
  rates.push_back({total - 1, cycle.three_phase ? initial : cycle.max_lr, least});
  momenta.push_back({total - 1, cycle.three_phase ? high : low, high});
  const Anneal strategy = cycle.anneal_strategy;
  rate = KnownFormula{[=](const Inputs& in) { return through_phases(in.time, rates, strategy); }};
  if (cycle.cycle_momentum)
    momentum = KnownFormula{[=](const Inputs& in) { return through_phases(in.time, momenta, strategy); }};
}

// How far t is between the low and the high value, in [0, 1], times the amplitude.
static Tensor cyclic_height(const CyclicLR& cyclic, const Tensor& time) {
  const double up = real(cyclic.step_size_up);
  const double down = cyclic.step_size_down == 0 ? up : real(cyclic.step_size_down);
  const double ratio = up / (up + down);
  const Tensor cycle = floor(1.0 + time / (up + down));
  const Tensor x = 1.0 + time / (up + down) - cycle;
  const Tensor height = pullback::where(x <= ratio, x / ratio, (x - 1.0) / (ratio - 1));
  switch (cyclic.mode) {
    case CyclicLR::Mode::triangular2:
      return height * pow(0.5, cycle - 1.0);
    case CyclicLR::Mode::exp_range:
      return height * pow(cyclic.gamma, time);
    default:
      return height;
  }
}

Schedule::Schedule(const CyclicLR& cyclic, SourceLocation where) : name("CyclicLR") {
  require_rate("CyclicLR", "base_lr", cyclic.base_lr, where);
  require_rate("CyclicLR", "max_lr", cyclic.max_lr, where);
  require_rate("CyclicLR", "gamma", cyclic.gamma, where);
  require_count("CyclicLR", "step_size_up", cyclic.step_size_up, 1, where);
  require_count("CyclicLR", "step_size_down", cyclic.step_size_down, 0, where);
  if (cyclic.cycle_momentum) require_momenta("CyclicLR", cyclic.base_momentum, cyclic.max_momentum, where);
  rate = KnownFormula{[cyclic](const Inputs& in) {
    return cyclic.base_lr + (cyclic.max_lr - cyclic.base_lr) * cyclic_height(cyclic, in.time);
  }};
  if (!cyclic.cycle_momentum) return;
  momentum = KnownFormula{[cyclic](const Inputs& in) {
    return cyclic.max_momentum - (cyclic.max_momentum - cyclic.base_momentum) * cyclic_height(cyclic, in.time);
  }};
}

Schedule::Schedule(const LambdaLR& lambda, SourceLocation where) : name("LambdaLR") {
  require(static_cast<bool>(lambda.lr_lambda), "LambdaLR", "there is no function: set .lr_lambda", where);
  rate = KnownFormula{[](const Inputs& in) { return in.base * in.fed.at(0); }};
  fed = {lambda.lr_lambda};
}

Schedule::Schedule(const ReduceLROnPlateau& reduce, SourceLocation where) : name("ReduceLROnPlateau") {
  constexpr const char* kName = "ReduceLROnPlateau";
  require(reduce.factor >= 0 && reduce.factor < 1, kName,
          fmt::format("factor is {}: it must lie in [0, 1)", reduce.factor), where);
  require_count(kName, "patience", reduce.patience, 0, where);
  require_count(kName, "cooldown", reduce.cooldown, 0, where);
  require_rate(kName, "threshold", reduce.threshold, where);
  require_rate(kName, "min_lr", reduce.min_lr, where);
  require_rate(kName, "epsilon", reduce.epsilon, where);
  rate = KnownFormula{[](const Inputs& in) { return in.base * in.fed.at(0); }};
  plateau = reduce;
}

// Children may be of any kind that depends on t alone.
static void check_children(const char* kind, const std::vector<Schedule>& children, const SourceLocation& where) {
  require(!children.empty(), kind, "there are no schedules in it", where);
  for (const Schedule& child : children) {
    require(!child.plateau, kind, "ReduceLROnPlateau cannot be part of it: it follows epochs, not steps", where);
    require(!child.counts_epochs, kind, fmt::format("{} counts epochs: call per_epoch() on the whole", child.name),
            where);
    require(!child.empty(), kind, "one of its schedules is empty", where);
  }
}

// The inputs of child i: its own t and its own part of what is fed.
namespace {
struct Child {
  Schedule schedule;
  std::int64_t start = 0;
  std::size_t first_fed = 0;

  Inputs inputs(const Inputs& in, const Tensor& base) const {
    const auto begin = in.fed.begin() + static_cast<std::ptrdiff_t>(first_fed);
    return {start == 0 ? in.time : in.time - real(start),
            base,
            {begin, begin + static_cast<std::ptrdiff_t>(schedule.fed.size())}};
  }
};
}  // namespace

/// `formula` of formulas, known if these are.
static Schedule::Formula made_of(const std::vector<Child>& children, Schedule::Formula formula) {
  const bool known = std::all_of(children.begin(), children.end(), [](const Child& child) {
    return detail::is_known(child.schedule.rate) && detail::is_known(child.schedule.momentum);
  });
  return known ? Schedule::Formula(KnownFormula{std::move(formula)}) : formula;
}

static void adopt(Schedule& parent, std::vector<Child>& children, const Schedule& schedule, std::int64_t start) {
  children.push_back({schedule, start, parent.fed.size()});
  for (const auto& function : schedule.fed)
    parent.fed.push_back([function, start](std::int64_t t) { return function(std::max<std::int64_t>(t - start, 0)); });
}

Schedule::Schedule(const SequentialLR& sequential, SourceLocation where) : name("SequentialLR") {
  check_children("SequentialLR", sequential.schedules, where);
  const std::vector<std::int64_t>& milestones = sequential.milestones;
  require(milestones.size() + 1 == sequential.schedules.size(), "SequentialLR",
          fmt::format("{} schedules need {} milestones, not {}", sequential.schedules.size(),
                      sequential.schedules.size() - 1, milestones.size()),
          where);
  std::vector<Child> children;
  std::size_t moving = 0;
  for (std::size_t i = 0; i < sequential.schedules.size(); ++i) {
    const Schedule& child = sequential.schedules[i];
    const std::int64_t start = i == 0 ? 0 : milestones[i - 1];
    const bool last = i == milestones.size();
    require(last || milestones[i] > start, "SequentialLR",
            fmt::format("the milestones {} do not rise from above 0", milestones), where);
    require(last || !child.end || start + *child.end >= milestones[i], "SequentialLR",
            fmt::format("{} ends after {} steps, before the milestone {}", child.name, child.end.value_or(0),
                        last ? 0 : milestones[i]),
            where);
    if (last && child.end) end = start + *child.end;
    moving += child.momentum ? 1 : 0;
    adopt(*this, children, child, start);
  }
  require(moving == 0 || moving == children.size(), "SequentialLR",
          "some of its schedules move the momentum and some do not; set .cycle_momentum = false", where);
  const auto combined = [children](Formula Schedule::* formula) {
    return [children, formula](const Inputs& in) {
      Tensor value = (children.front().schedule.*formula)(children.front().inputs(in, in.base));
      for (std::size_t i = 1; i < children.size(); ++i)
        value = pullback::where(in.time < real(children[i].start), value,
                                (children[i].schedule.*formula)(children[i].inputs(in, in.base)));
      return value;
    };
  };
  rate = made_of(children, combined(&Schedule::rate));
  if (moving > 0) momentum = made_of(children, combined(&Schedule::momentum));
}

Schedule::Schedule(const ChainedScheduler& chained, SourceLocation where) : name("ChainedScheduler") {
  check_children("ChainedScheduler", chained.schedulers, where);
  std::vector<Child> children;
  for (const Schedule& child : chained.schedulers) {
    if (child.end) end = std::min(end.value_or(*child.end), *child.end);
    const std::size_t offset = fed.size();
    if (child.momentum)
      momentum = made_of({{child, 0, offset}}, [child, offset](const Inputs& in) {
        return child.momentum(Child{child, 0, offset}.inputs(in, in.base));
      });
    adopt(*this, children, child, 0);
  }
  rate = made_of(children, [children](const Inputs& in) {
    Tensor value = in.base;
    for (const Child& child : children) value = child.schedule.rate(child.inputs(in, value));
    return value;
  });
}

Schedule Schedule::per_epoch() const {
  Schedule result = *this;
  result.counts_epochs = true;
  return result;
}

Schedule warm_up(std::int64_t steps, const Schedule& next, double start_factor, SourceLocation where) {
  require_count("warm_up", "steps", steps, 1, where);
  const Schedule rising(LinearLR{.start_factor = start_factor, .end_factor = 1, .total_iters = steps}, where);
  if (next.empty()) return rising;
  Schedule whole(SequentialLR{{rising, next}, {steps}}, where);
  return whole;
}

}  // namespace pullback
