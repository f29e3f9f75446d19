// Convolutions by Winograd's method, and the gradients of their kernels: where they are, what they compute, what they
// round, and what an element that is not finite reaches.
#include <limits>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "tests/lower/lower_testing.h"
#include "tests/oracle/bounded.h"

namespace pullback {
namespace {

using testing::Bounded;
using testing::check_lowering;
using testing::evaluate_bounded;
using testing::is_parallel;
using testing::parse_function;

/// A convolution of `images` with 3x3 kernels, and its tanh.
struct Images {
  int images = 1, inputs = 24, outputs = 32, height = 12, width = 10;
  int low[2] = {1, 1}, high[2] = {1, 1};
  std::string type = "f32", layout = "[0,2,3,1]";
  int groups = 1;

  std::string of_groups() const { return fmt::format(", groups = {}", groups); }
  std::string windows(const std::string& more) const {
    return fmt::format(
        "{{strides = [1,1], low = shape[{},{}], high = shape[{},{}], base_dilation = [1,1], "
        "window_dilation = [1,1]{}",
        low[0], low[1], high[0], high[1], more);
  }
  std::string x() const { return fmt::format("{}[{},{},{},{}]", type, images, inputs, height, width); }
  std::string y() const {
    return fmt::format("{}[{},{},{},{}]", type, images, outputs, height + low[0] + high[0] - 2,
                       width + low[1] + high[1] - 2);
  }
  std::string w() const { return fmt::format("{}[{},{},3,3]", type, outputs, inputs / groups); }
  std::string text() const {
    return fmt::format(R"(func @f(%x: {0}, %w: {1}) {{
      %y: {2} = convolution(%x, %w) {3}, layout = {4}}}
      %r: {2} = tanh(%y)
      return r = %r
    }})",
                       x(), w(), y(), windows(of_groups() + ", batch_groups = 1"), layout);
  }
  /// The same by the ops that lowering makes of it.
  std::string by_winograd() const {
    return fmt::format(R"(func @f(%x: {0}, %w: {1}) {{
      %u: {5}[4,4,{6},{7}] = winograd_filter(%w)
      %y: {2} = winograd_convolution(%x, %u) {3}, layout = {4}}}
      %r: {2} = tanh(%y)
      return r = %r
    }})",
                       x(), w(), y(), windows(of_groups()), layout, type, inputs / groups, outputs);
  }
};

/// The gradient of the kernels of such images, dw [c,o,3,3].
struct Cotangents : Images {
  std::string text() const {
    return fmt::format(R"(func @f(%x: {0}[{1},{2},{3},{4}], %g: {0}[{5},{2},{6}]) {{
      %a: {0}[{1},{2},{3},{4}] = tanh(%x) {{layout = [1,2,3,0]}}
      %b: {0}[{5},{2},{6}] = tanh(%g) {{layout = [1,2,3,0]}}
      %w: {0}[{8},{5},3,3] = convolution(%a, %b) {7}, layout = [0,2,3,1]}}
      %r: {0}[{8},{5},3,3] = abs(%w)
      return r = %r
    }})",
                       type, inputs, images, height, width, outputs, size(),
                       windows(fmt::format(", groups = 1, batch_groups = {}", groups)), inputs / groups);
  }
  std::string size() const { return fmt::format("{},{}", height + low[0] + high[0] - 2, width + low[1] + high[1] - 2); }
};

schedule::Module lowered(const std::string& text, const lower::Options& options = {},
                         const char* target = "x86-64-v4") {
  return lower::lower(*parse_function(text), Target::parse(target), options);
}
std::string kernels_of(const schedule::Module& module) {
  return schedule::print(module, {.kernels = true});
}
bool is_by_winograd(const std::string& text, const lower::Options& options = {}) {
  return kernels_of(lowered(text, options)).find("winograd_") != std::string::npos;
}

