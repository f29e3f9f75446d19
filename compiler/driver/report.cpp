#include "compiler/driver/report.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"
#include "compiler/ops/flop.h"

namespace pullback::driver {

namespace {

std::int64_t calls_in(const std::vector<schedule::Step>& steps) {
  std::int64_t calls = 0;
  for (const schedule::Step& step : steps) {
    if (std::holds_alternative<schedule::KernelCall>(step.action)) ++calls;
    if (const auto* branch = std::get_if<schedule::Branch>(&step.action))
      calls += std::max(calls_in(branch->then_steps), calls_in(branch->else_steps));
    if (const auto* loop = std::get_if<schedule::Loop>(&step.action))
      calls += (calls_in(loop->condition) + calls_in(loop->body)) * std::max<std::int64_t>(loop->trips, 1);
  }
  return calls;
}

}  // namespace

StepCost cost_of(const ir::Function& function, const schedule::Module& module) {
  StepCost cost;
  const ops::FlopCount flop = ops::flop_of(function.body);
  cost.flop = flop.nominal;
  cost.flop_in_bounds = flop.in_bounds;
  cost.arena_bytes = module.arena_bytes;
  cost.live_bytes = module.live_bytes;
  cost.scratch_bytes = module.scratch_bytes;
  cost.kernel_calls = calls_in(module.body);
  for (const schedule::Slot& slot : module.slots) {
    const std::int64_t bytes = std::accumulate(slot.dims.begin(), slot.dims.end(),
                                               static_cast<std::int64_t>(size_of(slot.dtype)), std::multiplies<>());
    (slot.role == schedule::SlotRole::state   ? cost.state_bytes
     : slot.role == schedule::SlotRole::input ? cost.input_bytes
                                              : cost.output_bytes) += bytes;
  }
  return cost;
}

std::string profile_table(const schedule::Module& module, const runtime::Profile& profile) {
  const std::vector<const schedule::KernelCall*> calls = schedule::calls_of(module);
  std::vector<std::size_t> order(profile.calls.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return profile.calls[a].ticks > profile.calls[b].ticks; });
  double ticks = 0;
  for (const runtime::CallProfile& call : profile.calls) ticks += static_cast<double>(call.ticks);
  const double steps = static_cast<double>(std::max<std::int64_t>(profile.steps, 1));
  const double step_us = profile.seconds / steps * 1e6;
  std::string text = fmt::format("{}: {} steps, {:.2f} us each\n{:>10} {:>6} {:>7} {:>8} {:>6}  {}\n", module.name,
                                 profile.steps, step_us, "us/step", "%", "runs", "KiB", "kernel", "what");
  for (const std::size_t i : order) {
    const double share = ticks > 0 ? static_cast<double>(profile.calls[i].ticks) / ticks : 0;
    std::int64_t bytes = 0;
    for (const std::size_t argument : calls[i]->arguments) bytes += module.buffers[argument].bytes();
    text += fmt::format("{:10.2f} {:6.1f} {:7.0f} {:8} {:>6}  {}\n", share * step_us, 100 * share,
                        static_cast<double>(profile.calls[i].runs) / steps, bytes >> 10,
                        fmt::format("k{}", calls[i]->kernel), calls[i]->what);
  }
  return text;
}

}  // namespace pullback::driver
