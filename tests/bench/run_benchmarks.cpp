#include "tests/bench/run_benchmarks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

#include <pullback/pullback.h>

namespace pullback::bench {
namespace {

/// A benchmark whose best peer took less time by the median.
struct Behind {
  std::string name, peer;
  Median ratio;
};
std::vector<Behind>& all_behind() {
  static std::vector<Behind> all;
  return all;
}

void print_behind() {
  for (const Behind& b : all_behind())
    std::fprintf(stderr, "behind%s: %s, %s: %.3f (%.3f to %.3f)\n", b.ratio.high < 1 ? "" : ", perhaps", b.name.c_str(),
                 b.peer.c_str(), b.ratio.value, b.ratio.low, b.ratio.high);
}

}  // namespace

int run_benchmarks(int argc, char** argv, const std::function<void(int threads)>& add) {
  try {
    int threads = 1;
    std::vector<char*> rest{argv[0]};
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
        threads = std::atoi(argv[++i]);
      else
        rest.push_back(argv[i]);
    }
    int count = static_cast<int>(rest.size());
    benchmark::Initialize(&count, rest.data());
    if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 1;
    add(threads);
    benchmark::RunSpecifiedBenchmarks();
    print_behind();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}

void describe_peers(const std::vector<std::string>& peers, int threads) {
  std::fprintf(stderr, "%d thread(s), beside:\n", threads);
  for (const std::string& peer : peers) std::fprintf(stderr, "  %s\n", peer.c_str());
}

void report(benchmark::State& state, const std::string& name, const Comparison& comparison, double flop,
            double counted) {
  const auto ours = [&](const std::string& prefix, double share) {
    state.counters[prefix + "GFLOP/s"] = flop / comparison.seconds().value / share * 1e-9;
    if (const double percent = comparison.percent_of_peak(flop); percent > 0)
      state.counters[prefix + "%peak"] = percent / share;
  };
  const auto against = [&](const std::string& prefix, const Median& ratio) {
    state.counters[prefix + "ratio"] = ratio.value;
    state.counters[prefix + "ratio_low"] = ratio.low;
    state.counters[prefix + "ratio_high"] = ratio.high;
  };
  ours("", 1);
  if (counted < 1) ours("kernel.", counted);
  const std::vector<Comparison::Result> results = comparison.results();
  if (results.empty()) return;
  for (const Comparison::Result& result : results) {
    const std::string library = result.peer.substr(0, result.peer.find(' '));  // what follows is how it does it
    state.counters[library] = flop / result.seconds.value * 1e-9;
  }
  const Comparison::Result best = comparison.best();
  state.SetLabel(best.peer);
  against("", best.ratio);
  const Median part{best.ratio.value / counted, best.ratio.low / counted, best.ratio.high / counted};
  if (counted < 1) against("kernel.", part);
  if (part.value < 1) all_behind().push_back({name, best.peer, part});
}

void require_equal(std::span<const float> ours, std::span<const float> theirs, const std::string& library) {
  if (ours.size() != theirs.size()) throw Error(library + " gives another number of results");
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, std::abs(ours[i]));
    difference = std::max(difference, std::abs(ours[i] - theirs[i]));
  }
  if (!(difference <= 1e-3F * largest)) throw Error(library + " gives other results");
}

}  // namespace pullback::bench
