// The environment variables that the runtime reads.
#pragma once

namespace pullback::runtime {

/// PULLBACK_THREADS, the number of threads that run kernels (1 to 1024); unset or empty: one a core.
/// Throws Error when it is anything else.
int thread_count();

}  // namespace pullback::runtime
