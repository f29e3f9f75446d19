// Convolutions are lowered to what the reference evaluator computes, however their sums, images and kernels are cut and
// copied, and with what reads their results within their kernels.
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::is_parallel;
using testing::parse_function;

std::string kernels_text(const std::string& text) {
  return schedule::print(lower::lower(*parse_function(text), Target::parse("x86-64-v3"), {}), {.kernels = true});
}

TEST_CASE("the gradient of kernels is summed in blocks of images", "[lower]") {
  check_lowering(R"(func @f(%x: f32[9,12,900], %g: f32[10,12,900]) {
    %w: f32[9,10,3] = convolution(%x, %g) {strides = [1], low = shape[1], high = shape[1], base_dilation = [1],
                                           window_dilation = [1], groups = 1, batch_groups = 1, layout = [0,2,1]}
    %e: f32[9,10,3] = abs(%w)
    return e = %e
  })");
}

TEST_CASE("convolutions with large kernels go on in blocks of channels", "[lower]") {
  // Sums wait in the result, which is read by another kernel, and in scratch memory, before an epilogue.
  check_lowering(R"(func @f(%x: f32[2,128,13,11], %w: f32[17,128,3,3]) {
    %y: f32[2,17,13,11] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %m: f32[17,13,11] = reduce_max(%y) {axes = [0]}
    %s: f32[2,17,13,6] = convolution(%x, %w) {strides = [1,2], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[2,17,13,6] = abs(%s)
    return m = %m, r = %r
  })");
}

TEST_CASE("tiles of columns are parts of convolutions whose kernels outweigh their images", "[lower]") {
  // Few pixels and many kernels, which are parts for threads: in one piece, and in blocks of channels of f64.
  const std::string one = R"(func @f(%x: f32[2,8,5,5], %w: f32[512,8,3,3]) {
    %y: f32[2,512,5,5] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[2,512,5,5] = abs(%y)
    return r = %r
  })";
  const std::string blocks = R"(func @f(%x: f64[1,128,5,5], %w: f64[256,128,3,3]) {
    %y: f64[1,256,5,5] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f64[1,256,5,5] = abs(%y)
    return r = %r
  })";
  for (const std::string& text : {one, blocks}) {
    check_lowering(text);
    const auto module =
        lower::lower(*parse_function(text), Target::parse("x86-64-v3"), {.threads = lower::Threads::several});
    CHECK(is_parallel(module));
  }
}

TEST_CASE("convolutions copy kernels apart and images with their channels as neighbours", "[lower]") {
  const auto convolution = [](const char* type, const char* x, const char* w, const char* y, const char* attributes) {
    return fmt::format(
        "func @f(%x: {0}[{1}], %w: {0}[{2}]) {{\n %y: {0}[{3}] = convolution(%x, %w) {{{4}, "
        "window_dilation = [1,1], batch_groups = 1, layout = [0,2,3,1]}}\n"
        " %r: {0}[{3}] = abs(%y)\n return r = %r\n}}",
        type, x, w, y, attributes);
  };
  const std::string plain =
      convolution("f32", "3,20,7,6", "64,20,3,3", "3,64,7,6",
                  "strides = [1,1], low = shape[1,1], high = shape[1,1], base_dilation = [1,1], groups = 1");
  const std::string grouped =
      convolution("f64", "2,32,6,7", "32,16,3,3", "2,32,3,4",
                  "strides = [2,2], low = shape[1,1], high = shape[0,1], base_dilation = [1,1], groups = 2");
  const std::string spread =  // the input gradient of a convolution with strides
      convolution("f32", "2,32,4,5", "32,32,3,3", "2,32,8,10",
                  "strides = [1,1], low = shape[1,1], high = shape[2,2], base_dilation = [2,2], groups = 1");
  for (const std::string& text : {plain, grouped, spread}) {
    INFO(text);
    check_lowering(text);
  }
  const auto module = lower::lower(*parse_function(plain), Target::parse("x86-64-v3"), {.winograd = false});
  CHECK(testing::calls_of(module.body) == 3);
  std::set<std::int64_t> sizes;
  for (const schedule::Buffer& buffer : module.buffers) sizes.insert(buffer.elements);
  CHECK(sizes.count(80 * 20 * 9) == 1);  // a line of 16 lies between 64 and 64
  CHECK(sizes.count(64 * 20 * 9) == 1);  // the argument
}

