// What the programs on Google Benchmark share: their command line, how an error ends them, and how a comparison with
// other libraries is reported.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "tests/bench/measure.h"

namespace pullback::bench {

/// Runs what `add` registers, and lists which shapes a library was faster at. The command line is Google Benchmark's
/// and
/// "--threads N", which goes to `add`. Returns what main() returns.
int run_benchmarks(int argc, char** argv, const std::function<void(int threads)>& add);

/// Says beside what the benchmarks run.
void describe_peers(const std::vector<std::string>& peers, int threads);

/// Counters: GFLOP/s of both sides, the share of the peak, and the ratio to the best peer with its bounds; its name is
/// the label. `counted` is the share of our time that the peers' work takes, where they leave out some of ours: the
/// counters of that part alone then begin with "kernel.", and it is what the list of what is behind goes by.
void report(benchmark::State& state, const std::string& name, const Comparison& comparison, double flop,
            double counted = 1);

/// Throws pullback::Error when two results of the same work differ by more than rounding explains.
void require_equal(std::span<const float> ours, std::span<const float> theirs, const std::string& library);

}  // namespace pullback::bench
