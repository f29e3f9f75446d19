#include "tests/codegen/harness.h"

#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>

#include <catch2/catch.hpp>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/interpret.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/kernel/verify.h"
#include "compiler/ir/literal.h"

namespace pullback::test {
namespace {

constexpr std::size_t kGuard = 128;  // bytes before and after each buffer, which must not change
constexpr std::byte kPattern{0xA5};

void store(DType dtype, std::byte* to, double value) {
  ir::Literal literal(dtype, {1});
  literal.set(0, value);
  std::memcpy(to, literal.bytes.data(), size_of(dtype));
}

/// A buffer between guards, aligned for its elements alone.
struct Guarded {
  explicit Guarded(const Bytes& contents, std::size_t alignment) : size(contents.size()) {
    memory.assign(size + 2 * kGuard + 64, kPattern);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data()) + kGuard;
    start = memory.data() + kGuard + (64 - address % 64) % 64 + alignment;
    if (size) std::memcpy(start, contents.data(), size);
  }
  bool guards_intact() const {
    for (const std::byte& b : memory)
      if ((&b < start || &b >= start + size) && b != kPattern) return false;
    return true;
  }
  std::vector<std::byte> memory;
  std::byte* start;
  std::size_t size;
};

double as_double(DType dtype, const std::byte* from) {
  ir::Literal literal(dtype, {1});
  std::memcpy(literal.bytes.data(), from, size_of(dtype));
  return literal.as_double(0);
}

/// The first element that differs, or -1. NaN equals NaN.
std::int64_t first_difference(DType dtype, const std::byte* x, const std::byte* y, std::int64_t count) {
  const std::size_t size = size_of(dtype);
  for (std::int64_t i = 0; i < count; ++i, x += size, y += size) {
    if (std::memcmp(x, y, size) == 0) continue;
    if (is_float(dtype) && std::isnan(as_double(dtype, x)) && std::isnan(as_double(dtype, y))) continue;
    return i;
  }
  return -1;
}

void parallel_for(runtime::ExecutionContext* context, runtime::KernelFunction kernel, void* const* buffers,
                  std::int64_t count) {
  const std::int64_t third = count / 3;
  kernel(buffers, 2 * third, count, context->scratch);
  kernel(buffers, third, 2 * third, context->scratch);
  kernel(buffers, 0, third, context->scratch);
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> found = [] {
    std::vector<Target> result;
    for (const char* name : {"x86-64-v2", "x86-64-v3", "x86-64-v4", "host"}) {
      Target target = Target::parse(name);
      if (target.runs_here())
        result.push_back(std::move(target));
      else
        std::cerr << "codegen tests: " << name << " is skipped, this CPU lacks it\n";
    }
    return result;
  }();
  return found;
}

kernel::Contract product(std::int64_t rows, std::int64_t columns, std::int64_t depth, int a, int b) {
  kernel::Contract tile;
  tile.rows = rows;
  tile.columns = columns;
  tile.depth = depth;
  tile.a = {a, kernel::Index(0), depth, 1};
  tile.b = {b, kernel::Index(0), columns};
  return tile;
}

schedule::Module schedule_of(std::shared_ptr<const kernel::Kernel> kernel) {
  schedule::Module module;
  module.name = kernel->name;
  schedule::KernelCall call;
  for (const kernel::Buffer& buffer : kernel->buffers) {
    if (buffer.access == kernel::Access::scratch) continue;
    schedule::Slot slot;
    slot.name = buffer.name;
    slot.role = buffer.access == kernel::Access::in    ? schedule::SlotRole::input
                : buffer.access == kernel::Access::out ? schedule::SlotRole::output
                                                       : schedule::SlotRole::state;
    slot.dtype = buffer.dtype;
    slot.dims = {buffer.elements};
    slot.written = buffer.access != kernel::Access::in;
    call.arguments.push_back(module.buffers.size());
    module.buffers.push_back(
        {buffer.name, buffer.dtype, buffer.elements, schedule::Placement::external, 0, module.slots.size()});
    module.slots.push_back(slot);
  }
  module.body.push_back({call});
  module.scratch_bytes = kernel->scratch_bytes();
  module.kernels.push_back(std::move(kernel));
  return module;
}

std::int32_t run(const codegen::Compiled& compiled, const schedule::Module& module, const std::vector<void*>& slots) {
  const auto scratch = static_cast<std::size_t>(module.scratch_bytes + 64);
  std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(64, (scratch + 63) / 64 * 64), &std::free);
  runtime::ExecutionContext context{&parallel_for, memory.get()};
  std::vector<void*> bases{nullptr, nullptr};
  bases.insert(bases.end(), slots.begin(), slots.end());
  return compiled.entry(&context, bases.data());
}