TEST_CASE("groups of a convolution go on in blocks of channels", "[lower]") {
  check_lowering(R"(func @f(%x: f32[2,256,6,5], %w: f32[34,128,3,3]) {
    %y: f32[2,34,6,5] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 2, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[2,34,6,5] = abs(%y)
    return r = %r
  })");
}

TEST_CASE("convolutions of nothing, and windows over their results", "[lower]") {
  for (const auto& [images, inputs, outputs] : {std::tuple{12, 0, 18}, {12, 4, 0}, {0, 4, 18}}) {
    const std::string result = fmt::format("{},{}", images, outputs);
    check_lowering(fmt::format(R"(func @f(%x: f32[{0},{1},9,7], %w: f32[{2},{1},3,3]) {{
      %c: f32[{3},9,7] = convolution(%x, %w) {{strides = [1,1], low = shape[1,1], high = shape[1,1],
          base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}}
      %p: f32[{3},4,3] = reduce_window_max(%c) {{window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
          base_dilation = [1,1], window_dilation = [1,1], layout = [0,2,3,1]}}
      %n: f32[{3},4,3] = neg(%p)
      return n = %n
    }})",
                               images, inputs, outputs, result));
  }
}

/// A convolution of 12 images, and what comes behind it.
std::string convolution_and(const std::string& behind, int groups = 1) {
  return "func @f(%x: f32[12,8,9,7], %w: f32[18," + std::to_string(8 / groups) +
         R"(,3,3], %b: f32[18]) {
    %c: f32[12,18,9,7] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = )" +
         std::to_string(groups) + ", batch_groups = 1, layout = [0,2,3,1]}" + behind + "}";
}

std::size_t kernels_of(const std::string& text, const lower::Options& options = {.threads = lower::Threads::several}) {
  return testing::calls_of(lower::lower(*parse_function(text), Target::parse("x86-64-v3"), options).body);
}

TEST_CASE("windows over a convolution's result are folded image by image in its kernel", "[lower]") {
  const std::string pool = R"(
    %p: f32[12,18,4,3] = reduce_window_max(%c) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], layout = [0,2,3,1]}
    %n: f32[12,18,4,3] = neg(%p))";
  const std::string not_stored = convolution_and(pool + "\n return n = %n\n");
  const std::string stored = convolution_and(pool + "\n %d: f32[12,18,9,7] = abs(%c)\n return d = %d, n = %n\n");
  const std::string flat = convolution_and(pool + R"(
    %f: f32[12,216] = reshape(%n) {shape = shape[12,216]}
    return f = %f
  )");
  const std::string with_epilogue = convolution_and(R"(
    %bias: f32[12,18,9,7] = broadcast(%b) {shape = shape[12,18,9,7], dimensions = [1]}
    %s: f32[12,18,9,7] = add(%c, %bias) {layout = [0,2,3,1]}
    %q: f32[12,18,9,7] = tanh(%s)
    %p: f32[12,18,4,3] = reduce_window_sum(%q) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1]}
    %t: i32[12,18,4,3] = window_argmax(%q) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1]}
    return q = %q, p = %p, t = %t
  )",
                                                    2);
  for (const std::string& text : {not_stored, stored, flat, with_epilogue}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_of(text) == 2);  // one copies w
    CHECK(kernels_of(text, {.fuse = false, .threads = lower::Threads::several}) > 2);
  }
  const auto module = lower::lower(*parse_function(not_stored), Target::parse("x86-64-v3"), {});
  CHECK(module.arena_bytes < 4 * 12 * 18 * 9 * 7);  // no image waits for the others
}

