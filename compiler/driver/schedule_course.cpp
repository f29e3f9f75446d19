// The course of a schedule, computed as one tensor by the reference evaluator.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <pullback/graph.h>
#include <pullback/schedules.h>

namespace pullback {

static std::vector<double> course(const Schedule& schedule, const Schedule::Formula& formula, double base,
                                  std::int64_t count) {
  if (!formula || count <= 0) return {};
  if (schedule.plateau) throw Error(fmt::format("{}: its rates depend on the course of the training", schedule.name));
  if (schedule.end && count > *schedule.end)
    throw Error(fmt::format("{}: {} steps are asked for, but it lasts {}", schedule.name, count, *schedule.end));
  Graph g("schedule");
  std::vector<double> times(static_cast<std::size_t>(count));
  std::iota(times.begin(), times.end(), 0.0);
  std::vector<Feed> feeds;
  const auto input = [&](const std::string& name, const std::vector<double>& values) {
    feeds.emplace_back(name, Array::from(values, {count}));
    return g.input(name, f64, {count});
  };
  ScheduleInputs inputs{input("time", times), input("base", std::vector<double>(times.size(), base)), {}};
  for (std::size_t i = 0; i < schedule.fed.size(); ++i) {
    std::vector<double> values;
    for (std::int64_t t = 0; t < count; ++t) values.push_back(schedule.fed[i](t));
    inputs.fed.push_back(input(fmt::format("fed{}", i), values));
  }
  const Tensor result = formula(inputs);
  std::erase_if(feeds, [&, names = g.function({result}).input_names()](const Feed& feed) {
    return std::find(names.begin(), names.end(), feed.name) == names.end();
  });
  const Array values = g.compile({result}, {.executor = CompileOptions::Executor::reference}).step(feeds)[0];
  const std::span<const double> span = values.values<double>();
  return {span.begin(), span.end()};
}

std::vector<double> Schedule::rates(double base, std::int64_t count) const {
  if (empty()) return std::vector<double>(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), base);
  return course(*this, rate, base, count);
}

std::vector<double> Schedule::momenta(std::int64_t count) const {
  return course(*this, momentum, 0, count);
}

}  // namespace pullback
