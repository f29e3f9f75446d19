// Layers: numbers of parameters, first values, tables, dropout, shapes, errors.
#include <algorithm>
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;

TEST_CASE("layers have as many parameters as PyTorch's") {
  CHECK(nn::Linear(10, 5).parameter_count() == 55);
  CHECK(nn::Linear(10, 5, {.bias = false}).parameter_count() == 50);
  CHECK(nn::Bilinear(3, 4, 5).parameter_count() == 65);
  CHECK(nn::Embedding(10, 4).parameter_count() == 40);
  CHECK(nn::PReLU(8).parameter_count() == 8);
  CHECK(nn::Conv1d(3, 8, 5).parameter_count() == 128);
  CHECK(nn::Conv2d(3, 8, 3).parameter_count() == 224);
  CHECK(nn::Conv2d(4, 8, {3, 5}, {.groups = 2}).parameter_count() == 248);
  CHECK(nn::Conv3d(2, 4, 3, {.bias = false}).parameter_count() == 216);
  CHECK(nn::ConvTranspose2d(4, 6, 3, {.groups = 2}).parameter_count() == 114);
  CHECK(nn::BatchNorm2d(8).parameter_count() == 16);
  CHECK(nn::InstanceNorm2d(8).parameter_count() == 0);
  CHECK(nn::GroupNorm(2, 8).parameter_count() == 16);
  CHECK(nn::LayerNorm({3, 4}).parameter_count() == 24);
  CHECK(nn::RMSNorm(7).parameter_count() == 7);
  CHECK(nn::RNN(10, 20).parameter_count() == 640);
  CHECK(nn::GRU(10, 20).parameter_count() == 1920);
  CHECK(nn::LSTM(10, 20, {.num_layers = 2, .bidirectional = true}).parameter_count() == 15040);
  CHECK(nn::LSTM(10, 20, {.proj_size = 5}).parameter_count() == 1460);
  CHECK(nn::GRUCell(10, 20).parameter_count() == 1920);
  CHECK(nn::MultiheadAttention(16, 4).parameter_count() == 1088);
  CHECK(nn::MultiheadAttention(16, 4, {.kdim = 8, .vdim = 12}).parameter_count() == 896);
  CHECK(nn::TransformerEncoderLayer(16, 4, {.dim_feedforward = 32}).parameter_count() == 2224);
  CHECK(nn::TransformerDecoderLayer(16, 4, {.dim_feedforward = 32}).parameter_count() == 3344);
  CHECK(nn::TransformerEncoder(3, 16, 4, {.dim_feedforward = 32}, true).parameter_count() == 3 * 2224 + 32);
}

TEST_CASE("first values are PyTorch's distributions") {
  Graph g("g");
  nn::Linear linear(100, 400);
  nn::Conv2d conv(4, 64, 5, {.groups = 2});
  nn::LSTM lstm(3, 25);
  nn::MultiheadAttention attention(32, 4);
  nn::Embedding table(100, 50, {.padding_idx = -1});
  const auto values = [&](const nn::Module& module, const char* name) {
    return numbers(g.state()->get(module.parameter(name, g).name()));
  };
  const auto check_uniform = [](const Numbers& list, double bound) {
    const auto [low, high] = std::minmax_element(list.begin(), list.end());
    CHECK(*low >= -bound);
    CHECK(*low < -0.97 * bound);
    CHECK(*high <= bound);
    CHECK(*high > 0.97 * bound);
  };
  check_uniform(values(linear, "w"), 0.1);
  check_uniform(values(linear, "b"), 0.1);
  check_uniform(values(conv, "w"), 1 / std::sqrt(50.0));
  check_uniform(values(lstm, "w_hh_l0"), 0.2);
  check_uniform(values(attention, "in_proj_w"), std::sqrt(6.0 / 128));
  CHECK(values(attention, "out_proj_b") == Numbers(32, 0));
  const Numbers rows = values(table, "w");
  CHECK(std::all_of(rows.end() - 50, rows.end(), [](double v) { return v == 0; }));
  double square = 0;
  for (double v : rows) square += v * v;
  CHECK(square / 4950 == Approx(1).margin(0.06));
}

