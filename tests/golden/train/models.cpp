// The manifest's models (its model_source has their PyTorch text), built of the library's layers.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "tests/golden/train/training.h"

namespace pullback::golden {
namespace {

/// Applies layers under the names that PyTorch gives them, and notes what their parameters are called on both sides.
class Assembly {
 public:
  explicit Assembly(const Context& context) : context_(context) {}

  template <class Layer>
  Tensor apply(const std::string& torch, Layer layer, const Tensor& x) {
    std::string name = torch;
    std::replace(name.begin(), name.end(), '.', '_');
    layer.set_name(name);
    layer.to(context_.dtype);
    const Tensor y = static_cast<const nn::Module&>(layer)(x);
    note(torch, layer, std::is_same_v<Layer, nn::Linear>);
    return y;
  }

  Network result(const Tensor& output) { return {output, std::move(bindings_)}; }

 private:
  /// PyTorch keeps a linear layer's matrix as [out,in], this library as [in,out].
  void note(const std::string& torch, const nn::Module& layer, bool linear) {
    static const std::map<std::string, std::string> names = {{"w", "weight"}, {"b", "bias"}};
    std::vector<nn::ParameterInfo> all = layer.named_parameters();
    for (const nn::ParameterInfo& statistic : layer.named_statistics()) all.push_back(statistic);
    for (const nn::ParameterInfo& p : all) {
      const std::string own = p.name.substr(p.name.rfind('.') + 1);
      const std::string kind = own.substr(0, own.find('_'));  // "w" of "w_ih_l0"
      const auto other = names.find(kind);
      const std::string known = other == names.end() ? own : other->second + own.substr(kind.size());
      bindings_.push_back({torch + "." + known, p.name, linear && p.tensor.rank() == 2});
    }
  }

  const Context& context_;
  std::vector<Binding> bindings_;
};

Tensor activation(const Arguments& a, const std::string& name, const Tensor& x) {
  const Value y = call_function(a.context, name, {x}, {});
  if (!y.tensor()) throw Error(fmt::format("{} is no activation", name));
  return *y.tensor();
}

/// Linear layers with an activation between them.
Network mlp(const Arguments& a, const Tensor& input) {
  const std::vector<std::int64_t> sizes = a.integers("sizes");
  Assembly net(a.context);
  Tensor x = input;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    if (i > 0) x = activation(a, a.text("act"), x);
    x = net.apply(fmt::format("fc.{}", i), nn::Linear(sizes[i], sizes[i + 1]), x);
  }
  return net.result(x);
}

/// Images [B,C,H,W] -> logits: conv, batch norm if wanted, relu, pooling, conv with stride, relu, linear.
Network cnn(const Arguments& a, const Tensor& images) {
  const std::int64_t in = a.integer("cin"), c1 = a.integer("c1"), c2 = a.integer("c2");
  Assembly net(a.context);
  Tensor x = net.apply("c1", nn::Conv2d(in, c1, 3, {.padding = 1}), images);
  if (a.flag("bn")) x = net.apply("bn", nn::BatchNorm2d(c1), x);
  x = max_pool2d(relu(x), 2);
  x = flatten(relu(net.apply("c2", nn::Conv2d(c1, c2, 3, {.stride = 2, .padding = 1}), x)));
  return net.result(net.apply("fc", nn::Linear(x.size(1).constant(), a.integer("ncls")), x));
}

/// Sequences [B,T,I] -> logits from the last layer's last state.
Network recurrent(const Arguments& a, const Tensor& x) {
  const std::int64_t hidden = a.integer("h");
  const std::string& kind = a.text("kind");
  const std::int64_t in = a.integer("i"), layers = a.integer("layers");
  Assembly net(a.context);
  Tensor y;
  if (kind == "LSTM")
    y = net.apply("rnn", nn::LSTM(in, hidden, {.num_layers = layers, .batch_first = true}), x);
  else if (kind == "GRU")
    y = net.apply("rnn", nn::GRU(in, hidden, {.num_layers = layers, .batch_first = true}), x);
  else if (kind == "RNN")
    y = net.apply("rnn", nn::RNN(in, hidden, {.num_layers = layers, .batch_first = true}), x);
  else
    a.fail("kind", "is '" + kind + "': it is not known");
  return net.result(net.apply("fc", nn::Linear(hidden, a.integer("ncls")), select(y, 1, -1)));
}

/// x + attention(norm x), then x + feed-forward(norm x): x [B,T,D].
Tensor block(Assembly& net, const std::string& name, const Tensor& input, std::int64_t heads, Gelu approximation) {
  const std::int64_t width = input.size(-1).constant();
  const auto split_heads = [&](const Tensor& t) {  // [B,T,D] -> [B,heads,T,D/heads]
    return transpose(reshape(t, {input.size(0), input.size(1), heads, width / heads}), 1, 2);
  };
  const Tensor normed = net.apply(name + ".ln1", nn::LayerNorm(width), input);
  const std::vector<Tensor> qkv = chunk(net.apply(name + ".qkv", nn::Linear(width, 3 * width), normed), 3, -1);
  const Tensor mixed =
      scaled_dot_product_attention(split_heads(qkv[0]), split_heads(qkv[1]), split_heads(qkv[2]), {.causal = true});
  const Tensor joined = reshape(transpose(mixed, 1, 2), input.shape());
  const Tensor x = input + net.apply(name + ".proj", nn::Linear(width, width), joined);
  const Tensor inner = net.apply(name + ".ln2", nn::LayerNorm(width), x);
  const Tensor wide = gelu(net.apply(name + ".up", nn::Linear(width, 4 * width), inner), approximation);
  return x + net.apply(name + ".down", nn::Linear(4 * width, width), wide);
}

/// Token ids [B,T] -> logits [B,T,V], with learned positions.
Network gpt(const Arguments& a, const Tensor& ids) {
  const std::int64_t width = a.integer("d");
  const std::string& approximate = a.text("approx");
  if (approximate != "tanh" && approximate != "none") a.fail("approx", "is '" + approximate + "'");
  Assembly net(a.context);
  const Tensor positions = a.context.graph.iota({ids.size(1)}, 0);
  Tensor x = net.apply("tok", nn::Embedding(a.integer("V"), width), ids) +
             net.apply("pos", nn::Embedding(a.integer("T"), width), positions);
  for (std::int64_t i = 0; i < a.integer("L"); ++i)
    x = block(net, fmt::format("blocks.{}", i), x, a.integer("h"), approximate == "tanh" ? Gelu::tanh : Gelu::exact);
  x = net.apply("lnf", nn::LayerNorm(width), x);
  return net.result(net.apply("head", nn::Linear(width, a.integer("V"), {.bias = false}), x));
}

struct ModelEntry {
  const char* name;
  const char* signature;
  Network (*build)(const Arguments&, const Tensor&);
};

constexpr ModelEntry kModels[] = {
    {"MLPNet", "sizes, act", mlp},
    {"CNNNet", "cin, c1, c2, hw, ncls, bn", cnn},
    {"LSTMNet", "i, h, ncls, layers, kind", recurrent},
    {"GPTNet", "V, T, d, h, L, approx", gpt},
};

}  // namespace

Network build_network(const std::string& model, const List& arguments, const Tensor& x, const Context& context) {
  for (const ModelEntry& entry : kModels)
    if (model == entry.name) return entry.build(bind_arguments(context, model, entry.signature, arguments, {}), x);
  throw Error(fmt::format("there is no model {}", model));
}

}  // namespace pullback::golden