Bytes plain_numbers(DType dtype, std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes result(static_cast<std::size_t>(count) * size_of(dtype));
  for (std::int64_t i = 0; i < count; ++i) {
    const double unit = static_cast<double>(random()) / 4294967296.0;
    const double value = dtype == DType::boolean ? std::floor(unit * 2)
                         : is_float(dtype)       ? unit * 4 - 2
                                                 : std::floor(unit * 200);
    store(dtype, result.data() + static_cast<std::size_t>(i) * size_of(dtype), value);
  }
  return result;
}

Bytes hard_numbers(DType dtype, std::int64_t count, std::uint32_t seed) {
  static const double hard[] = {0.0,     -0.0,     1.0,          -1.0,         0.5,           2.5,          3.5,
                                -2.5,    1e-45,    -1e-40,       1e-310,       6e-8,          65504.0,      65520.0,
                                3.4e38,  -3.4e38,  1e300,        -1e300,       INFINITY,      -INFINITY,    NAN,
                                255.0,   256.0,    2147483647.0, 2147483648.0, -2147483648.0, 4294967295.0, 9.3e18,
                                -9.3e18, 0.999999, -0.999999,    33.0};
  Bytes result = plain_numbers(dtype, count, seed);
  if (dtype == DType::boolean) return result;
  std::mt19937_64 random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* to = result.data() + static_cast<std::size_t>(i) * size_of(dtype);
    const std::uint64_t bits = random();
    if (bits % 4 == 0) continue;
    if (bits % 4 == 1)
      store(dtype, to, hard[(bits >> 8) % std::size(hard)]);
    else if (const std::uint64_t pattern = random(); bits % 4 == 2)
      std::memcpy(to, &pattern, size_of(dtype));
    else if (const std::int64_t small = static_cast<std::int64_t>((bits >> 8) % 70) - 3; !is_float(dtype))
      std::memcpy(to, &small, size_of(dtype));
  }
  return result;
}

codegen::Compiled reloaded(const codegen::Compiled& compiled) {
  runtime::LoadedCode code = runtime::load(runtime::parse_image("image", runtime::serialize(compiled.image)));
  codegen::Compiled result;
  result.entry = code.entry;
  result.code = std::move(code.memory);
  return result;
}

void check_kernel(const std::function<void(kernel::Kernel&)>& build, const Fill& fill) {
  auto kernel = std::make_shared<kernel::Kernel>();
  kernel->name = "kernel";
  build(*kernel);
  kernel::verify(*kernel, "test");
  std::vector<const kernel::Buffer*> parameters;
  std::vector<Bytes> initial;
  for (const kernel::Buffer& buffer : kernel->buffers) {
    if (buffer.access == kernel::Access::scratch) continue;
    initial.push_back(fill(parameters.size(), buffer));
    REQUIRE(initial.back().size() == static_cast<std::size_t>(buffer.elements) * size_of(buffer.dtype));
    parameters.push_back(&buffer);
  }
  const auto guarded = [&] {
    std::vector<Guarded> result;
    for (std::size_t i = 0; i < initial.size(); ++i) result.emplace_back(initial[i], size_of(parameters[i]->dtype));
    return result;
  };
  const auto pointers = [](std::vector<Guarded>& buffers) {
    std::vector<void*> result;
    for (Guarded& buffer : buffers) result.push_back(buffer.start);
    return result;
  };
  std::vector<Guarded> expected = guarded();
  kernel::interpret(*kernel, pointers(expected));
  const schedule::Module module = schedule_of(kernel);
  for (const Target& target : targets()) {
    codegen::Options options;
    options.target = target;
    options.want_image = true;
    const codegen::Compiled compiled = driver::generate_code(module, options);
    // Once as the JIT has linked it, once as a later process would load it.
    for (const codegen::Compiled& code : {compiled, reloaded(compiled)}) {
      std::vector<Guarded> actual = guarded();
      REQUIRE(run(code, module, pointers(actual)) == 0);
      for (std::size_t i = 0; i < actual.size(); ++i) {
        const kernel::Buffer& buffer = *parameters[i];
        const std::int64_t at = first_difference(buffer.dtype, expected[i].start, actual[i].start, buffer.elements);
        CAPTURE(target.name, buffer.name, at);
        if (at >= 0) {
          const std::size_t offset = static_cast<std::size_t>(at) * size_of(buffer.dtype);
          FAIL("interpreted " << as_double(buffer.dtype, expected[i].start + offset) << ", compiled "
                              << as_double(buffer.dtype, actual[i].start + offset) << "\n"
                              << kernel::print(*kernel));
        }
        CHECK(actual[i].guards_intact());
      }
    }
  }
}

void check_hard(const std::function<void(kernel::Kernel&)>& build) {
  check_kernel(build, [](std::size_t i, const kernel::Buffer& b) {
    return hard_numbers(b.dtype, b.elements, static_cast<std::uint32_t>(i) + 1);
  });
}

void check_plain(const std::function<void(kernel::Kernel&)>& build) {
  check_kernel(build, [](std::size_t i, const kernel::Buffer& b) {
    return plain_numbers(b.dtype, b.elements, static_cast<std::uint32_t>(i) + 1);
  });
}

}  // namespace pullback::test
