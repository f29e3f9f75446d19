// Convolutions and pooling: shapes, values at small sizes, and one message for each invalid configuration.
#include "tests/frontend/support.h"

using namespace pullback;
using namespace pullback::test;
using Catch::Matchers::Contains;

namespace {

struct Net {
  Graph g{"net"};
  Tensor input(const Shape& shape, DType dtype = f32) { return g.input("x" + std::to_string(count++), dtype, shape); }
  int count = 0;
};

Array ramp(const std::vector<std::int64_t>& dims) {
  std::int64_t size = 1;
  for (const std::int64_t d : dims) size *= d;
  std::vector<float> values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(i));
  return floats(values, dims);
}

}  // namespace

TEST_CASE("Convolutions have PyTorch's shapes, with symbols for the batch", "[convolution]") {
  Net n;
  const Dim batch = dim("batch");
  const Tensor x1 = n.input({batch, 4, 11}), x2 = n.input({batch, 4, 9, 8}), x3 = n.input({batch, 2, 5, 6, 7});
  CHECK(conv1d(x1, n.input({6, 2, 3}), {.stride = 2, .padding = 1, .groups = 2}).shape() == Shape{batch, 6, 6});
  CHECK(conv2d(x2, n.input({5, 4, 3, 2}), {.stride = {2, 1}, .padding = {1, 0}, .dilation = {2, 3}}).shape() ==
        Shape{batch, 5, 4, 5});
  CHECK(conv2d(x2, n.input({5, 4, 4, 3}), {.padding = "same"}).shape() == Shape{batch, 5, 9, 8});
  CHECK(conv2d(x2, n.input({5, 4, 4, 3}), {.padding = "valid"}).shape() == Shape{batch, 5, 6, 6});
  CHECK(conv3d(x3, n.input({3, 2, 2, 2, 2}), n.input({3})).shape() == Shape{batch, 3, 4, 5, 6});
  CHECK(conv_transpose1d(x1, n.input({4, 3, 3}), {.stride = 2, .padding = 1, .output_padding = 1}).shape() ==
        Shape{batch, 3, 22});
  CHECK(conv_transpose2d(x2, n.input({4, 3, 2, 2}), {.stride = 3, .dilation = 2, .groups = 2}).shape() ==
        Shape{batch, 6, 27, 24});
  CHECK(conv_transpose3d(x3, n.input({2, 3, 2, 2, 2}), n.input({3})).shape() == Shape{batch, 3, 6, 7, 8});
  CHECK(conv2d(n.input({4, 9, 8}), n.input({5, 4, 3, 3})).shape() == Shape{5, 7, 6});
  const Dim h = dim("h");
  CHECK(conv2d(n.input({1, 4, h, h}), n.input({5, 4, 3, 3}), {.padding = 1}).shape() == Shape{1, 5, h, h});
}

TEST_CASE("Padding modes of convolutions use x's own elements", "[convolution]") {
  Net n;
  const Tensor x = n.input({1, 1, 4}), w = n.input({1, 1, 3});
  const std::vector<Feed> feeds{{x, floats({1, 2, 3, 4}, {1, 1, 4})}, {w, floats({1, 10, 100}, {1, 1, 3})}};
  const auto first = [&](PaddingMode mode) {
    return values(n.g, conv1d(x, w, {.padding = 1, .padding_mode = mode}), feeds).front();
  };
  CHECK(first(PaddingMode::constant) == 210);
  CHECK(first(PaddingMode::reflect) == 212);
  CHECK(first(PaddingMode::replicate) == 211);
  CHECK(first(PaddingMode::circular) == 214);
}