TEST_CASE("tables: padding gets no gradient; bags") {
  Graph g("g");
  const Tensor ids = g.input("ids", i64, {2, 3}), weights = g.input("weights", f32, {2, 3});
  nn::Embedding table(4, 2, {.padding_idx = 1});
  nn::EmbeddingBag sum_bag(4, 2, {.mode = nn::BagMode::sum}), mean_bag(4, 2, {.padding_idx = 1});
  nn::EmbeddingBag max_bag(4, 2, {.mode = nn::BagMode::max, .padding_idx = 1});
  const Tensor loss = sum(table(ids));
  const Tensor row_sum = sum_bag(ids, weights), row_mean = mean_bag(ids), row_max = max_bag(ids);
  const Tensor d = gradients(loss, {table.parameter("w")})[0];
  const Array picks = Array::from(std::vector<std::int64_t>{0, 1, 3, 1, 1, 1}, {2, 3});
  const Outputs out =
      g.compile({d, row_sum, row_mean, row_max}).step({{ids, picks}, {weights, floats({1, 2, 3, 0, 0, 1}, {2, 3})}});
  CHECK(numbers(out[0]) == Numbers{1, 1, 0, 0, 0, 0, 1, 1});
  const auto rows = [&](const nn::Module& module) { return numbers(g.state()->get(module.parameter("w").name())); };
  const Numbers s = rows(sum_bag), m = rows(mean_bag), x = rows(max_bag);
  CHECK(numbers(out[1])[0] == Approx(s[0] + 2 * s[2] + 3 * s[6]));
  CHECK(numbers(out[2])[1] == Approx((m[1] + m[7]) / 2));
  CHECK(numbers(out[2])[2] == 0);
  CHECK(numbers(out[3])[0] == std::max(x[0], x[6]));
  CHECK(numbers(out[3])[3] == 0);
}

TEST_CASE("dropout drops at its rate, whole channels or single elements, and keeps the mean") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {8, 40, 5, 5});
  nn::Dropout single(0.3);
  nn::Dropout2d whole(0.25);
  nn::AlphaDropout alpha(0.2);
  nn::Dropout all(1.0);
  for (const nn::Module* layer : {static_cast<nn::Module*>(&single), static_cast<nn::Module*>(&whole),
                                  static_cast<nn::Module*>(&alpha), static_cast<nn::Module*>(&all)})
    layer->train();
  const Tensor a = single(x), b = whole(x), c = alpha(normal(g, {20000})), d = all(x);
  const Array ones = Array::from(std::vector<float>(8000, 1), {8, 40, 5, 5});
  const Outputs out = g.compile({a, b, c, d, gradients(sum(d), {x})[0]}).step({{x, ones}});
  const Numbers dropped = numbers(out[0]), channels = numbers(out[1]), alphas = numbers(out[2]);
  CHECK(std::count(dropped.begin(), dropped.end(), 0.0) == Approx(2400).margin(200));
  int gone = 0;
  for (std::size_t i = 0; i < 320; ++i) {
    CHECK(std::all_of(channels.begin() + 25 * i, channels.begin() + 25 * (i + 1),
                      [&](double v) { return v == channels[25 * i]; }));
    gone += channels[25 * i] == 0;
  }
  CHECK(gone == Approx(80).margin(30));
  double mean = 0, square = 0;
  for (double v : alphas) mean += v / 20000, square += v * v / 20000;
  CHECK(mean == Approx(0).margin(0.05));
  CHECK(square - mean * mean == Approx(1).margin(0.05));
  CHECK(numbers(out[3]) == Numbers(8000, 0));
  CHECK(numbers(out[4]) == Numbers(8000, 0));
}

TEST_CASE("a convolutional network, with sizes left to the first call") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 1, 9, 7}), y = g.input("y", i32, {dim("batch")});
  nn::Sequential net(nn::Conv2d({}, 4, 3, {.padding = 1, .bias = false}), nn::BatchNorm2d(), nn::ReLU(),
                     nn::MaxPool2d(2), nn::Conv2d({}, 6, {3, 2}), nn::GELU(), nn::AdaptiveAvgPool2d(1), nn::Flatten(),
                     nn::Linear(3));
  net.set_name("net");
  const Tensor logits = net(x);
  CHECK(logits.type_string() == "f32[batch,3]");
  CHECK(net.parameter_count() == 4 * 9 + 8 + 6 * 4 * 6 + 6 + 21);
  Trainer trainer(g, {.loss = cross_entropy(logits, y), .optimizer = Adam{.lr = 0.02}});
  // Stripes, of a width for each class.
  std::vector<float> pixels(5 * 63);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(std::sin((0.3 + 0.9 * static_cast<double>(i / 63 % 3)) * static_cast<double>(i)));
  const Array images = floats(pixels, {5, 1, 9, 7}), labels = ints({0, 1, 2, 0, 1}, {5});
  const double first = trainer.observe(images, labels);
  double last = first;
  for (int i = 0; i < 100; ++i) last = trainer.observe(images, labels);
  CHECK(last < 0.5 * first);
}