TEST_CASE("convolutions by tiles: sizes that are odd, paddings, tails of channels, blocks", "[winograd]") {
  for (const Images& images : {Images{},
                               {.inputs = 37, .outputs = 33, .height = 13, .width = 11},
                               {.height = 14, .width = 15, .low = {0, 2}, .high = {1, 0}},
                               {.height = 16, .low = {-1, 1}, .high = {1, 1}},
                               {.inputs = 150, .outputs = 20, .height = 8, .width = 8},
                               {.images = 2, .layout = "[0,1,2,3]"},
                               {.inputs = 48, .outputs = 51, .groups = 3}}) {
    INFO(images.text());
    REQUIRE(is_by_winograd(images.text()));
    check_lowering(images.text());
    check_lowering(images.by_winograd());
  }
}

TEST_CASE("the gradient of kernels by tiles: slabs of images, parts of the channels, blocks", "[winograd]") {
  for (const auto& [cotangents, slabs] :
       {std::tuple{Cotangents{{.images = 3}}, 1},
        {Cotangents{{.images = 8, .inputs = 16, .outputs = 20, .height = 14, .width = 13}}, 2},
        {Cotangents{{.images = 2, .inputs = 32, .outputs = 35, .height = 11, .low = {0, 1}, .high = {2, 1}}}, 1},
        {Cotangents{{.images = 1, .inputs = 33, .outputs = 32, .height = 20, .width = 12}}, 1},
        {Cotangents{{.images = 4, .inputs = 32, .outputs = 36, .height = 14, .groups = 2}}, 1}}) {
    INFO(cotangents.text());
    const std::string kernels = kernels_of(lowered(cotangents.text(), {.threads = lower::Threads::several}));
    INFO(kernels);
    REQUIRE(is_by_winograd(cotangents.text()));
    const std::string products =
        fmt::format("[{}]", 16 * slabs * cotangents.inputs / cotangents.groups * cotangents.outputs);
    CHECK(kernels.find(products) != std::string::npos);
    check_lowering(cotangents.text());
  }
}

TEST_CASE("what rounds, has few channels or other windows is no convolution by tiles, nor where that is not wanted",
          "[winograd]") {
  CHECK_FALSE(is_by_winograd(Images{}.text(), {.winograd = false}));
  CHECK_FALSE(is_by_winograd(Cotangents{{.images = 4}}.text(), {.winograd = false}));
  CHECK_FALSE(is_by_winograd(Images{.type = "f64"}.text()));
  CHECK_FALSE(is_by_winograd(Images{.type = "bf16"}.text()));
  CHECK_FALSE(is_by_winograd(Images{.inputs = 3}.text()));
  CHECK_FALSE(is_by_winograd(Images{.inputs = 32, .groups = 32}.text()));
  CHECK_FALSE(is_by_winograd(Cotangents{{.images = 4, .inputs = 32, .groups = 32}}.text()));
  CHECK_FALSE(is_by_winograd(Images{.inputs = 64, .outputs = 64, .height = 3, .width = 3}.text()));
  Images dilated{.low = {2, 2}, .high = {2, 2}};
  std::string text = dilated.text();
  const std::string from = "window_dilation = [1,1]", y = dilated.y(), smaller = Images{}.y();
  text.replace(text.find(from), from.size(), "window_dilation = [2,2]");
  for (std::size_t at = text.find(y); at != std::string::npos; at = text.find(y)) text.replace(at, y.size(), smaller);
  CHECK_FALSE(is_by_winograd(text));
}

/// Twelve images with what comes behind the convolution.
std::string images_and(const std::string& behind) {
  return R"(func @f(%x: f32[12,16,8,8], %w: f32[32,16,3,3], %b: f32[32], %s: f32[12,32,8,8]) {
    %c: f32[12,32,8,8] = convolution(%x, %w) {strides = [1,1], low = shape[1,1], high = shape[1,1],
        base_dilation = [1,1], window_dilation = [1,1], groups = 1, batch_groups = 1, layout = [0,2,3,1]}
    %bias: f32[12,32,8,8] = broadcast(%b) {shape = shape[12,32,8,8], dimensions = [1]}
    %q: f32[12,32,8,8] = add(%c, %bias) {layout = [0,2,3,1]}
)" + behind +
         "}";
}

