// Tiles fetch what is read next: the next of several matrices, the next block of a sum, the next rows of images. And
// how tiles are cut whose last pixels fill no vector, or whose results are turned.
#include <string>

#include <fmt/format.h>

#include "compiler/lower/contraction_fetch.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::parse_function;

std::string kernels_for(const char* target, const std::string& text) {
  return schedule::print(
      lower::lower(*parse_function(text), Target::parse(target), {.threads = lower::Threads::one, .winograd = false}),
      {.kernels = true});
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A convolution with 1x1 kernels of images with their channels first.
std::string product_of_images(int images, int inputs, int outputs, int size) {
  return fmt::format(R"(func @f(%x: f32[{0},{1},{3},{3}], %w: f32[{2},{1},1,1]) {{
    %y: f32[{0},{2},{3},{3}] = convolution(%x, %w) {{strides = [1,1], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1}}
    return y = %y
  }})",
                     images, inputs, outputs, size);
}

/// The gradient of kernels, of images with their channels last.
std::string gradient_of_kernels_of(int images, int channels, int size, int taps, int groups) {
  return fmt::format(R"(func @f(%x: f32[{0},{2},{2},{1}], %g: f32[{0},{2},{2},{1}]) {{
    %a: f32[{1},{0},{2},{2}] = transpose(%x) {{permutation = [3,0,1,2]}}
    %b: f32[{1},{0},{2},{2}] = transpose(%g) {{permutation = [3,0,1,2]}}
    %d: f32[{5},{1},{3},{3}] = convolution(%a, %b) {{strides = [1,1], low = shape[{4},{4}], high = shape[{4},{4}],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = {6}, layout = [0,2,3,1]}}
    return d = %d
  }})",
                     images, channels, size, taps, taps / 2, channels / groups, groups);
}

TEST_CASE("of several matrices the next one is fetched, if all of them are not near anyway", "[lower]") {
  for (const char* target : {"x86-64-v3", "x86-64-v4"}) {
    INFO(target);
    CHECK(has(kernels_for(target, product_of_images(16, 128, 64, 14)), "fetch x["));
    CHECK_FALSE(has(kernels_for(target, product_of_images(2, 128, 64, 14)), "fetch"));
    // Nor if one, or a block of its sums, fills the cache.
    CHECK_FALSE(has(kernels_for(target, product_of_images(16, 1024, 64, 28)), "fetch"));
  }
}

TEST_CASE("sums over images fetch their next block", "[lower]") {
  const std::string far = gradient_of_kernels_of(8, 64, 28, 3, 1), pixels = gradient_of_kernels_of(16, 64, 14, 1, 1),
                    depthwise = gradient_of_kernels_of(16, 64, 28, 3, 64);
  for (const std::string& text : {far, pixels, depthwise}) {
    const std::string kernels = kernels_for("x86-64-v4", text);
    INFO(kernels);
    CHECK(has(kernels, "fetch x["));
    CHECK(has(kernels, "fetch g["));
  }
  CHECK_FALSE(has(kernels_for("x86-64-v4", gradient_of_kernels_of(1, 64, 28, 3, 64)), "fetch"));
}

TEST_CASE("tiles share what is fetched", "[lower]") {
  // 4 positions of 6x32 results, in tiles of 3x16 over 10 steps, fetch 3840 elements: 1 in each step of each tile.
  const ir::Type type{f32, {1 << 20}};
  const lower::FetchAhead ahead(type, 3840, {4, 6, 32, 10}, 1 << 20);
  const int position = 3;
  kernel::Contract tile;
  ahead.share(tile, 7, kernel::Index(1000), {position, 3, 16, 3, 16});
  REQUIRE(tile.fetches.size() == 1);
  CHECK(tile.fetches[0].buffer == 7);
  CHECK(tile.fetches[0].base == kernel::Index(1000 + 3 * 960 + 480 + 240));
  CHECK(tile.fetches[0].each == 24);
  const auto count = [&](std::int64_t elements, std::int64_t second_level) {
    kernel::Contract other;
    lower::FetchAhead(type, elements, {1, 1, 1, 1}, second_level).share(other, 0, 0, {});
    return other.fetches.size();
  };
  CHECK(count(1 << 16, 1 << 20) == 1);
  CHECK(count((1 << 16) + 1, 1 << 20) == 0);  // more than a quarter of the cache
  CHECK(count(1 << 16, 16 << 20) == 0);       // all of it is near
  CHECK(count(0, 1 << 20) == 0);
}

TEST_CASE("a few pixels that whole vectors leave have vectors of channels", "[lower]") {
  // 36 pixels are two vectors of 16, and four more.
  const std::string text = product_of_images(4, 5, 18, 6);
  check_lowering(text);
  CHECK(has(kernels_for("x86-64-v4", text), "contract 4x18"));
  CHECK_FALSE(has(kernels_for("x86-64-v4", product_of_images(3, 5, 18, 6)), "contract 4x18"));  // w is copied for them
  CHECK_FALSE(has(kernels_for("x86-64-v4", product_of_images(4, 5, 18, 11)), "x18"));  // nine are more than a few
}

TEST_CASE("tiles that are turned before they are stored are squares", "[lower]") {
  const auto first_layer = [](int size) {
    return fmt::format(R"(func @f(%x: f32[2,3,{0},{0}], %w: f32[32,3,5,5]) {{
      %y: f32[2,32,{1},{1}] = convolution(%x, %w) {{strides = [2,2], low = shape[2,2], high = shape[2,2],
          base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1}}
      return y = %y
    }})",
                       size, (size + 1) / 2);
  };
  for (const auto& [size, tile] : {std::pair{32, "contract 16x16"}, {28, "contract 14x16"}, {14, "contract 7x32"}}) {
    INFO(size);
    check_lowering(first_layer(size));
    CHECK(has(kernels_for("x86-64-v4", first_layer(size)), tile));
  }
}

TEST_CASE("large products of pixels that are spread keep their channels first", "[lower]") {
  const std::string text = R"(func @f(%x: f32[2,6,4,4], %w: f32[20,128,1,1], %z: f32[2,128,4,4]) {
    %y: f32[2,20,8,8] = convolution(%z, %w) {strides = [1,1], low = shape[0,0], high = shape[1,1],
        base_dilation = [2,2], window_dilation = [1,1], groups = 1, batch_groups = 1}
    return y = %y
  })";
  check_lowering(text);
  CHECK(testing::calls_of(lower::lower(*parse_function(text), Target::parse("x86-64-v4"), {}).body) == 2);
}

}  // namespace
}  // namespace pullback
