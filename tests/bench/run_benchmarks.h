// What the programs on Google Benchmark share: their command line, and how an error ends them.
#pragma once

#include <functional>

namespace pullback::bench {

/// Runs what `add` registers. The command line is Google Benchmark's and "--threads N", which goes to `add`. Returns
/// what main() returns.
int run_benchmarks(int argc, char** argv, const std::function<void(int threads)>& add);

}  // namespace pullback::bench