TEST_CASE("what reads other images of a convolution has a kernel of its own", "[lower]") {
  const std::string turned = convolution_and(R"(
    %r: f32[12,18,9,7] = reverse(%c) {axes = [0]}
    %p: f32[12,18,4,3] = reduce_window_max(%r) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1]}
    return p = %p
  )");
  const std::string across = convolution_and(R"(
    %t: f32[18,9,7,12] = transpose(%c) {permutation = [1,2,3,0]}
    %p: f32[18,9,7,11] = reduce_window_max(%t) {window = [2], strides = [1], low = shape[0], high = shape[0],
        base_dilation = [1], window_dilation = [1]}
    return p = %p
  )");
  for (const std::string& text : {turned, across}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_of(text) == 3);
  }
}

TEST_CASE("depthwise convolutions multiply channel by channel", "[lower]") {
  // Forward with a stride, from images whose channels are not neighbours; the gradient of the kernels.
  check_lowering(R"(func @f(%x: f32[3,19,7,9], %w: f32[19,1,3,3], %g: f32[19,3,7,9]) {
    %y: f32[3,19,4,5] = convolution(%x, %w) {strides = [2,2], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 19, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[3,19,4,5] = abs(%y)
    %t: f32[19,3,7,9] = transpose(%x) {permutation = [1,0,2,3]}
    %d: f32[1,19,3,3] = convolution(%t, %g) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 19, layout = [0,2,3,1]}
    %e: f32[1,19,3,3] = abs(%d)
    return r = %r, e = %e
  })");
}

TEST_CASE("gradients of depthwise kernels copy no padding", "[lower]") {
  const auto gradient = [](int size, int stride, const char* type) {
    return fmt::format(R"(func @f(%x: {0}[19,3,{1},{1}], %g: {0}[19,3,{2},{2}]) {{
      %a: {0}[19,3,{1},{1}] = abs(%x) {{layout = [1,2,3,0]}}
      %b: {0}[19,3,{2},{2}] = abs(%g) {{layout = [1,2,3,0]}}
      %d: {0}[1,19,3,3] = convolution(%a, %b) {{strides = [1,1], low = shape[1,1], high = shape[{3},{3}],
          base_dilation = [1,1], window_dilation = [{4},{4}], groups = 1, batch_groups = 19, layout = [0,2,3,1]}}
      %e: {0}[1,19,3,3] = abs(%d)
      return e = %e
    }})",
                       type, size, (size + stride - 1) / stride, size % stride == 0 && stride == 2 ? 0 : 1, stride);
  };
  for (const std::string& text :
       {gradient(14, 1, "f32"), gradient(20, 2, "f32"), gradient(7, 1, "f32"), gradient(13, 1, "f64")}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_of(text) <= 3);  // those of the operands, and the convolution
  }
}

TEST_CASE("1x1 on images with their channels last: products of matrices", "[lower]") {
  const std::string forward = R"(func @f(%x: f32[3,40,7,9], %w: f32[24,40,1,1]) {
    %a: f32[3,40,7,9] = abs(%x) {layout = [0,2,3,1]}
    %y: f32[3,24,7,9] = convolution(%a, %w) {strides = [1,1], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[3,24,7,9] = tanh(%y) {layout = [0,2,3,1]}
    %n: f32[3,24,7,9] = neg(%r)
    return n = %n
  })";
  check_lowering(forward);
  CHECK(kernels_text(forward).find("24 depth 40: a = ") != std::string::npos);
  CHECK(kernels_text(forward).find("panel") != std::string::npos);
  // The gradient of the kernels: one sum over all pixels, whose result is stored as its transpose is wanted.
  const std::string gradient = R"(func @f(%x: f32[40,3,7,9], %g: f32[24,3,7,9]) {
    %a: f32[40,3,7,9] = abs(%x) {layout = [1,2,3,0]}
    %b: f32[24,3,7,9] = abs(%g) {layout = [1,2,3,0]}
    %d: f32[40,24,1,1] = convolution(%a, %b) {strides = [1,1], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %t: f32[24,40,1,1] = transpose(%d) {permutation = [1,0,2,3]}
    %e: f32[24,40,1,1] = abs(%t)
    return e = %e
  })";
  check_lowering(gradient);
  CHECK(kernels_text(gradient).find("depth 189") != std::string::npos);
}

