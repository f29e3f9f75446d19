// Whole modules: functions of any size, no libm in the code, checks and branches of the entry, assembly for pinned
// targets as golden files.
#include <catch2/catch.hpp>

#include <cmath>
#include <regex>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"
#include "tests/oracle/golden.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Index;
using kernel::Kernel;
using kernel::Value;

namespace {

/// x -> a chain of `length` additions and multiplications.
kernel::Function chain(const std::string& name, int length) {
  kernel::Function f;
  f.name = name;
  Builder b(f);
  Value* x = b.parameter(f32, "x");
  for (int i = 0; i < length; ++i) x = b.add(b.mul(x, b.constant(f32, 0.5)), b.constant(f32, i));
  f.result = x;
  return f;
}

std::shared_ptr<const Kernel> make(const std::function<void(Kernel&)>& build, const std::string& name = "kernel") {
  auto k = std::make_shared<Kernel>();
  k->name = name;
  build(*k);
  return k;
}

/// y = max(x * s, 0) over n elements.
void scale(Kernel& k, std::int64_t n) {
  Builder b(k);
  const int x = b.buffer("x", f32, n, Access::in), s = b.buffer("s", f32, 1, Access::in),
            y = b.buffer("y", f32, n, Access::out);
  b.vector_loop("i", n, 16, 1,
                [&](const Index& i) { b.store(y, i, b.max(b.mul(b.load(x, i), b.load(s, 0)), b.constant(f32, 0))); });
}

/// The position of the buffer of a new slot.
std::size_t add_slot(schedule::Module& module, const char* name, DType dtype, std::int64_t n, bool written) {
  module.slots.push_back({name, written ? schedule::SlotRole::state : schedule::SlotRole::input, dtype, {n}, written});
  module.buffers.push_back({name, dtype, n, schedule::Placement::external, 0, module.slots.size() - 1});
  return module.buffers.size() - 1;
}

}  // namespace

TEST_CASE("functions are written inline or called, at each width") {
  const kernel::Function small = chain("small.f32", 3), large = chain("large.f32", 80);
  for (std::int64_t n : {1, 8, 21})
    test::check_hard([&](Kernel& k) {
      Builder b(k);
      const int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, n, Access::out);
      b.vector_loop("i", n, 8, 1, [&](const Index& i) {
        Value* v = b.load(x, i);
        Value* negative = b.lt(v, b.constant(f32, 0));
        Value* slow = b.call_where(negative, large, {v}, b.call(small, {v}));
        b.store(y, i, b.add(slow, b.call_where(negative, small, {slow}, b.call(large, {b.load(x, 0)}))));
      });
    });
}

TEST_CASE("generated code calls nothing but the runtime") {
  const auto k = make([](Kernel& kernel) {
    Builder b(kernel);
    const int x = b.buffer("x", f32, 37, Access::in), y = b.buffer("y", f64, 37, Access::in);
    const int h = b.buffer("h", f16, 37, Access::out), z = b.buffer("z", f64, 37, Access::out);
    b.vector_loop("i", 37, 8, 1, [&](const Index& i) {
      Value* v = b.load(x, i);
      Value* w = b.load(y, i);
      b.store(h, i, b.convert(b.fma(v, b.floor(v), b.sqrt(v)), f16));
      b.store(
          z, i,
          b.add(b.rem(w, b.round_even(w)), b.fma(b.min(w, b.ceil(w)), b.trunc(w), b.convert(b.convert(w, i64), f64))));
    });
  });
  for (const Target& target : test::targets()) {
    codegen::Options options;
    options.target = target;
    options.want_asm_text = true;
    const std::string text = driver::generate_code(test::schedule_of(k), options).asm_text;
    const std::regex call("call[a-z]*\\s+\\*?([A-Za-z_][A-Za-z0-9_.]*)");
    for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it) {
      const std::string name = (*it)[1];
      CAPTURE(target.name, name);
      CHECK((name.starts_with("pullback_") || name.starts_with("kernel") || name.starts_with("math.")));
    }
  }
}

TEST_CASE("many calls, with checks between them, run in their order") {
  // Each call doubles the data: 71 calls in runs of 50, 1 and 20, the last of which a check keeps from running.
  schedule::Module module;
  module.name = "calls";
  const std::size_t good = add_slot(module, "good", boolean, 1, false),
                    bad = add_slot(module, "bad", boolean, 1, false);
  const std::size_t factor = add_slot(module, "factor", f32, 1, false), data = add_slot(module, "data", f32, 20, true);
  module.kernels.push_back(make([](Kernel& k) { scale(k, 20); }));
  module.checks = {{"first", {}, {}}, {"second", {}, {}}, {"third", {}, {}}};
  const auto calls = [&](int count) {
    for (int i = 0; i < count; ++i) module.body.push_back({schedule::KernelCall{0, {data, factor, data}, "", {}}});
  };
  calls(50);
  module.body.push_back({schedule::Check{good, 0}});
  calls(1);
  module.body.push_back({schedule::Check{good, 1}});
  calls(20);
  module.body.push_back({schedule::Check{bad, 2}});
  calls(30);
  for (const Target& target : test::targets()) {
    codegen::Options options;
    options.target = target;
    const codegen::Compiled compiled = driver::generate_code(module, options);
    CAPTURE(target.name);
    bool yes = true, no = false;
    float two = 2;
    std::vector<float> x(20, 1.0F);
    CHECK(test::run(compiled, module, {&yes, &no, &two, x.data()}) == 3);
    CHECK(x == std::vector<float>(20, std::ldexp(1.0F, 71)));
  }
}