TEST_CASE("what reads the results is part of the kernel: element by element, and windows image by image",
          "[winograd]") {
  const std::string pooled = images_and(R"(
    %t: f32[12,32,8,8] = tanh(%q)
    %p: f32[12,32,4,4] = reduce_window_max(%t) {window = [2,2], strides = [2,2], low = shape[0,0], high = shape[0,0],
        base_dilation = [1,1], window_dilation = [1,1], layout = [0,2,3,1]}
    %n: f32[12,32,4,4] = neg(%p)
    return n = %n
  )");
  const std::string in_place = images_and(R"(
    %d: f32[12,32,8,8] = tanh(%s) {layout = [0,2,3,1]}
    %m: f32[32,8,8] = reduce_max(%d) {axes = [0]}
    %r: f32[12,32,8,8] = add(%q, %d)
    %e: f32[32,8,8] = reduce_max(%r) {axes = [0]}
    return m = %m, e = %e
  )");
  for (const std::string& text : {pooled, in_place}) {
    INFO(text);
    REQUIRE(is_by_winograd(text));
    check_lowering(text);
  }
  const auto module = lowered(pooled, {.threads = lower::Threads::several});
  CHECK(is_parallel(module));
  CHECK(testing::calls_of(module.body) == 4);  // two copy x and w, one transforms w
}

std::vector<ir::Literal> run(const std::string& text, const std::vector<ir::Literal>& arguments,
                             const lower::Options& options) {
  const auto function = parse_function(text);
  return testing::run_schedule(lowered(text, options), *function, arguments).results;
}

TEST_CASE("results have the same bits in however many parts", "[winograd]") {
  for (const std::string& text :
       {Images{.images = 4, .inputs = 64, .outputs = 64}.text(),
        Cotangents{{.images = 4, .inputs = 64, .outputs = 48}}.text(),
        Cotangents{{.images = 8, .inputs = 16, .outputs = 20, .height = 14, .width = 13}}.text()}) {
    INFO(text);
    std::mt19937 random(1);
    const auto arguments = testing::random_arguments(*parse_function(text), random);
    REQUIRE(is_parallel(lowered(text, {.threads = lower::Threads::several})));
    const auto several = run(text, arguments, {.threads = lower::Threads::several}),
               one = run(text, arguments, {.threads = lower::Threads::one});
    CHECK(several.front().bytes == one.front().bytes);
  }
}

TEST_CASE("a convolution is within the bounds of its transforms", "[winograd]") {
  // One image is much larger than its neighbours: results beside it round as sums that hold it do. The bounds of a sum
  // of products alone would be too narrow there; those of what is computed are not.
  const Images images{.inputs = 32, .outputs = 32, .height = 12, .width = 12};
  std::mt19937 random(3);
  auto arguments = testing::random_arguments(*parse_function(images.text()), random);
  for (std::int64_t channel = 0; channel < 32; ++channel) arguments[0].set(channel * 144 + 5 * 12 + 6, 1e6);
  const std::vector<Bounded> bounds = evaluate_bounded(*parse_function(images.by_winograd()), arguments);
  CHECK(testing::difference(run(images.text(), arguments, {}).front(), bounds.front()) == "");
  CHECK(testing::difference(run(images.text(), arguments, {.winograd = false}).front(), bounds.front()) == "");
}

TEST_CASE("an element that is not finite reaches the results next to its windows, and no further", "[winograd]") {
  const Images images{.inputs = 32, .outputs = 32, .height = 14, .width = 14};
  std::mt19937 random(4);
  auto arguments = testing::random_arguments(*parse_function(images.text()), random);
  const ir::Literal finite = run(images.text(), arguments, {}).front();
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const std::int64_t row = 5, column = 8;
    arguments[0].set(3 * 196 + row * 14 + column, value);
    const ir::Literal result = run(images.text(), arguments, {}).front();
    for (std::int64_t i = 0; i < result.size(); ++i) {
      const std::int64_t rows = std::abs(i / 14 % 14 - row), columns = std::abs(i % 14 - column);
      CAPTURE(i, rows, columns, value);
      if (rows > 2 || columns > 2) REQUIRE(result.as_double(i) == finite.as_double(i));
      if (std::isnan(value) && rows <= 1 && columns <= 1) REQUIRE(std::isnan(result.as_double(i)));
    }
  }
}

}  // namespace
}  // namespace pullback
