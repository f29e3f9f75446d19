// Schedules by PyTorch's names and arguments.
#include <fmt/format.h>

#include "tests/golden/train/training.h"

namespace pullback::golden {
namespace {

struct ScheduleEntry {
  const char* name;
  const char* signature;  // without optimizer, last_epoch and verbose
  Schedule (*make)(const Arguments&);
};

Schedule one_cycle(const Arguments& a) {
  OneCycleLR options;
  options.max_lr = a.number("max_lr");
  options.total_steps = a.optional_integer("total_steps").value_or(0);
  options.epochs = a.optional_integer("epochs").value_or(0);
  options.steps_per_epoch = a.optional_integer("steps_per_epoch").value_or(0);
  options.pct_start = a.number("pct_start");
  if (a.text("anneal_strategy") != "cos" && a.text("anneal_strategy") != "linear")
    a.fail("anneal_strategy", "is '" + a.text("anneal_strategy") + "': it is not known");
  options.anneal_strategy = a.text("anneal_strategy") == "cos" ? Anneal::cosine : Anneal::linear;
  options.cycle_momentum = a.flag("cycle_momentum");
  options.base_momentum = a.number("base_momentum");
  options.max_momentum = a.number("max_momentum");
  options.div_factor = a.number("div_factor");
  options.final_div_factor = a.number("final_div_factor");
  options.three_phase = a.flag("three_phase");
  return options;
}

Schedule cyclic(const Arguments& a) {
  CyclicLR options;
  options.base_lr = a.number("base_lr");
  options.max_lr = a.number("max_lr");
  options.step_size_up = a.integer("step_size_up");
  options.step_size_down = a.optional_integer("step_size_down").value_or(0);
  const std::string& mode = a.text("mode");
  if (mode != "triangular" && mode != "triangular2" && mode != "exp_range")
    a.fail("mode", "is '" + mode + "': it is not known");
  options.mode = mode == "triangular"    ? CyclicLR::Mode::triangular
                 : mode == "triangular2" ? CyclicLR::Mode::triangular2
                                         : CyclicLR::Mode::exp_range;
  options.gamma = a.number("gamma");
  options.cycle_momentum = a.flag("cycle_momentum");
  options.base_momentum = a.number("base_momentum");
  options.max_momentum = a.number("max_momentum");
  if (a.given("scale_fn")) a.fail("scale_fn", "is not known");
  return options;
}

Schedule plateau(const Arguments& a) {
  ReduceLROnPlateau options;
  options.factor = a.number("factor");
  options.patience = static_cast<int>(a.integer("patience"));
  options.threshold = a.number("threshold");
  options.relative = a.text("threshold_mode") == "rel";
  options.cooldown = static_cast<int>(a.integer("cooldown"));
  options.min_lr = a.number("min_lr");
  options.epsilon = a.number("eps");
  options.monitor = {"loss", a.text("mode") == "max" ? Monitor::Goal::maximize : Monitor::Goal::minimize};
  return options;
}

constexpr ScheduleEntry kSchedules[] = {
    {"ConstantLR", "factor=0.3333333333333333, total_iters=5",
     [](const Arguments& a) -> Schedule { return ConstantLR{a.number("factor"), a.integer("total_iters")}; }},
    {"StepLR", "step_size, gamma=0.1",
     [](const Arguments& a) -> Schedule { return StepLR{a.integer("step_size"), a.number("gamma")}; }},
    {"MultiStepLR", "milestones, gamma=0.1",
     [](const Arguments& a) -> Schedule { return MultiStepLR{a.integers("milestones"), a.number("gamma")}; }},
    {"ExponentialLR", "gamma", [](const Arguments& a) -> Schedule { return ExponentialLR{a.number("gamma")}; }},
    {"LinearLR", "start_factor=0.3333333333333333, end_factor=1.0, total_iters=5",
     [](const Arguments& a) -> Schedule {
       return LinearLR{a.number("start_factor"), a.number("end_factor"), a.integer("total_iters")};
     }},
    {"PolynomialLR", "total_iters=5, power=1.0",
     [](const Arguments& a) -> Schedule { return PolynomialLR{a.integer("total_iters"), a.number("power")}; }},
    {"CosineAnnealingLR", "T_max, eta_min=0",
     [](const Arguments& a) -> Schedule { return CosineAnnealingLR{a.integer("T_max"), a.number("eta_min")}; }},
    {"CosineAnnealingWarmRestarts", "T_0, T_mult=1, eta_min=0",
     [](const Arguments& a) -> Schedule {
       return CosineAnnealingWarmRestarts{a.integer("T_0"), a.integer("T_mult"), a.number("eta_min")};
     }},
    {"OneCycleLR",
     "max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy='cos', "
     "cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, "
     "three_phase=False",
     one_cycle},
    {"CyclicLR",
     "base_lr, max_lr, step_size_up=2000, step_size_down=None, mode='triangular', gamma=1.0, scale_fn=None, "
     "scale_mode='cycle', cycle_momentum=True, base_momentum=0.8, max_momentum=0.9",
     cyclic},
    {"ReduceLROnPlateau",
     "mode='min', factor=0.1, patience=10, threshold=1e-4, threshold_mode='rel', cooldown=0, min_lr=0, eps=1e-8",
     plateau},
};

}  // namespace

Schedule build_schedule(const std::string& name, const Attributes& attributes, const Context& context) {
  if (name.empty()) return {};
  Attributes options;
  for (const auto& [key, value] : attributes)
    if (key != "last_epoch" && key != "verbose") options.emplace_back(key, value);
  for (const ScheduleEntry& entry : kSchedules)
    if (name == entry.name) return entry.make(bind_arguments(context, name, entry.signature, {}, options));
  throw Error(fmt::format("there is no schedule {}", name));
}

}  // namespace pullback::golden
