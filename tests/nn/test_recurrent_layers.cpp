// Recurrent layers: directions, layers, cells, states.
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;
using Names = std::vector<std::string>;

namespace {

Array wave(std::vector<std::int64_t> dims) {
  Array array(f32, std::move(dims));
  int i = 0;
  for (float& v : array.values<float>()) v = std::sin(0.9F * static_cast<float>(i++));
  return array;
}

double largest_difference(const Array& a, const Array& b) {
  const Numbers x = numbers(a), y = numbers(b);
  REQUIRE(x.size() == y.size());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

}  // namespace

TEST_CASE("cells, step by step, are the layer") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {4, 2, 3});
  nn::LSTM lstm(3, 5);
  nn::LSTMCell lstm_cell(3, 5);
  nn::GRU gru(3, 5);
  nn::GRUCell gru_cell(3, 5);
  nn::RNN rnn(3, 5, {.nonlinearity = RnnActivation::relu});
  nn::RNNCell rnn_cell(3, 5, {.nonlinearity = RnnActivation::relu});
  const auto tie = [](const nn::Module& cell, const nn::Module& layer) {
    for (const std::string name : {"w_ih", "w_hh", "b_ih", "b_hh"}) cell.tie(name, layer, name + "_l0");
  };
  tie(lstm_cell, lstm);
  tie(gru_cell, gru);
  tie(rnn_cell, rnn);
  std::vector<Tensor> a, b, c;
  nn::LSTMCell::State state;
  Tensor h, r;
  for (int t = 0; t < 4; ++t) {
    const Tensor step = squeeze(narrow(x, 0, t, 1), 0);
    state = lstm_cell(step, state);
    h = gru_cell(step, h);
    r = rnn_cell(step, r);
    a.push_back(state.h);
    b.push_back(h);
    c.push_back(r);
  }
  const Recurrent whole = lstm(x);
  const Outputs out =
      g.compile({whole.y, stack(a), squeeze(whole.c, 0), state.c, gru(x).y, stack(b), rnn(x).y, stack(c)})
          .step({{x, wave({4, 2, 3})}});
  for (int i = 0; i < 8; i += 2) CHECK(largest_difference(out[i], out[i + 1]) < 1e-6);
  CHECK(g.parameters().size() == 12);
}

TEST_CASE("a bidirectional network reads both ways, a plain one only the past") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 5, 3});
  nn::GRU forward({}, 4, {.num_layers = 2, .batch_first = true});
  nn::GRU both({}, 4, {.num_layers = 2, .batch_first = true, .bidirectional = true});
  Program program = g.compile({forward(x).y, both(x).y, both(x).h});
  CHECK(both(x).y.type_string() == "f32[batch,5,8]");
  CHECK(both(x).h.type_string() == "f32[4,batch,4]");
  Array first = wave({1, 5, 3}), changed = wave({1, 5, 3});
  changed.values<float>()[14] += 1;  // in the last step
  const Outputs before = program.step({{x, first}}), after = program.step({{x, changed}});
  const Numbers f0 = numbers(before[0]), f1 = numbers(after[0]), b0 = numbers(before[1]), b1 = numbers(after[1]);
  for (std::size_t i = 0; i < 16; ++i) CHECK(f0[i] == f1[i]);
  CHECK(f0[16] != f1[16]);
  CHECK(b0[4] != b1[4]);
}

TEST_CASE("names are PyTorch's; a network with dropout and projection learns") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {4, dim("batch"), 2}), y = g.input("y", f64, {dim("batch"), 3});
  nn::LSTM lstm({}, 6, {.num_layers = 2, .dropout = 0.1, .proj_size = 3});
  lstm.set_name("lstm");
  const Tensor last = squeeze(narrow(lstm(x).y, 0, 3, 1), 0);
  Names names;
  for (const nn::ParameterInfo& info : lstm.named_parameters()) names.push_back(info.name);
  CHECK(names == Names{"lstm.w_ih_l0", "lstm.w_hh_l0", "lstm.b_ih_l0", "lstm.b_hh_l0", "lstm.w_hr_l0", "lstm.w_ih_l1",
                       "lstm.w_hh_l1", "lstm.b_ih_l1", "lstm.b_hh_l1", "lstm.w_hr_l1"});
  Trainer trainer(g, {.loss = mse(last, y), .optimizer = Adam{.lr = 0.02}});
  const Array input = Array::from(Numbers{1, 0, 0, 1, -1, 1, 1, 1, 0, 0, 1, -1, 0.5, 1, -1, 0}, {4, 2, 2});
  const Array target = Array::from(Numbers{0.2, -0.1, 0, -0.2, 0.1, 0.1}, {2, 3});
  const double first = trainer.observe(input, target);
  double loss = first;
  for (int i = 0; i < 80; ++i) loss = trainer.observe(input, target);
  CHECK(loss < 0.5 * first);
  CHECK_THAT(error_of([&] { nn::named("other", nn::LSTM(3, 2))(x); }),
             Contains("LSTM other: x is f64[4,batch,2]: axis -1 is 2, but in is 3 (test_recurrent_layers.cpp:"));
}

}  // namespace pullback::test
