// What the machine can do, measured when asked: the limits that steps are compared with.
#pragma once

#include <cstdint>

namespace pullback::bench {

/// Fused multiply-adds in independent chains of whole vectors, f32, of `threads` threads together: FLOP a second.
double measure_peak(int threads);

/// Bytes a second that `threads` threads together read and write when they update `bytes` of memory in place, over and
/// over: the bandwidth of the cache level that holds so much.
double measure_bandwidth(std::int64_t bytes, int threads);

}  // namespace pullback::bench
