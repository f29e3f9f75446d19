// How the work of kernels is cut into parts that threads share, and that no part depends on how many threads there are.
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "compiler/ir/prune.h"
#include "compiler/lower/split_products.h"
#include "compiler/lower/tiling.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::calls_of;
using testing::check_lowering;
using testing::is_parallel;
using testing::parse_function;

/// Convolutions are sums of all their products.
schedule::Module for_threads(const std::string& text) {
  return lower::lower(*parse_function(text), Target::parse("x86-64-v3"),
                      {.threads = lower::Threads::several, .winograd = false});
}
std::string kernels_for_threads(const std::string& text) {
  return schedule::print(for_threads(text), {.kernels = true});
}

/// dw [c,o,3,3] of images [c,n,h,w] and g [o,n,...], with a stride; all lie with their channels last.
struct KernelGradient {
  int images = 8, inputs = 16, outputs = 16, size = 12, stride = 1;
  std::string type = "f32";

  std::string text() const {
    const int windows = (size - 1) / stride + 1, high = (windows - 1) * stride + 3 - size - 1;
    return fmt::format(R"(func @f(%x: {5}[{1},{0},{3},{3}], %g: {5}[{2},{0},{4},{4}]) {{
      %a: {5}[{1},{0},{3},{3}] = tanh(%x) {{layout = [1,2,3,0]}}
      %b: {5}[{2},{0},{4},{4}] = tanh(%g) {{layout = [1,2,3,0]}}
      %w: {5}[{1},{2},3,3] = convolution(%a, %b) {{strides = [1,1], low = shape[1,1], high = shape[{7},{7}],
          base_dilation = [1,1], window_dilation = [{6},{6}], groups = 1, batch_groups = 1, layout = [0,2,3,1]}}
      %r: {5}[{1},{2},3,3] = abs(%w)
      return r = %r
    }})",
                       images, inputs, outputs, size, windows, type, stride, high);
  }
};

TEST_CASE("gradients of kernels are sums of slabs of images, read where they lie", "[lower]") {
  for (const auto& [gradient, slabs] :
       {std::tuple{KernelGradient{}, 4},
        {KernelGradient{.images = 16, .inputs = 8, .size = 11}, 8},
        {KernelGradient{.images = 6, .size = 17, .stride = 2}, 2},
        // What adds these up could follow each channel, of which tiles had one row.
        {KernelGradient{.images = 6, .inputs = 32, .outputs = 18, .size = 18, .stride = 3}, 2},
        {KernelGradient{.images = 12, .outputs = 19, .type = "f64"}, 4}}) {
    const std::string text = gradient.text();
    INFO(text);
    check_lowering(text);
    const std::string kernels = kernels_for_threads(text);
    CAPTURE(kernels, slabs);
    CHECK(kernels.find(fmt::format("[{}]", slabs * gradient.inputs * gradient.outputs * 9)) != std::string::npos);
    CHECK(calls_of(for_threads(text).body) == 4);  // two of tanh, the slabs, and what adds them up
  }
}

TEST_CASE("no slabs of one image, of many results, of little work or of rounded sums", "[lower]") {
  for (const KernelGradient& gradient : {KernelGradient{.images = 7}, KernelGradient{.images = 2, .size = 17},
                                         KernelGradient{.inputs = 64, .outputs = 64, .size = 5},
                                         KernelGradient{.size = 4}, KernelGradient{.images = 16, .type = "bf16"}}) {
    const std::string text = gradient.text();
    INFO(text);
    check_lowering(text);
    CHECK(calls_of(for_threads(text).body) <= 3 + (gradient.type == "bf16" ? 1u : 0u));
  }
}