TEST_CASE("1x1 with strides and many products: what strides leave is copied, and a product", "[lower]") {
  const std::string forward = R"(func @f(%x: f32[4,20,7,9], %w: f32[130,20,1,1]) {
    %a: f32[4,20,7,9] = abs(%x) {layout = [0,2,3,1]}
    %y: f32[4,130,3,3] = convolution(%a, %w) {strides = [3,4], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[4,130,3,3] = tanh(%y)
    return r = %r
  })";
  check_lowering(forward);
  CHECK(kernels_text(forward).find("depth 20: a = ") != std::string::npos);
  CHECK(kernels_of(forward) == 2);  // the pixels that are left, and the product
  const std::string gradient = R"(func @f(%x: f32[20,4,8,9], %g: f32[130,4,4,5]) {
    %a: f32[20,4,8,9] = abs(%x) {layout = [1,2,3,0]}
    %b: f32[130,4,4,5] = abs(%g) {layout = [1,2,3,0]}
    %d: f32[20,130,1,1] = convolution(%a, %b) {strides = [1,1], low = shape[0,0], high = shape[-1,0],
        base_dilation = [1,1], window_dilation = [2,2], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %t: f32[130,20,1,1] = transpose(%d) {permutation = [1,0,2,3]}
    return t = %t
  })";
  check_lowering(gradient);
  CHECK(kernels_text(gradient).find("depth 80: a = ") != std::string::npos);  // all pixels of all images
  const std::string input = R"(func @f(%g: f32[5,130,4,3], %w: f32[20,130,1,1]) {
    %d: f32[5,20,8,6] = convolution(%g, %w) {strides = [1,1], low = shape[0,0], high = shape[1,1],
        base_dilation = [2,2], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[5,20,8,6] = tanh(%d)
    return r = %r
  })";
  check_lowering(input);
  CHECK(kernels_text(input).find("depth 0") == std::string::npos);  // no tiles of zeros
}

/// The gradient of a strided convolution's input: y of x, whose elements lie apart.
std::string spread_convolution(const char* x, const char* w, const char* y, const char* windows, int groups = 1,
                               const char* type = "f32") {
  return fmt::format(R"(func @f(%x: {0}[{1}], %w: {0}[{2}]) {{
    %c: {0}[{3}] = convolution(%x, %w) {{strides = [1,1], {4}, groups = {5}, batch_groups = 1, layout = [0,2,3,1]}}
    %r: {0}[{3}] = tanh(%c)
    return r = %r
  }})",
                     type, x, w, y, windows, groups);
}

