#include "compiler/driver/kernel_run.h"

#include <algorithm>
#include <ctime>
#include <string>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/support/target.h"
#include "runtime/thread_pool.h"

namespace pullback::driver {

namespace {

/// The module of one call: its buffers are slots.
schedule::Module module_of(const schedule::Module& module, const schedule::KernelCall& call) {
  schedule::Module single;
  const auto& kernel = module.kernels.at(call.kernel);
  single.name = "measured";
  single.kernels = {kernel};
  single.scratch_bytes = kernel->scratch_bytes();
  schedule::KernelCall alone{0, {}, call.what, {}};
  std::map<std::size_t, std::size_t> positions;
  std::size_t parameter = 0;
  for (const kernel::Buffer& buffer : kernel->buffers) {
    if (buffer.access == kernel::Access::scratch) continue;
    const std::size_t argument = call.arguments.at(parameter++);
    const auto [entry, fresh] = positions.try_emplace(argument, single.slots.size());
    if (fresh) {
      const std::string name = "b" + std::to_string(single.slots.size());
      single.buffers.push_back(
          {name, buffer.dtype, buffer.elements, schedule::Placement::external, 0, single.slots.size()});
      single.slots.push_back({name, schedule::SlotRole::state, buffer.dtype, {buffer.elements}});
    }
    single.slots[entry->second].written |= buffer.access != kernel::Access::in;
    alone.arguments.push_back(entry->second);
  }
  single.body.push_back({std::move(alone)});
  return single;
}

void fill(Array& array) {
  std::uint32_t random = 1;
  const auto numbers = [&](auto&& values) {
    for (auto& value : values) {
      random = random * 1664525U + 1013904223U;
      value = static_cast<std::decay_t<decltype(value)>>(static_cast<double>(random >> 8) / (1 << 24) - 0.5);
    }
  };
  if (array.dtype() == DType::f32) numbers(array.values<float>());
  if (array.dtype() == DType::f64) numbers(array.values<double>());
  constexpr std::uint16_t kSmall = 0x3800;  // 0.5 in f16, 2^-15 in bf16
  if (array.dtype() == DType::f16 || array.dtype() == DType::bf16)
    std::fill_n(static_cast<std::uint16_t*>(array.raw()), array.size(), kSmall);
}

}  // namespace

void* TestMemory::buffer(DType dtype, std::int64_t elements, int nth) {
  const auto [entry, fresh] = arrays_.try_emplace({dtype, elements, nth});
  if (fresh) fill(entry->second = Array(dtype, {elements}));
  return entry->second.raw();
}

KernelRun::KernelRun(const schedule::Module& module, const schedule::KernelCall& call, const Target& target,
                     runtime::ThreadPool* pool) {
  const schedule::Module single = module_of(module, call);
  codegen::Compiled code = generate_code(single, {.target = target});
  runtime::ExecutableImage image;
  image.entry = code.entry;
  image.code = std::move(code.code);
  image.scratch_bytes = static_cast<std::size_t>(single.scratch_bytes);
  for (const schedule::Slot& slot : single.slots)
    image.slots.push_back({slot.name, runtime::SlotRole::state, slot.dtype, slot.dims});
  one_thread_ = (pool ? *pool : runtime::ThreadPool::shared()).threads() == 1;
  // Schedules are compared by what threads make of them.
  executable_ = std::make_unique<runtime::Executable>(std::move(image), pool, nullptr, /*always_shares=*/true);
}

void KernelRun::bind(TestMemory& memory) {
  slots_.clear();
  std::map<std::pair<DType, std::int64_t>, int> seen;
  for (const runtime::ExternalSlot& slot : executable_->slots())
    slots_.push_back(memory.buffer(slot.dtype, slot.dims[0], seen[{slot.dtype, slot.dims[0]}]++));
}

double KernelRun::measure(int repeat) {
  const auto now = [this] {
    timespec time{};
    clock_gettime(one_thread_ ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
  };
  const double start = now();
  for (int i = 0; i < repeat; ++i) run();
  return (now() - start) / repeat;
}

}  // namespace pullback::driver