/// The products of x [k...,m] and y [k...,n] over all of k.
std::string deep_product(const std::string& depth, std::int64_t m, std::int64_t n, const char* type = "f32",
                         const char* contract = "[0]x[0]") {
  return fmt::format(R"(func @f(%x: {3}[{0},{1}], %y: {3}[{0},{2}]) {{
    %p: {3}[{1},{2}] = dot_general(%x, %y) {{contract = {4}, batch = []x[]}}
    %r: {3}[{1},{2}] = abs(%p)
    return r = %r
  }})",
                     depth, m, n, type, contract);
}

TEST_CASE("deep sums of few products are sums of slabs", "[lower]") {
  for (const auto& [text, slabs, results] : {std::tuple{deep_product("4096", 17, 16), 8, 272},
                                             {deep_product("20000", 12, 20), 8, 240},
                                             {deep_product("17500", 9, 7, "f64"), 7, 63},
                                             {deep_product("3,5125", 9, 9, "f32", "[0,1]x[0,1]"), 5, 81}}) {
    INFO(text);
    check_lowering(text);
    const std::string kernels = kernels_for_threads(text);
    CAPTURE(kernels);
    CHECK(kernels.find(fmt::format("[{}] in arena", slabs * results)) != std::string::npos);
    CHECK(kernels.find(fmt::format("parallel p in 0..{}", slabs)) != std::string::npos);
  }
}

TEST_CASE("slabs are not cut again, nor are batches", "[lower]") {
  const auto function = parse_function(deep_product("65536", 8, 8));
  CHECK(lower::split_products(*function));
  ir::remove_unread_ops(function->body);
  CHECK_FALSE(lower::split_products(*function));
  const auto batches = parse_function(R"(func @f(%x: f32[3,20000,4], %y: f32[3,20000,5]) {
    %p: f32[3,4,5] = dot_general(%x, %y) {contract = [1]x[1], batch = [0]x[0]}
    return p = %p
  })");
  CHECK_FALSE(lower::split_products(*batches));
}

TEST_CASE("no slabs of many products, of short or rounded sums, of a prime number of terms, of vectors, of little",
          "[lower]") {
  for (const std::string& text :
       {deep_product("2048", 40, 40), deep_product("1000", 32, 32), deep_product("4099", 20, 20),
        deep_product("20000", 10, 10, "bf16"), deep_product("20000", 1, 100), deep_product("4096", 10, 10),
        deep_product("0", 3, 3)}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_for_threads(text).find("reduce_sum") == std::string::npos);
  }
}

TEST_CASE("gradients of kernels go in blocks of rows: of one image, and of such as fill the second level", "[lower]") {
  const KernelGradient one{.images = 1, .size = 24};
  check_lowering(one.text());
  CHECK(kernels_for_threads(one.text()).find(", start = ") != std::string::npos);
  const KernelGradient large{.images = 2, .inputs = 64, .outputs = 64, .size = 56};
  CHECK(kernels_for_threads(large.text()).find("depth 56") != std::string::npos);
  CHECK(kernels_for_threads(large.text()).find("around 4:") != std::string::npos);
}

TEST_CASE("rows for many panels of B are a part", "[lower]") {
  // The panels are the first axis of %w: columns of the result, but not neighbours in memory.
  const std::string text = R"(func @f(%x: f32[32,64], %w: f32[16,64,16]) {
    %y: f32[32,16,16] = dot_general(%x, %w) {contract = [1]x[1], batch = []x[]}
    %r: f32[32,16,16] = abs(%y)
    return r = %r
  })";
  check_lowering(text);
  const std::string kernels = kernels_for_threads(text);
  CAPTURE(kernels);
  CHECK(kernels.find("parallel p in 0..4") != std::string::npos);  // two halves of the rows, and of the panels
  CHECK(kernels.find("serial o in 0..8") != std::string::npos);
}

