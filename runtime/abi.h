// The C symbols and signatures shared by generated code and the runtime. Nothing here may change shape without
// changing kAbiVersion: cached and ahead-of-time code was compiled against it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pullback::runtime {

inline constexpr int kAbiVersion = 2;

/// A kernel. `buffers` are its parameters in order, as pointers. `begin`..`end` is the part of the outermost parallel
/// loop to run (0..1 when the kernel has none). `scratch` is memory of the calling thread alone, 64-byte aligned.
using KernelFunction = void (*)(void* const* buffers, std::int64_t begin, std::int64_t end, void* scratch);

struct ExecutionContext;

/// Runs kernel over 0..count: one call for each of some contiguous pieces (there may be more of them than threads), in
/// any order and on any thread; a single call when one thread does it all. Pieces and their order never change a
/// result: kernels give the same bits for any split. Returns when all have run. Filled in by the runtime, called by
/// generated code.
using ParallelFor = void (*)(ExecutionContext*, KernelFunction kernel, void* const* buffers, std::int64_t count);

/// What a step's entry receives beside its buffers. Generated code reads these fields by their offsets.
struct ExecutionContext {
  ParallelFor parallel_for;  // offset 0
  void* scratch;             // offset 8: scratch of the calling thread
};

/// What a step that was compiled with a profile counts of each kernel call, in the order of the schedule's text.
struct CallProfile {
  std::int64_t ticks = 0;  ///< of the processor's clock, spent since the call before it returned
  std::int64_t runs = 0;
};

/// A compiled step. `slots` are base addresses: 0 the arena, 1 the constants, then one for each external buffer in
/// the order of the schedule, and with a profile the CallProfile[] that it adds to. Returns 0, or 1 + the number of the
/// check that failed; no state was written then.
using EntryFunction = std::int32_t (*)(ExecutionContext*, void* const* slots);

/// One of many calls: kernels[kernel], with arguments that follow those of the call before.
struct TableCall {
  std::uint32_t kernel = 0;
  std::uint16_t arguments = 0;
  std::uint16_t is_parallel = 0;  ///< the kernel is a KernelFunction, whose range is shared out
  std::int64_t end = 1;           ///< of the outermost parallel loop
};

/// Bytes from the start of one of the entry's slots.
struct TableArgument {
  std::uint64_t slot = 0;
  std::uint64_t offset = 0;
};

/// Calls with more arguments are in no table.
inline constexpr std::size_t kTableArguments = 40;

}  // namespace pullback::runtime

extern "C" {
/// Makes the calls in order: code of its own for each of thousands would take longer to compile than all kernels.
/// Kernels that are not parallel are functions (argument..., begin, end, scratch), and need no code that unpacks a
/// list.
void pullback_run_calls(pullback::runtime::ExecutionContext* context, void* const* slots,
                        const pullback::runtime::TableCall* calls, std::int64_t count,
                        const pullback::runtime::TableArgument* arguments, void* const* kernels);
}