TEST_CASE("long runs of calls hold parallel kernels and are cut at those with many arguments") {
  // 30 calls that double in parallel, one that adds 44 buffers, 30 that double again.
  constexpr std::int64_t n = 20;
  constexpr std::size_t terms = 44;
  schedule::Module module;
  module.name = "calls";
  const std::size_t data = add_slot(module, "data", f32, n, true), one = add_slot(module, "one", f32, n, false);
  module.kernels.push_back(make([](Kernel& k) {
    Builder b(k);
    const int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, n, Access::out);
    b.parallel_loop("i", n, [&](const Index& i) { b.store(y, i, b.add(b.load(x, i), b.load(x, i))); });
  }));
  module.kernels.push_back(make([](Kernel& k) {
    Builder b(k);
    std::vector<int> x;
    for (std::size_t t = 0; t < terms; ++t) x.push_back(b.buffer("x", f32, n, Access::in));
    const int y = b.buffer("y", f32, n, Access::inout);
    b.serial_loop("i", n, [&](const Index& i) {
      Value* sum = b.load(y, i);
      for (const int term : x) sum = b.add(sum, b.load(term, i));
      b.store(y, i, sum);
    });
  }));
  const auto double_often = [&] {
    for (int i = 0; i < 30; ++i) module.body.push_back({schedule::KernelCall{0, {data, data}, "", {}}});
  };
  double_often();
  std::vector<std::size_t> all(terms, one);
  all.push_back(data);
  module.body.push_back({schedule::KernelCall{1, all, "", {}}});
  double_often();
  for (const Target& target : test::targets()) {
    codegen::Options options;
    options.target = target;
    const codegen::Compiled compiled = driver::generate_code(module, options);
    CAPTURE(target.name);
    std::vector<float> x(n, 0.0F), ones(n, 1.0F);
    CHECK(test::run(compiled, module, {x.data(), ones.data()}) == 0);
    CHECK(x == std::vector<float>(n, std::ldexp(44.0F, 30)));
  }
}

TEST_CASE("checks stop the run, branches choose, equal memory may be read and written") {
  schedule::Module module;
  module.name = "steps";
  const std::size_t good = add_slot(module, "good", boolean, 1, false),
                    which = add_slot(module, "which", boolean, 1, false);
  const std::size_t factor = add_slot(module, "factor", f32, 1, false), data = add_slot(module, "data", f32, 20, true);
  module.kernels.push_back(make([](Kernel& k) { scale(k, 20); }));
  module.checks.push_back({"bad", {}, {}});
  const schedule::Step in_place{schedule::KernelCall{0, {data, factor, data}, "", {}}};
  module.body.push_back({schedule::Check{good, 0}});
  module.body.push_back({schedule::Branch{which, {in_place}, {in_place, in_place}}});
  for (const Target& target : test::targets()) {
    codegen::Options options;
    options.target = target;
    const codegen::Compiled compiled = driver::generate_code(module, options);
    bool fine = false, first = true;
    float times = 2;
    std::vector<float> values(20, 1.5f);
    const std::vector<void*> slots{&fine, &first, &times, values.data()};
    CHECK(test::run(compiled, module, slots) == 1);
    CHECK(values == std::vector<float>(20, 1.5f));
    fine = true;
    CHECK(test::run(compiled, module, slots) == 0);
    CHECK(values == std::vector<float>(20, 3.0f));
    first = false;
    CHECK(test::run(compiled, module, slots) == 0);
    CHECK(values == std::vector<float>(20, 12.0f));
  }
}

// PULLBACK_UPDATE_GOLDEN=1 writes the files anew.
TEST_CASE("the assembly of a small kernel for pinned targets") {
  for (const char* name : {"x86-64-v3", "x86-64-v4"}) {
    codegen::Options options;
    options.target = Target::parse(name);
    options.want_asm_text = true;
    const std::string text =
        driver::generate_code(test::schedule_of(make([](Kernel& k) { scale(k, 100); }, "scale")), options).asm_text;
    CHECK(text == testing::golden(std::string("tests/codegen/golden/scale.") + name + ".s", text));
  }
}
