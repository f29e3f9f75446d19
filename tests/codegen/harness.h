// Runs one kernel twice, by the interpreter and compiled for a target, and compares all that it wrote bit for bit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/codegen/api.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"

namespace pullback::test {

/// The pinned targets and the host; those that this CPU lacks are left out, saying so once.
const std::vector<Target>& targets();

/// A schedule of one call of the kernel, with an external slot for each of its buffers.
schedule::Module schedule_of(std::shared_ptr<const kernel::Kernel> kernel);

/// A tile of a[rows,depth] * b[depth,columns], buffers `a` and `b`.
kernel::Contract product(std::int64_t rows, std::int64_t columns, std::int64_t depth, int a, int b);

/// Contents of one buffer.
using Bytes = std::vector<std::byte>;

/// Random numbers of the dtype with the hard ones among them: zeros, subnormals, infinities, NaN, extremes.
Bytes hard_numbers(DType dtype, std::int64_t count, std::uint32_t seed);
/// Random numbers of moderate size.
Bytes plain_numbers(DType dtype, std::int64_t count, std::uint32_t seed);

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  const auto* first = reinterpret_cast<const std::byte*>(values.data());
  return {first, first + values.size() * sizeof(T)};
}

/// Fills parameter `position` of the kernel.
using Fill = std::function<Bytes(std::size_t position, const kernel::Buffer& buffer)>;

/// Makes the kernel with `build`, verifies it, and compares on each target. NaN is equal to NaN.
void check_kernel(const std::function<void(kernel::Kernel&)>& build, const Fill& fill);
/// The same with hard_numbers in all buffers, or plain_numbers.
void check_hard(const std::function<void(kernel::Kernel&)>& build);
void check_plain(const std::function<void(kernel::Kernel&)>& build);

/// The code, written out as a flat image and loaded again. It was compiled with `want_image`.
codegen::Compiled reloaded(const codegen::Compiled& compiled);

/// Calls the entry with the buffers as slots; parallel loops run in three pieces, the last one first.
std::int32_t run(const codegen::Compiled& compiled, const schedule::Module& module, const std::vector<void*>& slots);

}  // namespace pullback::test