TEST_CASE("a reduction in two stages keeps its many positions apart from its few", "[lower]") {
  const std::string text = R"(func @f(%x: f32[16,64,8,8]) {
    %c: f32[16,64,8,8] = tanh(%x) {layout = [0,2,3,1]}
    %s: f32[64] = reduce_sum(%c) {axes = [0,2,3]}
    %r: f32[64] = abs(%s)
    %m: f32[16,8,8] = reduce_max(%c) {axes = [1]}
    return r = %r, m = %m
  })";
  check_lowering(text);
  CHECK(kernels_for_threads(text).find("parallel p in 0..32") != std::string::npos);
}

TEST_CASE("a step is shared where two threads gain more than handing over costs", "[lower]") {
  const auto with = [](const std::string& text, lower::Threads threads) {
    return lower::lower(*parse_function(text), Target::parse("x86-64-v4"), {.threads = threads});
  };
  const auto is_shared = [&](const std::string& text) {
    REQUIRE(is_parallel(with(text, lower::Threads::several)));
    schedule::Module step = with(text, lower::Threads::where_worth);
    if (is_parallel(step)) return true;
    // Not only without parallel loops: the code of one thread.
    const schedule::PrintOptions all{.kernels = true};
    REQUIRE(schedule::print(step, all) == schedule::print(with(text, lower::Threads::one), all));
    return false;
  };
  const auto tanh_of = [](int rows) {
    return fmt::format("func @f(%x: f32[{0},64]) {{\n %y: f32[{0},64] = tanh(%x)\n return y = %y\n}}", rows);
  };
  CHECK(!is_shared(tanh_of(60)));
  CHECK(is_shared(tanh_of(4000)));
  // A row times a matrix, and the matrix's update. Each thread updates what the other one reads in the next step,
  // unless that is a state of its own, as a momentum is.
  const auto update = [](int size, bool of_momentum) {
    return fmt::format(R"(func @f(%x: f32[{0}], %g: f32[{0}], state %w: f32[{0},{0}], state %m: f32[{0},{0}]) {{
      %y: f32[{0}] = dot_general(%x, %w) {{contract = [0]x[0], batch = []x[]}}
      %o: f32[{0},{0}] = dot_general(%x, %g) {{contract = []x[], batch = []x[]}}
      %u: f32[{0},{0}] = sub({1}, %o)
      return y = %y, state {2} = %u
    }})",
                       size, of_momentum ? "%m" : "%w", of_momentum ? "m" : "w");
  };
  // What is delivered twice is no state that is replaced.
  CHECK(is_shared("func @f(%x: f32[1048576]) {\n %e: f32[1048576] = tanh(%x)\n return a = %e, b = %e\n}"));
  CHECK(!is_shared(update(384, false)));
  CHECK(is_shared(update(384, true)));
}

TEST_CASE("pieces are equal where that takes no more units", "[lower]") {
  const auto describe = [](const lower::Split& s) { return fmt::format("{} x {}, {}", s.count, s.size, s.last); };
  CHECK(describe(lower::split(32, 6, 1, 2)) == "2 x 16, 16");   // 6 + 5 + 5 rows
  CHECK(describe(lower::split(32, 6, 1, 4)) == "3 x 12, 8");    // eight rows would be two tiles of six each
  CHECK(describe(lower::split(72, 24, 8, 2)) == "2 x 48, 24");  // 36 columns are no whole vectors
  CHECK(describe(lower::split(96, 24, 8, 2)) == "2 x 48, 48");
  CHECK(describe(lower::split(5, 6, 1, 4)) == "1 x 5, 5");
  CHECK(describe(lower::split(7, 2, 1, 9)) == "4 x 2, 1");
  for (std::int64_t total = 1; total < 60; ++total)
    for (std::int64_t unit = 1; unit < 9; ++unit)
      for (std::int64_t most = 1; most < 9; ++most) {
        const lower::Split s = lower::split(total, unit, 1, most);
        CAPTURE(total, unit, most, s.count, s.size, s.last);
        REQUIRE(((s.count - 1) * s.size + s.last == total && s.count <= most && s.last > 0 && s.last <= s.size));
      }
}

}  // namespace
}  // namespace pullback
