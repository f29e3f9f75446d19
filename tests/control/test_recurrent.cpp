// Recurrent networks against their equations, written out step by step.
#include "tests/control/support.h"

namespace pullback::test {

namespace {

using Tensors = std::vector<Tensor>;

RecurrentWeights weights_of(Graph& g, const std::string& name, DType dtype, std::int64_t rows, std::int64_t inputs,
                            std::int64_t state) {
  return {g.input(name + "_w_ih", dtype, {rows, inputs}),
          g.input(name + "_w_hh", dtype, {rows, state}),
          g.input(name + "_b_ih", dtype, {rows}),
          g.input(name + "_b_hh", dtype, {rows}),
          {}};
}

std::vector<Feed> random_feeds(const Tensors& inputs) {
  std::vector<Feed> feeds;
  unsigned seed = 1;
  for (const Tensor& t : inputs) {
    std::vector<std::int64_t> dims;
    for (const Dim& d : t.shape()) dims.push_back(d.constant());
    feeds.emplace_back(t, random_array(t.dtype(), dims, seed++));
  }
  return feeds;
}

Tensor at(const Tensor& x, int i) {
  return squeeze(narrow(x, 0, i, 1), 0);
}

}  // namespace

TEST_CASE("lstm: two layers, both directions, with projection, are their equations", "[control][recurrent]") {
  for (const DType dtype : {f32, f64}) {
    constexpr int T = 3, B = 2, I = 3, H = 4, P = 2;
    Graph g("lstm");
    const Tensor x = g.input("x", dtype, {T, B, I}), h0 = g.input("h0", dtype, {4, B, P}),
                 c0 = g.input("c0", dtype, {4, B, H});
    std::vector<RecurrentWeights> w;
    Tensors wrt{x, h0, c0};
    for (int i = 0; i < 4; ++i) {
      w.push_back(weights_of(g, "l" + std::to_string(i), dtype, 4 * H, i < 2 ? I : 2 * P, P));
      w.back().w_hr = g.input("w_hr" + std::to_string(i), dtype, {P, H});
      for (const Tensor& t : {w.back().w_ih, w.back().w_hh, w.back().b_ih, w.back().b_hh, w.back().w_hr})
        wrt.push_back(t);
    }
    const Recurrent r = lstm(x, w, h0, c0, {.bidirectional = true});
    Tensors ys, hs, cs;
    for (int t = 0; t < T; ++t) ys.push_back(at(x, t));
    for (int layer = 0; layer < 2; ++layer) {
      std::vector<Tensors> directions(2, Tensors(T));
      for (int d = 0; d < 2; ++d) {
        const RecurrentWeights& v = w[static_cast<std::size_t>(2 * layer + d)];
        Tensor h = at(h0, 2 * layer + d), c = at(c0, 2 * layer + d);
        for (int step = 0; step < T; ++step) {
          const int t = d == 0 ? step : T - 1 - step;
          const Tensor all = matmul(ys[static_cast<std::size_t>(t)], transpose(v.w_ih)) + v.b_ih +
                             matmul(h, transpose(v.w_hh)) + v.b_hh;
          const Tensor i = sigmoid(narrow(all, 1, 0, H)), f = sigmoid(narrow(all, 1, H, H)),
                       n = tanh(narrow(all, 1, 2 * H, H)), o = sigmoid(narrow(all, 1, 3 * H, H));
          c = f * c + i * n;
          h = matmul(o * tanh(c), transpose(v.w_hr));
          directions[static_cast<std::size_t>(d)][static_cast<std::size_t>(t)] = h;
        }
        hs.push_back(h);
        cs.push_back(c);
      }
      for (std::size_t t = 0; t < T; ++t) ys[t] = concat({directions[0][t], directions[1][t]}, 1);
    }
    const Tensor y = stack(ys), h = stack(hs), c = stack(cs);
    const auto loss = [](const Tensor& a, const Tensor& b, const Tensor& d) {
      return sum(sin(a)) + sum(square(b)) + sum(d * 0.5);
    };
    Tensors actual{r.y, r.h, r.c}, expected{y, h, c};
    for (const Tensor& t : gradients(loss(r.y, r.h, r.c), wrt)) actual.push_back(t);
    for (const Tensor& t : gradients(loss(y, h, c), wrt)) expected.push_back(t);
    check_equal(g, actual, expected, random_feeds(wrt), 10 * tolerance_of(dtype));
  }
}

TEST_CASE("gru and rnn are their equations; batch first, without batch, without biases", "[control][recurrent]") {
  for (const DType dtype : {f32, f64}) {
    constexpr int T = 4, I = 3, H = 2;
    Graph g("gru");
    const Tensor x = g.input("x", dtype, {T, I}), h0 = g.input("h0", dtype, {1, H});
    const RecurrentWeights w = weights_of(g, "gru", dtype, 3 * H, I, H), v = weights_of(g, "rnn", dtype, H, I, H);
    Tensors hs, rs;
    Tensor h = at(h0, 0), s = at(h0, 0);
    for (int t = 0; t < T; ++t) {
      const Tensor a = matmul(w.w_ih, at(x, t)) + w.b_ih, b = matmul(w.w_hh, h) + w.b_hh;
      const Tensor r = sigmoid(narrow(a, 0, 0, H) + narrow(b, 0, 0, H)),
                   z = sigmoid(narrow(a, 0, H, H) + narrow(b, 0, H, H)),
                   n = tanh(narrow(a, 0, 2 * H, H) + r * narrow(b, 0, 2 * H, H));
      h = (1 - z) * n + z * h;
      s = relu(matmul(v.w_ih, at(x, t)) + matmul(v.w_hh, s));
      hs.push_back(h);
      rs.push_back(s);
    }
    RecurrentWeights plain = v;
    plain.b_ih = plain.b_hh = {};
    const Recurrent r = gru(x, {w}, h0), q = rnn(x, {plain}, h0, RnnActivation::relu);
    const Tensor batched = expand(unsqueeze(x, 0), {2, -1, -1});
    const Recurrent first = gru(batched, {w}, expand(unsqueeze(h0, 1), {-1, 2, -1}), {.batch_first = true});
    CHECK(first.y.shape() == Shape{2, T, H});
    const Tensors wrt{x, h0, w.w_ih, w.w_hh, w.b_ih, w.b_hh, v.w_ih, v.w_hh};
    const auto all = [&](const Tensor& y, const Tensor& last, const Tensor& y2) {
      Tensors list{y, last, y2};
      for (const Tensor& t : gradients(sum(sin(y)) + sum(last) + sum(square(y2)), wrt)) list.push_back(t);
      return list;
    };
    Tensors actual = all(r.y, r.h, q.y), expected = all(stack(hs), unsqueeze(h, 0), stack(rs));
    actual.push_back(at(first.y, 1));
    expected.push_back(stack(hs));
    check_equal(g, actual, expected, random_feeds(wrt), 10 * tolerance_of(dtype));
  }
}

TEST_CASE("Recurrent networks say which weight does not fit", "[control][recurrent][errors]") {
  Graph g("wrong");
  const Tensor x = g.input("x", f32, {dim("time"), dim("batch"), 3});
  const RecurrentWeights w = weights_of(g, "w", f32, 16, 3, 4), other = weights_of(g, "v", f32, 16, 5, 4);
  CHECK(lstm(x, {w}).y.type_string() == "f32[time,batch,4]");
  CHECK_THAT(error_of([&] { lstm(x, {other}); }), Catch::Contains("lstm: w_ih of entry 0 is f32[16,5], not [16,3]") &&
                                                      Catch::Contains("test_recurrent.cpp"));
  CHECK_THAT(error_of([&] { gru(x, {w}); }), Catch::Contains("gru: w_ih of entry 0 is f32[16,3]: [3H,I] is needed"));
  CHECK_THAT(error_of([&] { lstm(x, {w}, {}, {}, {.bidirectional = true}); }),
             Catch::Contains("1 weights are given for 2 directions"));
  CHECK_THAT(error_of([&] { lstm(x, {w}, g.input("h0", f32, {2, dim("batch"), 4})); }),
             Catch::Contains("h0 is f32[2,batch,4], not [1,batch,4]"));
  CHECK_THAT(error_of([&] { rnn(g.input("s", f32, {3}), {w}); }), Catch::Contains("x is f32[3]"));
}

}  // namespace pullback::test
