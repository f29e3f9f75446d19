// Depthwise convolutions, their gradients, and results that lie in memory as they are wanted.
#include <string>

#include <fmt/format.h>

#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::parse_function;

schedule::Module wide_module(const std::string& text) {
  return lower::lower(*parse_function(text), Target::parse("x86-64-v4"), {});
}
std::size_t wide_calls(const std::string& text) {
  return testing::calls_of(wide_module(text).body);
}
bool wide_code_has(const std::string& text, const std::string& part) {
  return schedule::print(wide_module(text), {.kernels = true}).find(part) != std::string::npos;
}

struct DepthwiseGradient {
  int channels, size, taps, stride, padding;
  const char* type = "f32";
  int images = 3;

  /// That of the kernels, of images with their channels last.
  std::string text() const {
    const int result = (size + 2 * padding - taps) / stride + 1;
    const int high = taps + (result - 1) * stride - size - padding;
    return fmt::format(R"(func @f(%x: {0}[{1},{8},{2},{2}], %g: {0}[{1},{8},{3},{3}]) {{
      %a: {0}[{1},{8},{2},{2}] = abs(%x) {{layout = [1,2,3,0]}}
      %b: {0}[{1},{8},{3},{3}] = abs(%g) {{layout = [1,2,3,0]}}
      %d: {0}[1,{1},{4},{4}] = convolution(%a, %b) {{strides = [1,1], low = shape[{5},{5}], high = shape[{6},{6}],
          base_dilation = [1,1], window_dilation = [{7},{7}], groups = 1, batch_groups = {1}, layout = [0,2,3,1]}}
      %e: {0}[1,{1},{4},{4}] = abs(%d)
      return e = %e
    }})",
                       type, channels, size, result, taps, padding, high, stride, images);
  }
};

TEST_CASE("the gradient of depthwise kernels goes row by row of the images", "[lower]") {
  for (const DepthwiseGradient& gradient : {DepthwiseGradient{32, 14, 3, 1, 1},
                                            {19, 13, 3, 2, 1},
                                            {40, 9, 5, 1, 2},
                                            {16, 11, 5, 2, 2},
                                            {16, 7, 7, 1, 3},   // each row of an image meets other rows of the kernels
                                            {33, 12, 7, 1, 3},  // more taps than sums in a tile
                                            {16, 10, 3, 1, 0},
                                            {16, 8, 2, 2, 0},
                                            {17, 12, 3, 1, 1, "f64"},
                                            {32, 12, 3, 1, 1, "bf16"}}) {
    const std::string text = gradient.text();
    INFO(text);
    check_lowering(text);
    CHECK(wide_calls(text) <= 3);  // those of the operands, and the convolution: nothing is padded
    CHECK(wide_code_has(
        text, fmt::format("depth {}", (gradient.size + 2 * gradient.padding - gradient.taps) / gradient.stride + 1)));
  }
  check_lowering(DepthwiseGradient{16, 8, 2, 2, 0, "f32", 0}.text());  // of no images
  CHECK(wide_code_has(DepthwiseGradient{32, 14, 3, 1, 1}.text(), "contract 9x16"));
}

TEST_CASE("gradients of depthwise kernels of one axis", "[lower]") {
  check_lowering(R"(func @f(%x: f32[24,5,21], %g: f32[24,5,21]) {
    %a: f32[24,5,21] = abs(%x) {layout = [1,2,0]}
    %b: f32[24,5,21] = abs(%g) {layout = [1,2,0]}
    %d: f32[1,24,5] = convolution(%a, %b) {strides = [1], low = shape[2], high = shape[2], base_dilation = [1],
        window_dilation = [1], groups = 1, batch_groups = 24, layout = [0,2,1]}
    %e: f32[1,24,5] = abs(%d)
    return e = %e
  })");
}