TEST_CASE("layers that change shapes") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 6, 4, 4});
  CHECK(nn::Flatten()(x).type_string() == "f32[batch,96]");
  CHECK(nn::Flatten(2)(x).type_string() == "f32[batch,6,16]");
  CHECK(nn::Flatten(0, 1)(x).type_string() == "f32[6*batch,4,4]");
  CHECK(nn::Unflatten(1, {2, -1})(x).type_string() == "f32[batch,2,3,4,4]");
  CHECK(nn::Identity()(x).value() == x.value());
  CHECK(nn::PixelUnshuffle(2)(x).type_string() == "f32[batch,24,2,2]");
  CHECK(nn::Upsample({.scale_factor = {2}})(x).type_string() == "f32[batch,6,8,8]");
  CHECK(nn::ConvTranspose2d(6, 3, 2, {.stride = 2})(x).type_string() == "f32[batch,3,8,8]");
  CHECK(nn::LPPool2d(2, 2)(x).type_string() == "f32[batch,6,2,2]");
  CHECK_THAT(error_of([&] { nn::Unflatten(1, {4, -1})(x); }),
             Contains("f32[batch,6,4,4] does not fit"));
  CHECK_THAT(error_of([&] { nn::Flatten(2, 1)(x); }), Contains("lies behind axis"));
}

TEST_CASE("wrong configurations are found when a layer is made or called") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 6, 4, 4});
  const auto message = [](auto&& action) { return error_of(action); };
  CHECK_THAT(message([&] { nn::Conv2d(3, 8, 3, {.groups = 2}); }),
             Contains("Conv2d: in is 3, which cannot be divided into 2 groups (test_layers.cpp:"));
  CHECK_THAT(message([&] { nn::Conv2d(3, 8, {3, 3, 3}); }), Contains("Conv2d: the kernel {3, 3, 3} has 3 sizes for 2"));
  CHECK_THAT(message([&] { nn::named("stem", nn::Conv2d(3, 8, 3))(x); }),
             Contains("Conv2d stem: x is f32[batch,6,4,4]: axis -3 is 6, but in is 3 (test_layers.cpp:"));
  CHECK_THAT(message([&] { nn::named("big", nn::Conv2d(6, 8, 7))(x); }),
             Contains("Conv2d big: conv2d: ") && Contains("(test_layers.cpp:"));
  CHECK_THAT(message([&] { nn::GroupNorm(4, 6); }), Contains("GroupNorm: 6 channels cannot be divided into 4 groups"));
  CHECK_THAT(message([&] { nn::named("n", nn::BatchNorm1d(6))(x); }),
             Contains("BatchNorm1d n: x is f32[batch,6,4,4]: [N,C] or [N,C,L] is needed"));
  CHECK_THAT(message([&] { nn::BatchNorm2d(6, {.momentum = 2}); }), Contains("momentum is 2: it lies in [0, 1]"));
  CHECK_THAT(message([&] { nn::MultiheadAttention(10, 3); }),
             Contains("MultiheadAttention: 3 heads do not divide the width 10 (test_layers.cpp:"));
  CHECK_THAT(message([&] { nn::LSTM(4, 8, {.dropout = -1}); }), Contains("LSTM: dropout is -1: it lies in [0, 1]"));
  CHECK_THAT(message([&] { nn::LSTM(4, 8, {.proj_size = 8}); }), Contains("LSTM: proj_size is 8: it must be below"));
  CHECK_THAT(message([&] { nn::named("p", nn::PReLU(3))(x); }),
             Contains("PReLU p: x is f32[batch,6,4,4]: axis 1 is 6"));
}

}  // namespace pullback::test