TEST_CASE("phases of a strided convolution's gradient are written by one kernel", "[lower]") {
  const char* even = "low = shape[1,1], high = shape[2,2], base_dilation = [2,2], window_dilation = [1,1]";
  for (const std::string& text :
       {spread_convolution("4,9,4,5", "18,9,3,3", "4,18,8,10", even),
        spread_convolution("12,9,4,5", "18,9,3,3", "12,18,8,10", even, 1, "f64"),
        spread_convolution("4,9,4,5", "27,3,3,3", "4,27,8,10", even, 3),
        spread_convolution("4,18,4,5", "18,1,3,3", "4,18,8,10", even, 18),
        // A tap that is alone in its phase lies out of bounds at the end of both axes.
        spread_convolution("4,9,3,3", "18,9,3,3", "4,18,8,8",
                           "low = shape[2,2], high = shape[3,3], base_dilation = [2,2], window_dilation = [1,1]"),
        // Phases that meet no tap.
        spread_convolution("4,9,3,4", "18,9,2,2", "4,18,9,12",
                           "low = shape[1,1], high = shape[2,2], base_dilation = [3,3], window_dilation = [1,1]"),
        spread_convolution("4,9,4,4", "18,9,3,3", "4,18,8,8",
                           "low = shape[2,2], high = shape[3,3], base_dilation = [2,2], window_dilation = [2,2]"),
        spread_convolution("4,9,4,4", "18,9,1,1", "4,18,8,8",
                           "low = shape[0,0], high = shape[1,1], base_dilation = [2,2], window_dilation = [1,1]"),
        // Steps of taps and of elements that have a factor in common; one axis only.
        spread_convolution("4,9,3,3", "18,9,4,3", "4,18,13,11",
                           "low = shape[5,4], high = shape[5,4], base_dilation = [4,4], window_dilation = [2,3]"),
        spread_convolution("4,9,4,5", "18,9,3,3", "4,18,8,5",
                           "low = shape[1,1], high = shape[2,1], base_dilation = [2,1], window_dilation = [1,1]")}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_of(text) <= 4);  // copies of w and, of a depthwise one, of x and back
  }
  // Of few images it is cut into several.
  const std::string two = spread_convolution("2,9,4,5", "18,9,3,3", "2,18,8,10", even);
  check_lowering(two);
  CHECK(kernels_of(two) > 3);
}

TEST_CASE("phases of one pixel, which are products of matrices, are tiles", "[lower]") {
  const std::string text = R"(func @f(%x: f32[4,9,1,1], %w: f32[18,9,2,2]) {
    %y: f32[4,18,2,2] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [2,2], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %r: f32[4,18,2,2] = abs(%y)
    return r = %r
  })";
  check_lowering(text);
  CHECK(kernels_text(text).find("contract") != std::string::npos);
}

TEST_CASE("windows that are whole images are sums of slabs of channels", "[lower]") {
  check_lowering(R"(func @f(%x: f32[8,64,7,7], %w: f32[24,64,7,7]) {
    %y: f32[8,24,1,1] = convolution(%x, %w) {strides = [1,1], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %s: f32[8,24,3,3] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %m: f32[8,24] = reduce_max(%s) {axes = [2,3]}
    %r: f32[8,24,1,1] = abs(%y)
    return r = %r, m = %m
  })");
}

TEST_CASE("phases are followed by what reads their images, and not stored in another layout", "[lower]") {
  const std::string convolution = R"(func @f(%x: f32[12,8,5,4], %w: f32[18,8,3,3]) {
    %c: f32[12,18,10,8] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[2,2],
        base_dilation = [2,2], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]})";
  const std::string pooled = convolution + R"(
    %p: f32[12,18,5,4] = reduce_window_max(%c) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], layout = [0,2,3,1]}
    %n: f32[12,18,5,4] = neg(%p)
    return n = %n
  })";
  check_lowering(pooled);
  CHECK(kernels_of(pooled) == 2);
  const std::string copied = convolution + R"(
    %n: f32[12,18,10,8] = neg(%c)
    return n = %n
  })";
  check_lowering(copied);
  CHECK(kernels_text(copied).find("unrolled t") != std::string::npos);  // in blocks, as transposes are
}

TEST_CASE("what is padded or updated across the order of memory is transposed in squares", "[lower]") {
  for (const auto& [type, outputs, taps] : {std::tuple{"f32", 64, 9}, {"f32", 36, 9}, {"f64", 21, 4}, {"f32", 5, 16}}) {
    // Filters as a convolution reads them. Behind the cut there are none to load.
    const std::string padded = fmt::format(R"(func @f(%w: {0}[{1},6,{2}], %v: {0}[]) {{
      %p: {0}[{3},6,{2}] = pad(%w, %v) {{low = shape[0,0,0], high = shape[11,0,0], interior = [0,0,0]}}
      %t: {0}[{2},6,{3}] = transpose(%p) {{permutation = [2,1,0]}}
      return t = %t
    }})",
                                           type, outputs, taps, outputs + 11);
    check_lowering(padded);
    CHECK(kernels_text(padded).find("unrolled t") != std::string::npos);
    // A momentum's gradient that lies in that order.
    const std::string updated =
        fmt::format(R"(func @f(%g: {0}[{2},{1}], state %m: {0}[{1},{2}], state %w: {0}[{1},{2}]) {{
      %t: {0}[{1},{2}] = transpose(%g) {{permutation = [1,0]}}
      %n: {0}[{1},{2}] = add(%m, %t)
      %u: {0}[{1},{2}] = sub(%w, %n)
      return state m = %n, state w = %u
    }})",
                    type, outputs, taps * 16);
    check_lowering(updated);
    CHECK(kernels_text(updated).find("unrolled t") != std::string::npos);
  }
}