TEST_CASE("Invalid convolutions are refused with their sizes", "[convolution][errors]") {
  Net n;
  const Tensor x = n.input({2, 4, 5, 5}), w = n.input({6, 4, 3, 3});
  const auto error = [&](const Tensor& kernel, const ConvOptions& options) {
    return error_of([&] { conv2d(x, kernel, options); });
  };
  CHECK_THAT(error(n.input({6, 4, 7, 3}), {}), Contains("conv2d: the kernel spans 7 elements of spatial axis 0, but x "
                                                        "f32[2,4,5,5] has 5 there"));
  CHECK_THAT(error(n.input({6, 3, 3, 3}), {}), Contains("w needs 4 input channels (4 in 1 groups)"));
  CHECK_THAT(error(w, {.groups = 3}), Contains("4 input channels can't be divided into 3 groups"));
  CHECK_THAT(error(n.input({5, 2, 3, 3}), {.groups = 2}), Contains("5 output channels can't be divided into 2 groups"));
  CHECK_THAT(error(w, {.groups = 0}), Contains("0 groups are no groups"));
  CHECK_THAT(error(w, {.stride = 0}), Contains("stride 0 is below 1"));
  CHECK_THAT(error(w, {.padding = -1}), Contains("padding -1 is below 0"));
  CHECK_THAT(error(w, {.stride = {1, 1, 1}}), Contains("stride [1,1,1] needs one entry, or one for each of 2"));
  CHECK_THAT(error(w, {.stride = 2, .padding = "same"}), Contains("padding \"same\" needs stride 1"));
  CHECK_THAT(error(w, {.padding = "full"}), Contains("neither \"same\" nor \"valid\""));
  CHECK_THAT(error(n.input({6, 4, 3, 3}, f64), {}), Contains("the dtypes differ"));
  CHECK_THAT(error(n.input({6, 4, 3}), {}), Contains("a tensor of 4 axes is needed"));
  CHECK_THAT(error(w, {.padding = 5, .padding_mode = PaddingMode::reflect}), Contains("has no 5 elements"));
  CHECK_THAT(error_of([&] { conv2d(x, w, n.input({5})); }), Contains("the bias is f32[5]: f32[6] is needed"));
  CHECK_THAT(error_of([&] { conv1d(x, w); }), Contains("conv1d: x is f32[2,4,5,5]"));
  CHECK_THAT(error_of([&] { conv_transpose2d(x, n.input({4, 2, 3, 3}), {.stride = 2, .output_padding = 2}); }),
             Contains("conv_transpose2d: output_padding 2 is neither below the stride 2 nor below the dilation 1"));
  CHECK_THAT(error_of([&] { conv_transpose2d(x, n.input({4, 2, 3, 3}), {.padding = 4}); }),
             Contains("would have -1 elements: the padding 4 is too large"));
}

TEST_CASE("Pools have PyTorch's shapes", "[pooling]") {
  Net n;
  const Dim batch = dim("batch");
  const Tensor x = n.input({batch, 3, 8, 7});
  CHECK(max_pool2d(x, 2).shape() == Shape{batch, 3, 4, 3});
  CHECK(max_pool2d(x, {3, 2}, {.stride = 2, .padding = {1, 0}, .ceil_mode = true}).shape() == Shape{batch, 3, 5, 4});
  CHECK(avg_pool2d(x, 3, {.stride = 2, .padding = 1}).shape() == Shape{batch, 3, 4, 4});
  CHECK(lp_pool2d(x, 2, 2).shape() == Shape{batch, 3, 4, 3});
  CHECK(adaptive_avg_pool2d(x, {3, std::nullopt}).shape() == Shape{batch, 3, 3, 7});
  CHECK(adaptive_max_pool2d(x, 1).shape() == Shape{batch, 3, 1, 1});
  CHECK(max_pool1d(n.input({3, 9}), 4).shape() == Shape{3, 2});
  CHECK(avg_pool3d(n.input({1, 2, 4, 5, 6}), {2, 2, 3}).shape() == Shape{1, 2, 2, 2, 2});
  CHECK(interpolate(x, {.scale_factor = {1.5}, .mode = Interpolation::bilinear}).shape() == Shape{batch, 3, 12, 10});
}

TEST_CASE("Positions of maxima count within the spatial axes", "[pooling]") {
  Net n;
  const Tensor x = n.input({1, 2, 2, 4});
  const std::vector<Feed> feeds{{x, floats({1, 5, 5, 0, 2, 5, 1, 7, -1, -2, -3, -4, -5, -6, -7, -3}, {1, 2, 2, 4})}};
  const MaxPooled pooled = max_pool2d_with_indices(x, 2);
  CHECK(values(n.g, pooled.values, feeds) == std::vector<double>{5, 7, -1, -3});
  CHECK(values(n.g, pooled.indices, feeds) == std::vector<double>{1, 7, 0, 2});
}

TEST_CASE("The gradient of a maximum goes to the first of equals", "[pooling]") {
  Net n;
  const Tensor x = n.input({1, 1, 4});
  const Function gradient = n.g.gradient(sum(max_pool1d(x, 2, {.stride = 1})), {x});
  CHECK(numbers(gradient.compile().step({{x, floats({3, 3, 3, 1}, {1, 1, 4})}})[0]) == std::vector<double>{1, 1, 1, 0});
}

