#include "tests/ulp/compiled.h"

#include <memory>
#include <string>

#include <fmt/format.h>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/verify.h"
#include "compiler/ir/schedule.h"
#include "compiler/ops/math/math.h"

namespace pullback::ulp {
namespace {

std::shared_ptr<const kernel::Kernel> kernel_of(std::string_view name, int arity, DType dtype, int width) {
  auto kernel = std::make_shared<kernel::Kernel>();
  kernel->name = fmt::format("{}_{}", name, name_of(dtype));
  kernel::Builder b(*kernel, &ops::math_functions());
  const auto buffer = [&](const char* buffer_name, kernel::Access access) {
    return b.buffer(buffer_name, dtype, CompiledFunction::kBlock, access);
  };
  const int x = buffer("x", kernel::Access::in), y = buffer("y", kernel::Access::in);
  const int result = buffer("result", kernel::Access::out);
  b.vector_loop("i", CompiledFunction::kBlock, width, 1, [&](const kernel::Index& i) {
    b.store(result, i, arity == 1 ? b.call(name, b.load(x, i)) : b.call(name, b.load(x, i), b.load(y, i)));
  });
  kernel::verify(*kernel, "ulp");
  return kernel;
}

}  // namespace

CompiledFunction::CompiledFunction(std::string_view name, int arity, DType dtype) {
  codegen::Options options;
  const int width = static_cast<int>(options.target.vector_bytes / size_of(dtype));
  schedule::Module module;
  module.name = std::string(name);
  module.kernels.push_back(kernel_of(name, arity, dtype, width));
  for (const char* slot : {"x", "y", "result"}) {
    const bool output = module.slots.size() == 2;
    module.slots.push_back(
        {slot, output ? schedule::SlotRole::output : schedule::SlotRole::input, dtype, {kBlock}, output});
    module.buffers.push_back({slot, dtype, kBlock, schedule::Placement::external, 0, module.buffers.size()});
  }
  module.body.push_back({schedule::KernelCall{0, {0, 1, 2}, module.name, {}}});
  code_ = driver::generate_code(module, options);
}

void CompiledFunction::operator()(const void* x, const void* y, void* result) const {
  runtime::ExecutionContext context{nullptr, nullptr};  // the kernel is not parallel and has no scratch
  void* const slots[] = {nullptr, nullptr, const_cast<void*>(x), const_cast<void*>(y), result};
  code_.entry(&context, slots);
}

}  // namespace pullback::ulp
