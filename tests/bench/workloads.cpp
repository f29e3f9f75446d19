#include "tests/bench/workloads.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pullback::bench {
namespace {

Array random_floats(std::vector<std::int64_t> dims) {
  Array array(f32, std::move(dims));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& value : array.values<float>()) value = normal(random);
  return array;
}

Array random_classes(std::vector<std::int64_t> dims, int classes) {
  Array array(i32, std::move(dims));
  std::mt19937 random(2);
  std::uniform_int_distribution<std::int32_t> uniform(0, classes - 1);
  for (std::int32_t& value : array.values<std::int32_t>()) value = uniform(random);
  return array;
}

Tensor input(Graph& g, const std::string& name, const Array& value) {
  return g.input(name, value.dtype(), Shape(value.dims().begin(), value.dims().end()));
}

// XOR: 2-8-1 with tanh and mean squared error, four examples.
Network tiny() {
  Graph g("tiny");
  const Array xs = Array::from(std::vector<float>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const Array ys = Array::from(std::vector<float>{0, 1, 1, 0}, {4, 1});
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  Tensor out = nn::linear(tanh(nn::linear(x, 8, "hidden")), 1, "out");
  return {g, out, mse(out, y), SGD{.lr = 0.1}, {{"x", xs}, {"y", ys}}};
}

Network mlp(std::int64_t batch, const Optimizer& optimizer) {
  Graph g("mlp");
  const Array xs = random_floats({batch, 784}), ys = random_classes({batch}, 10);
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  Tensor hidden = relu(nn::linear(relu(nn::linear(x, 512, "fc1")), 512, "fc2"));
  Tensor out = nn::linear(hidden, 10, "fc3");
  return {g, out, cross_entropy(out, y), optimizer, {{"x", xs}, {"y", ys}}};
}

Network mlp_big(std::int64_t batch) {
  Graph g("mlp_big");
  const Array xs = random_floats({batch, 1024}), ys = random_floats({batch, 1024});
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  Tensor hidden = relu(nn::linear(relu(nn::linear(x, 4096, "fc1")), 4096, "fc2"));
  Tensor out = nn::linear(hidden, 1024, "fc3");
  return {g, out, mse(out, y), SGD{.lr = 1e-3}, {{"x", xs}, {"y", ys}}};
}

Network lenet(std::int64_t batch) {
  Graph g("lenet");
  const Array xs = random_floats({batch, 1, 28, 28}), ys = random_classes({batch}, 10);
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  nn::Sequential net(nn::Conv2d(1, 32, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Conv2d(32, 64, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                     nn::Linear(3136, 128), nn::ReLU(), nn::Linear(128, 10));
  Tensor out = net(x);
  return {g, out, cross_entropy(out, y), Adam{.lr = 1e-4}, {{"x", xs}, {"y", ys}}};
}

// Two convolutions beside a shortcut, which is projected where the shape changes (He et al. 2015, option B).
nn::Residual residual(std::int64_t in, std::int64_t out, std::int64_t stride) {
  const nn::Sequential inner(nn::Conv2d(in, out, 3, {.stride = stride, .padding = 1, .bias = false}),
                             nn::BatchNorm2d(out), nn::ReLU(), nn::Conv2d(out, out, 3, {.padding = 1, .bias = false}),
                             nn::BatchNorm2d(out));
  if (stride == 1 && in == out) return nn::Residual(inner);
  return {inner, nn::Sequential(nn::Conv2d(in, out, 1, {.stride = stride, .bias = false}), nn::BatchNorm2d(out))};
}

Network resnet20(std::int64_t batch) {
  Graph g("resnet20");
  const Array xs = random_floats({batch, 3, 32, 32}), ys = random_classes({batch}, 10);
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  nn::Sequential net(nn::Conv2d(3, 16, 3, {.padding = 1, .bias = false}), nn::BatchNorm2d(16), nn::ReLU());
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64})
    for (int k = 0; k < 3; ++k, in = out) {
      net.add(residual(in, out, k == 0 && out != 16 ? 2 : 1));
      net.add(nn::ReLU());
    }
  Tensor out = nn::linear(mean(net(x), {2, 3}), 10, "fc");
  return {g, out, cross_entropy(out, y), SGD{.lr = 1e-2, .momentum = 0.9}, {{"x", xs}, {"y", ys}}};
}

// A language model on embedded characters [time, batch, 64].
Network lstm(std::int64_t time, std::int64_t batch) {
  Graph g("lstm");
  const Array xs = random_floats({time, batch, 64}), ys = random_classes({time, batch}, 65);
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  Tensor out = nn::linear(nn::LSTM(64, 128)(x).y, 65, "out");
  return {g, out, cross_entropy(out, y), Adam{.lr = 1e-4}, {{"x", xs}, {"y", ys}}};
}

// A small GPT (Radford et al. 2018): 65 characters, 128 positions, width 128, 4 heads.
Network gpt(std::int64_t batch, std::int64_t layers) {
  constexpr std::int64_t kCharacters = 65, kLength = 128, kWidth = 128, kHeads = 4;
  Graph g("gpt");
  const Array xs = random_classes({batch, kLength}, kCharacters), ys = random_classes({batch, kLength}, kCharacters);
  Tensor x = input(g, "x", xs), y = input(g, "y", ys);
  const nn::TransformerLayerOptions layer{.dim_feedforward = 4 * kWidth,
                                          .dropout = 0,
                                          .activation = [](const Tensor& t) { return gelu(t); },
                                          .batch_first = true,
                                          .norm_first = true};
  nn::Embedding token(kCharacters, kWidth), position(kLength, kWidth);
  nn::TransformerEncoder body(layers, kWidth, kHeads, layer, true);
  nn::Linear head(kWidth, kCharacters, {.bias = false});
  Tensor out = head(body(token(x) + position(g.iota({kLength}, 0, i32)), {.is_causal = true}));
  return {g, out, cross_entropy(out, y), AdamW{.lr = 1e-4}, {{"x", xs}, {"y", ys}}};
}

// Elementwise work over four million elements, and the gradients of two vectors that are broadcast.
Network elementwise() {
  Graph g("elementwise");
  const Array xs = random_floats({4096, 1024});
  Tensor x = input(g, "x", xs);
  Tensor a = g.parameter("a", {1024}, Initializer::ones()), b = g.parameter("b", {1024});
  Tensor out = mean(tanh(a * x + b) * sigmoid(x));
  return {g, out, out, std::nullopt, {{"x", xs}}};
}

}  // namespace

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"tiny_b1", "2-8-1, tanh, mse, SGD, 4 examples", tiny},
      {"mlp_b1", "784-512-512-10, relu, cross-entropy, SGD, 1 example", [] { return mlp(1, SGD{.lr = 1e-3}); }},
      {"mlp_b128", "the same, Adam, 128 examples", [] { return mlp(128, Adam{.lr = 1e-4}); }},
      {"mlp_big_b256", "1024-4096-4096-1024, relu, mse, SGD, 256 examples", [] { return mlp_big(256); }},
      {"lenet_b64", "conv 32, conv 64, linear 128, Adam, 64 images of 28x28", [] { return lenet(64); }},
      {"resnet_b16", "ResNet-20, batch norm, SGD with momentum, 16 images of 3x32x32", [] { return resnet20(16); }},
      {"lstm_b32", "LSTM of 128, 64 steps, Adam, 32 sequences", [] { return lstm(64, 32); }},
      {"gpt_b8", "4 layers of 128, 4 heads, 128 characters, AdamW, 8 sequences", [] { return gpt(8, 4); }},
      {"gpt24_b8", "the same with 24 layers", [] { return gpt(8, 24); }},
      {"elementwise", "mean(tanh(a x + b) sigmoid(x)), 4M elements, gradients of a and b", elementwise},
  };
  return all;
}

const Workload& workload(const std::string& name) {
  std::vector<std::string> names;
  for (const Workload& w : workloads()) {
    if (w.name == name) return w;
    names.push_back(w.name);
  }
  throw Error(fmt::format("no workload is called {}; there are {}", name, fmt::join(names, ", ")));
}

Program training(const Network& network, const CompileOptions& compile) {
  if (network.optimizer)
    return Trainer(network.graph, {.loss = network.loss, .optimizer = *network.optimizer, .compile = compile})
        .program();
  return network.graph.gradient(network.loss, network.graph.parameters()).compile(compile);
}

Program inference(const Network& network, const CompileOptions& compile) {
  return network.graph.compile({network.prediction}, compile);
}

std::vector<Feed> inputs_of(const Program& program, const Network& network) {
  const std::vector<std::string> names = program.input_names();
  std::vector<Feed> feeds;
  for (const Feed& feed : network.inputs)
    if (std::find(names.begin(), names.end(), feed.name) != names.end()) feeds.push_back(feed);
  return feeds;
}

}  // namespace pullback::bench