std::string depthwise_forward(const char* x, const char* y, int channels, int taps, int stride) {
  return fmt::format(R"(func @f(%x: f32[{0}], %w: f32[{2},1,{3},{3}]) {{
    %a: f32[{0}] = abs(%x) {{layout = [0,2,3,1]}}
    %y: f32[{1}] = convolution(%a, %w) {{strides = [{4},{4}], low = shape[{5},{5}], high = shape[{5},{5}],
        base_dilation = [1,1], window_dilation = [1,1], groups = {2}, batch_groups = 1, layout = [0,2,3,1]}}
    %r: f32[{1}] = tanh(%y)
    return r = %r
  }})",
                     x, y, channels, taps, stride, taps / 2);
}

TEST_CASE("filters slide along the pixels of a row, in tiles of one vector of channels", "[lower]") {
  const std::string wide = depthwise_forward("2,48,6,28", "2,48,6,28", 48, 3, 1),
                    strided = depthwise_forward("2,40,9,29", "2,40,5,15", 40, 3, 2),
                    // Few pixels, whose sums would wait for each other: two vectors of channels.
      narrow = depthwise_forward("3,64,7,7", "3,64,7,7", 64, 5, 1);
  for (const std::string& text : {wide, strided, narrow, depthwise_forward("20,32,3,3", "20,32,3,3", 32, 3, 1)}) {
    INFO(text);
    check_lowering(text);
  }
  // Tiles are turned where the result has another layout, by as many pixels as a vector has elements.
  CHECK(wide_code_has(wide, "contract 14x16"));
  CHECK(wide_code_has(strided, "contract 15x16"));
  CHECK(wide_code_has(narrow, "contract 7x32"));
}

TEST_CASE("results in the order in which a value lies in memory take no kernel", "[lower]") {
  const std::string convolution = R"(func @f(%x: f32[12,32,9,9], %w: f32[32,1,3,3]) {
    %a: f32[12,32,9,9] = abs(%x) {layout = [0,2,3,1]}
    %y: f32[12,32,9,9] = convolution(%a, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 32, batch_groups = 1, layout = [0,2,3,1]}
    %t: f32[12,9,9,32] = transpose(%y) {permutation = [0,2,3,1]})";
  const std::string alone = convolution + "\n return t = %t\n }", twice = convolution + R"(
    %u: f32[12,9,9,32] = transpose(%y) {permutation = [0,2,3,1]}
    %n: f32[12,32,9,9] = neg(%y)
    return t = %t, n = %n, u = %u
  })",
                    other = convolution + R"(
    %u: f32[12,9,32,9] = transpose(%y) {permutation = [0,3,1,2]}
    return u = %u
  })",
                    again = convolution + R"(
    %s: f32[12,9,9,32] = tanh(%t)
    return t = %t, s = %s
  })";
  for (const std::string& text : {alone, twice, other, again}) {
    INFO(text);
    check_lowering(text);
  }
  CHECK(wide_calls(alone) == 3);  // a, w along its channels, and the convolution
  CHECK(wide_module(alone).arena_bytes < 2 * 4 * 12 * 32 * 9 * 9);
}

TEST_CASE("phases of a depthwise gradient that are wanted in another layout go band by band", "[lower]") {
  const auto gradient = [](const char* dy, const char* dx, int images, const char* high) {
    return fmt::format(R"(func @f(%g: f32[{0},32,{1}], %w: f32[32,1,3,3], %z: f32[{0},32,{2}]) {{
      %c: f32[{0},32,{2}] = convolution(%g, %w) {{strides = [1,1], low = shape[1,1], high = shape[{3}],
          base_dilation = [2,2], window_dilation = [1,1], groups = 32, batch_groups = 1, layout = [0,2,3,1]}}
      %r: f32[{0},32,{2}] = mul(%c, %z)
      return r = %r
    }})",
                       images, dy, dx, high);
  };
  const std::string even = gradient("12,12", "24,24", 8, "2,2"), odd = gradient("12,13", "23,25", 8, "1,1");
  for (const std::string& text : {even, odd, gradient("4,6", "8,12", 1, "2,2")}) {
    INFO(text);
    check_lowering(text);
  }
  CHECK(wide_code_has(even, "serial band"));
  CHECK_FALSE(wide_code_has(odd, "serial band"));  // phases differ in their rows
}

}  // namespace
}  // namespace pullback
