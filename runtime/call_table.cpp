// Calls kernels from a table.
#include <array>
#include <utility>

#include "runtime/abi.h"

namespace pullback::runtime {

namespace {

template <std::size_t>
using Argument = void*;

using Spread = void (*)(void* kernel, void* const* arguments, std::int64_t end, void* scratch);

template <std::size_t... I>
constexpr Spread spread(std::index_sequence<I...>) {
  return [](void* kernel, [[maybe_unused]] void* const* arguments, std::int64_t end, void* scratch) {
    using Function = void (*)(Argument<I>..., std::int64_t, std::int64_t, void*);
    reinterpret_cast<Function>(kernel)(arguments[I]..., 0, end, scratch);
  };
}

/// By the number of arguments: what calls a kernel with each of a list.
constexpr auto kSpreads = []<std::size_t... N>(std::index_sequence<N...>) {
  return std::array<Spread, sizeof...(N)>{spread(std::make_index_sequence<N>())...};
}(std::make_index_sequence<kTableArguments + 1>());

// As generated code writes them.
static_assert(sizeof(TableCall) == 16 && offsetof(TableCall, arguments) == 4 && offsetof(TableCall, end) == 8);
static_assert(sizeof(TableArgument) == 16);

}  // namespace

}  // namespace pullback::runtime

void pullback_run_calls(pullback::runtime::ExecutionContext* context, void* const* slots,
                        const pullback::runtime::TableCall* calls, std::int64_t count,
                        const pullback::runtime::TableArgument* arguments, void* const* kernels) {
  using namespace pullback::runtime;
  void* pointers[kTableArguments];
  for (std::int64_t i = 0; i < count; ++i) {
    const TableCall& call = calls[i];
    for (std::size_t k = 0; k < call.arguments; ++k, ++arguments)
      pointers[k] = static_cast<std::byte*>(slots[arguments->slot]) + arguments->offset;
    void* const kernel = kernels[call.kernel];
    if (call.is_parallel)
      context->parallel_for(context, reinterpret_cast<KernelFunction>(kernel), pointers, call.end);
    else
      kSpreads[call.arguments](kernel, pointers, call.end, context->scratch);
  }
}