TEST_CASE("the gradient of kernels does not walk from image to image", "[lower]") {
  const std::string text = R"(func @f(%x: f32[16,8,32,32], %g: f32[16,8,16,16]) {
    %w: f32[16,16,3,3] = convolution(%x, %g) {strides = [1,1], low = shape[1,1], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [2,2], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %e: f32[16,16,3,3] = abs(%w)
    return e = %e
  })";
  check_lowering(text);
  CHECK(kernels_text(text).find("contract 6x16") != std::string::npos);  // rows are input channels, not the three taps
}

TEST_CASE("1x1 convolutions of images with their channels first are products", "[lower]") {
  const std::string text = R"(func @f(%x: f32[3,20,5,7], %w: f32[18,20,1,1]) {
    %y: f32[3,18,5,7] = convolution(%x, %w) {strides = [1,1], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1}
    %r: f32[3,18,5,7] = tanh(%y)
    return r = %r
  })";
  check_lowering(text);
  CHECK(kernels_of(text) == 1);  // nothing is copied
}

TEST_CASE("convolutions of few products have vectors of pixels where channels are apart", "[lower]") {
  const auto convolution = [](int inputs, int each, int groups) {
    return fmt::format(R"(func @f(%x: f32[3,{0},6,19], %w: f32[24,{1},3,3]) {{
      %y: f32[3,24,6,19] = convolution(%x, %w) {{strides = [1,1], low = shape[1,1], high = shape[1,1],
          base_dilation = [1,1], window_dilation = [1,1], groups = {2}, batch_groups = 1}}
      %r: f32[3,24,6,19] = tanh(%y)
      return r = %r
    }})",
                       inputs, each, groups);
  };
  for (const std::string& text : {convolution(2, 2, 1), convolution(24, 1, 24)}) {
    INFO(text);
    check_lowering(text);
    CHECK(kernels_of(text) == 2);                                       // one pads x
    CHECK(kernels_text(text).find("unrolled t") == std::string::npos);  // nothing is transposed
  }
}

TEST_CASE("images of one channel: a tile's rows see all of an image before the next rows do", "[lower]") {
  const std::string text = R"(func @f(%x: f32[9,1,6,19], %w: f32[24,1,3,3]) {
    %y: f32[9,24,6,19] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1}
    %r: f32[9,24,6,19] = tanh(%y)
    return r = %r
  })";
  check_lowering(text);
  const std::string kernels = kernels_text(text);
  CHECK(kernels.find("serial n in 0..6") != std::string::npos);
  CHECK(kernels.find("unrolled t") == std::string::npos);  // nothing is transposed
}

TEST_CASE("depthwise convolutions with vectors of pixels have tiles of several rows", "[lower]") {
  const auto convolution = [](const char* type, int rows, int columns) {
    return fmt::format(R"(func @f(%x: {0}[3,10,{1},{2}], %w: {0}[10,1,3,3]) {{
      %y: {0}[3,10,{1},{2}] = convolution(%x, %w) {{strides = [1,1], low = shape[1,1], high = shape[1,1],
          base_dilation = [1,1], window_dilation = [1,1], groups = 10, batch_groups = 1}}
      %r: {0}[3,10,{1},{2}] = tanh(%y)
      return r = %r
    }})",
                       type, rows, columns);
  };
  for (const std::string& text : {convolution("f32", 14, 14), convolution("f32", 5, 33), convolution("f64", 7, 9)}) {
    INFO(text);
    check_lowering(text);
  }
  CHECK(kernels_text(convolution("f32", 14, 14)).find("contract 7x14") != std::string::npos);
}

