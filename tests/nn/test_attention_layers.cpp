// Attention and transformers: masks that mask, the future that stays unseen, modes.
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;

namespace {

// [1,4,8] with the batch first; the last step can be changed.
Array tokens(float last = 0) {
  Array array(f32, {1, 4, 8});
  int i = 0;
  for (float& v : array.values<float>()) v = std::sin(0.7F * static_cast<float>(i++));
  array.values<float>()[24] += last;
  return array;
}

bool same(const Array& a, const Array& b, std::size_t from, std::size_t to) {
  const Numbers x = numbers(a), y = numbers(b);
  return std::equal(x.begin() + static_cast<std::ptrdiff_t>(from), x.begin() + static_cast<std::ptrdiff_t>(to),
                    y.begin() + static_cast<std::ptrdiff_t>(from));
}

Array bools(std::vector<bool> values, std::vector<std::int64_t> dims) {
  Array array(boolean, std::move(dims));
  for (std::size_t i = 0; i < values.size(); ++i) array.values<bool>()[i] = values[i];
  return array;
}

}  // namespace

TEST_CASE("what a mask hides changes nothing") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4, 8}), padding = g.input("padding", boolean, {dim("batch"), 4});
  const Tensor bias = g.input("bias", f32, {4, 4}), query = g.input("query", f32, {dim("batch"), 2, 8});
  nn::MultiheadAttention attention(8, 2, {.batch_first = true});
  const MultiHeadResult padded = attention(x, x, x, {.key_padding_mask = padding, .need_weights = true});
  const Tensor added = attention(x, x, x, {.attn_mask = bias}).output;
  const Tensor causal = attention(x, x, x, {.is_causal = true}).output;
  const Tensor crossed = attention(query, x, x, {.key_padding_mask = padding}).output;
  const Tensor open = attention(x);
  CHECK(padded.weights.type_string() == "f32[batch,4,4]");
  CHECK(crossed.type_string() == "f32[batch,2,8]");
  CHECK(g.parameters().size() == 4);
  Program program = g.compile({padded.output, added, causal, crossed, open, padded.weights});
  const float inf = INFINITY;
  const auto run = [&](float last) {
    return program.step({{x, tokens(last)},
                         {padding, bools({false, false, false, true}, {1, 4})},
                         {bias, floats({0, 0, 0, -inf, 0, 0, 0, -inf, 1, 0, 0, -inf, 0, 0, 0, -inf}, {4, 4})},
                         {query, floats(std::vector<float>(16, 0.3F), {1, 2, 8})}});
  };
  const Outputs a = run(0), b = run(2);
  for (int i = 0; i < 3; ++i) {
    CHECK(same(a[i], b[i], 0, 24));  // the last step changes its own result, as a query, and no other
    CHECK_FALSE(same(a[i], b[i], 24, 32));
  }
  CHECK(same(a[3], b[3], 0, 16));
  CHECK_FALSE(same(a[4], b[4], 0, 8));
  const Numbers weights = numbers(a[5]);
  CHECK(weights[3] == 0);
  CHECK(weights[0] + weights[1] + weights[2] == Approx(1));
}

TEST_CASE("transformers: causal, both orders of norm, with dropout only in training") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4, 8}), y = g.input("y", f32, {dim("batch"), 4, 8});
  const nn::TransformerLayerOptions post{.dim_feedforward = 16, .dropout = 0.2, .batch_first = true};
  nn::TransformerLayerOptions pre = post;
  pre.norm_first = true;
  pre.activation = [](const Tensor& h) { return gelu(h); };
  nn::TransformerEncoder first(2, 8, 2, post), second(1, 8, 4, pre, true);
  nn::TransformerDecoder decoder(1, 8, 2, post);
  nn::PositionalEncoding positions(8, {.batch_first = true});
  first.set_name("first");
  decoder.set_name("decoder");
  const Tensor encoded = second(first(positions(x), {.is_causal = true}), {.is_causal = true});
  const Tensor decoded = decoder(x, first(y), {.tgt_is_causal = true});
  CHECK(first.named_parameters()[0].name == "first.layers.0.self_attn.in_proj_w");
  CHECK(decoder.named_parameters()[4].name == "decoder.layers.0.multihead_attn.in_proj_w");
  Program program = g.compile({encoded, decoded});
  const Outputs a = program.step({{x, tokens()}, {y, tokens()}}), b = program.step({{x, tokens(2)}, {y, tokens()}});
  for (int i = 0; i < 2; ++i) {
    CHECK(same(a[i], b[i], 0, 24));
    CHECK_FALSE(same(a[i], b[i], 24, 32));
  }
  const Warnings unused;  // of the decoder
  Trainer trainer(g, {.loss = mse(encoded, y), .optimizer = SGD{.lr = 0}});
  const double one = trainer.observe(tokens(), tokens()), two = trainer.observe(tokens(), tokens());
  CHECK(one != two);  // dropout
}

TEST_CASE("positions are sines and cosines") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3, 5});
  const Outputs out = g.compile({nn::PositionalEncoding(5)(x)}).step({{x, Array(f64, {3, 5})}});
  const Numbers values = numbers(out[0]);
  CHECK(values[0] == 0);
  CHECK(values[1] == 1);
  CHECK(values[5] == Approx(std::sin(1)));
  CHECK(values[6] == Approx(std::cos(1)));
  CHECK(values[12] == Approx(std::sin(2 / std::pow(10000, 0.4))));
  CHECK(values[13] == Approx(std::cos(2 / std::pow(10000, 0.4))));
  CHECK(values[14] == Approx(std::sin(2 / std::pow(10000, 0.8))));
}

}  // namespace pullback::test