TEST_CASE("The gradient of a mean is divided by what its window holds", "[pooling]") {
  // Windows begin at -1, 1, ..., 9 and hold 2, 3, 3, 3, 3 and 1 elements; most elements are in one window, odd ones in
  // two.
  Graph g("mean");
  const Tensor x = g.input("x", f32, {1, 1, 10});
  const Tensor y = avg_pool1d(x, 3, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
  const Array dx = g.gradient(sum(y), {x}).compile().step()[0];
  const std::vector<float> expected{0.5F,     5.0F / 6, 1.0F / 3, 2.0F / 3, 1.0F / 3,
                                    2.0F / 3, 1.0F / 3, 2.0F / 3, 1.0F / 3, 4.0F / 3};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(dx.values<float>()[i] == Approx(expected[i]));
}

TEST_CASE("Invalid pools are refused with their sizes", "[pooling][errors]") {
  Net n;
  const Tensor x = n.input({2, 3, 5, 5});
  CHECK_THAT(error_of([&] { max_pool2d(x, 3, {.padding = 2}); }),
             Contains("max_pool2d: padding 2 is more than half of the kernel size 3"));
  CHECK_THAT(error_of([&] { avg_pool2d(x, 6); }), Contains("avg_pool2d: the kernel spans 6 elements"));
  CHECK_THAT(error_of([&] { avg_pool2d(x, 2, {.divisor_override = 0}); }), Contains("divisor_override is 0"));
  CHECK_THAT(error_of([&] { max_pool2d(x, 2, {.stride = 0}); }), Contains("stride 0 is below 1"));
  CHECK_THAT(error_of([&] { max_pool2d(x, 0); }), Contains("kernel 0 is below 1"));
  CHECK_THAT(error_of([&] { adaptive_avg_pool2d(x, 0); }), Contains("output size 0 is below 1"));
  CHECK_THAT(error_of([&] { adaptive_max_pool2d(x, {1, 2, 3}); }), Contains("3 output sizes are given for 2"));
  CHECK_THAT(error_of([&] { adaptive_avg_pool2d(n.input({1, 1, dim("h"), 3}), 1); }), Contains("must be a number"));
  CHECK_THAT(error_of([&] { interpolate(x, {}); }), Contains("either size or scale_factor must be given"));
  CHECK_THAT(error_of([&] { interpolate(x, {.scale_factor = {1e300}}); }), Contains("the scale factor 1e+300 makes"));
  CHECK_THAT(error_of([&] { interpolate(x, {.size = 3, .mode = Interpolation::linear}); }),
             Contains("the mode is for 1 spatial axis"));
  CHECK_THAT(error_of([&] { interpolate(x, {.size = 3, .align_corners = true}); }), Contains("align_corners is for"));
}

TEST_CASE("pad mirrors, repeats, continues and crops", "[padding]") {
  Net n;
  const Tensor x = n.input({4});
  const std::vector<Feed> feeds{{x, floats({1, 2, 3, 4}, {4})}};
  const auto padded = [&](Padding p, PaddingMode mode) { return values(n.g, pad(x, {p}, mode), feeds); };
  CHECK(padded({2, 3}, PaddingMode::reflect) == std::vector<double>{3, 2, 1, 2, 3, 4, 3, 2, 1});
  CHECK(padded({2, 1}, PaddingMode::replicate) == std::vector<double>{1, 1, 1, 2, 3, 4, 4});
  CHECK(padded({3, 1}, PaddingMode::circular) == std::vector<double>{2, 3, 4, 1, 2, 3, 4, 1});
  CHECK(padded({-1, 2}, PaddingMode::reflect) == std::vector<double>{2, 3, 4, 3, 2});
  CHECK(padded({-1, 1}, PaddingMode::constant) == std::vector<double>{2, 3, 4, 0});
  CHECK_THAT(error_of([&] { pad(x, {{4, 0}}, PaddingMode::reflect); }),
             Contains("pad: axis 0 of f32[4] has no 4 elements for the mode reflect"));
  CHECK_THAT(error_of([&] { pad(x, {{-3, -2}}); }), Contains("more is taken away than there is"));
}

TEST_CASE("fold adds up what unfold took apart; pixels go to channels and back", "[convolution]") {
  Net n;
  const Tensor x = n.input({1, 2, 3, 4});
  const std::vector<Feed> feeds{{x, ramp({1, 2, 3, 4})}};
  const Tensor columns = unfold(x, 2, {.padding = 1, .stride = 2});
  CHECK(columns.shape() == Shape{1, 8, 6});
  const Tensor ones = fold(unfold(x * 0.0 + 1.0, 2), {3, 4}, 2);
  CHECK(values(n.g, fold(unfold(x, 2), {3, 4}, 2) / ones, feeds) == numbers(ramp({1, 2, 3, 4})));
  CHECK_THAT(error_of([&] { fold(columns, {3, 3}, 2); }), Contains("fold: x is f32[1,8,6]: [N, C*4, 4] is needed"));
  const Tensor image = n.input({1, 4, 2, 3});
  const Tensor large = pixel_shuffle(image, 2);
  CHECK(large.shape() == Shape{1, 1, 4, 6});
  CHECK(values(n.g, pixel_unshuffle(large, 2), {{image, ramp({1, 4, 2, 3})}}) == numbers(ramp({1, 4, 2, 3})));
  CHECK_THAT(error_of([&] { pixel_shuffle(x, 2); }), Contains("2 can't be divided by 4"));
}