TEST_CASE("1x1 with strides on images with their channels first: products of the pixels that are left", "[lower]") {
  const std::string text = R"(func @f(%x: f32[3,20,7,18], %w: f32[18,20,1,1]) {
    %y: f32[3,18,4,6] = convolution(%x, %w) {strides = [2,3], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1}
    %r: f32[3,18,4,6] = tanh(%y)
    return r = %r
  })";
  check_lowering(text);
  CHECK(kernels_of(text) == 2);                                         // one copies pixels
  CHECK(kernels_text(text).find("x24 depth 20") != std::string::npos);  // columns are pixels
}

/// The gradient of 3x3 kernels between `channels` channels, from two padded images.
std::string gradient_of_kernels(int channels, int height, int width) {
  const std::string images = fmt::format("f32[{},2,{},{}]", channels, height, width);
  const std::string result = fmt::format("f32[{0},{0},3,3]", channels);
  return "func @f(%x: " + images + ", %g: " + images + ") {\n %w: " + result + R"( = convolution(%x, %g) {
        strides = [1,1], low = shape[1,1], high = shape[1,1], base_dilation = [1,1], window_dilation = [1,1],
        groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %e: )" +
         result + " = abs(%w)\n return e = %e\n}";
}
std::string kernels_of_one_thread(const std::string& text) {
  return schedule::print(lower::lower(*parse_function(text), Target::parse("x86-64-v3"),
                                      {.threads = lower::Threads::one, .winograd = false}),
                         {.kernels = true});
}

TEST_CASE("blocks of the gradient of kernels are rows of images, too, and small sums are not read part by part",
          "[lower]") {
  const std::string text = gradient_of_kernels(16, 24, 24);
  check_lowering(text);
  const std::string kernels = kernels_of_one_thread(text);
  CHECK(kernels.find("serial kb in 0..2") !=
        std::string::npos);  // halves of two images, but for the first and the last
  CHECK(kernels.find("serial p in") == std::string::npos);
}

TEST_CASE("taps and few channels are rows of the kernels' gradient together", "[lower]") {
  // x is read as [channels, images, h, w]; three channels, one, and channels that lie a page apart.
  for (const auto& [channels, outputs, size, type] :
       {std::tuple{3, 16, 9, "f32"}, {2, 17, 7, "f64"}, {1, 32, 8, "f32"}, {1, 20, 7, "f64"}, {16, 16, 32, "f32"}}) {
    CAPTURE(channels, outputs, size, type);
    check_lowering(fmt::format(R"(func @f(%x: {3}[2,{0},{2},{2}], %g: {3}[2,{1},{2},{2}]) {{
      %a: {3}[{0},2,{2},{2}] = transpose(%x) {{permutation = [1,0,2,3]}}
      %b: {3}[{1},2,{2},{2}] = transpose(%g) {{permutation = [1,0,2,3]}}
      %w: {3}[{0},{1},3,3] = convolution(%a, %b) {{strides = [1,1], low = shape[1,1], high = shape[1,1],
          base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}}
      %e: {3}[{0},{1},3,3] = abs(%w)
      return e = %e
    }})",
                               channels, outputs, size, type));
  }
}

// A prime number of rows is cut into single ones, of which the first and the last lie beyond the border for some taps.
TEST_CASE("blocks of a single row of images keep their bounds", "[lower]") {
  const std::string text = gradient_of_kernels(8, 13, 67);
  check_lowering(text);
  const std::string kernels = kernels_of_one_thread(text);
  CAPTURE(kernels);
  CHECK(kernels.find("in 0..13") != std::string::npos);
}

}  // namespace
}  // namespace pullback
