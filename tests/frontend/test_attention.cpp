// Attention: against its definition, with masks of all kinds, and with PyTorch's weights.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

using Catch::Matchers::Contains;

namespace {

// Numbers that look random, the same each time.
Argument spread(std::vector<std::int64_t> dims, double phase) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) count *= size;
  Argument argument{std::move(dims), {}};
  for (std::int64_t i = 0; i < count; ++i) argument.numbers.push_back(std::sin(1.7 * static_cast<double>(i) + phase));
  return argument;
}

Array booleans(const std::vector<int>& numbers, std::vector<std::int64_t> dims) {
  Array array(boolean, std::move(dims));
  for (std::size_t i = 0; i < numbers.size(); ++i) array.values<bool>()[i] = numbers[i] != 0;
  return array;
}

}  // namespace

TEST_CASE("attention is a softmax of products") {
  const std::vector<Argument> qkv{spread({2, 3, 4}, 0), spread({2, 5, 4}, 1), spread({2, 5, 3}, 2)};
  const Numbers plain =
      differentiate(qkv, [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); }).value;
  check_close(plain, differentiate(qkv, [](const auto& x) {
                       return matmul(softmax(matmul(x[0], transpose(x[1])) / 2.0), x[2]);
                     }).value);
  check_gradients(qkv, [](const auto& x) {
    return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true, .scale = 0.7});
  });
}

// Against what attention is said to be, composed of products and a softmax; value and gradients.
TEST_CASE("attention in blocks is a softmax of products") {
  struct Sizes {
    std::int64_t queries, keys, features, value_features;
  };
  // One block and several, whole ones and tails.
  for (const Sizes n : {Sizes{9, 17, 5, 3}, {32, 32, 8, 8}, {70, 150, 4, 20}, {101, 67, 3, 1}, {64, 520, 2, 2}})
    for (const bool causal : {false, true}) {
      const std::vector<Argument> qkv{spread({2, n.queries, n.features}, 0), spread({2, n.keys, n.features}, 1),
                                      spread({2, n.keys, n.value_features}, 2)};
      const auto blocks = [&](const auto& x) {
        return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal, .scale = 0.7});
      };
      const auto composed = [&](const auto& x) {
        Tensor scores = matmul(x[0], transpose(x[1])) * 0.7;
        if (causal) scores = where(tril(full_like(scores, 1)) > 0.0, scores, -kInfinity);
        return matmul(softmax(scores), x[2]);
      };
      const Outcome found = differentiate(qkv, blocks), expected = differentiate(qkv, composed);
      check_close(found.value, expected.value);
      for (std::size_t i = 0; i < qkv.size(); ++i) check_close(found.gradients[i], expected.gradients[i]);
    }
}

TEST_CASE("attention in blocks adds masks, leaves keys out, and differentiates them") {
  const std::vector<Argument> arguments{spread({2, 40, 4}, 0), spread({2, 70, 4}, 1), spread({2, 70, 3}, 2),
                                        spread({40, 70}, 3)};
  const auto composed = [](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& added) {
    return matmul(softmax(matmul(q, transpose(k)) / 2.0 + added), v);
  };
  const auto compare = [&](const auto& blocks, const auto& expected_of) {
    const Outcome found = differentiate(arguments, blocks), expected = differentiate(arguments, expected_of);
    check_close(found.value, expected.value);
    for (std::size_t i = 0; i < arguments.size(); ++i) check_close(found.gradients[i], expected.gradients[i]);
  };
  // A mask that has a gradient, one that has none, and keys left out: of all queries, and of each its own.
  compare([](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = x[3]}); },
          [&](const auto& x) { return composed(x[0], x[1], x[2], x[3]); });
  compare(
      [](const auto& x) {
        return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = stop_gradient(x[3])}) + sum(x[3]);
      },
      [&](const auto& x) { return composed(x[0], x[1], x[2], stop_gradient(x[3])) + sum(x[3]); });
  for (const int rows : {1, 40})
    compare(
        [&](const auto& x) {
          return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = narrow(x[3], 0, 0, rows) > -0.3}) + sum(x[3]);
        },
        [&](const auto& x) {
          return composed(x[0], x[1], x[2], cast(where(narrow(x[3], 0, 0, rows) > -0.3, 0.0, -kInfinity), f64)) +
                 sum(x[3]);
        });
}

TEST_CASE("a row of a block without keys is 0, and so are its gradients") {
  const std::vector<Argument> qkv{spread({40, 4}, 0), spread({70, 4}, 1), spread({70, 3}, 2)};
  const Outcome found = differentiate(qkv, [](const auto& x) {
    const Tensor row = Graph(x[0].trace()).iota({40, 1}, 0);
    return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = row > 2});
  });
  for (std::size_t i = 0; i < 9; ++i) CHECK(found.value[i] == 0);
  for (std::size_t i = 0; i < 12; ++i) CHECK(found.gradients[0][i] == 0);
  for (const Numbers& gradient : found.gradients)
    for (const double x : gradient) CHECK(std::isfinite(x));
}

TEST_CASE("a gradient of attention's gradient") {
  const std::vector<Argument> qkv{spread({9, 2}, 0), spread({17, 2}, 1), spread({17, 1}, 2)};
  check_gradients(qkv, [](const auto& x) {
    const Tensor y = scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true});
    return gradients(sum(y * y), {x[0]})[0];
  });
}

TEST_CASE("masked keys are not seen, and a row without keys is 0") {
  Graph g("g");
  const Tensor q = g.input("q", f64, {2, 1}), k = g.input("k", f64, {3, 1}), v = g.input("v", f64, {3, 1});
  const Tensor mask = g.input("mask", boolean, {2, 3}), bias = g.input("bias", f64, {1, 3});
  const std::vector<Feed> feeds{{q, Array::from(Numbers{0, 0}, {2, 1})},
                                {k, Array::from(Numbers{1, 2, 3}, {3, 1})},
                                {v, Array::from(Numbers{1, 2, 6}, {3, 1})}};
  std::vector<Feed> with_mask = feeds, with_bias = feeds;
  with_mask.emplace_back(mask, booleans({0, 0, 0, 1, 0, 1}, {2, 3}));
  with_bias.emplace_back(bias, Array::from(Numbers{0, -kInfinity, std::log(3.0)}, {1, 3}));
  const Tensor masked = scaled_dot_product_attention(q, k, v, {.mask = mask});
  std::vector<Tensor> outputs{masked};
  for (const Tensor& gradient : gradients(sum(masked), {q, v})) outputs.push_back(gradient);
  const Outputs found = g.compile(outputs).step(with_mask);
  check_close(numbers(found[0]), {0, 3.5});
  check_close(numbers(found[1]), {0, 2.5});
  check_close(numbers(found[2]), {0.5, 0, 0.5});
  check_close(values(g, scaled_dot_product_attention(q, k, v, {.mask = bias}), with_bias), {4.75, 4.75});
  check_close(values(g, scaled_dot_product_attention(q, k, v, {.causal = true}), feeds), {1, 1.5});
}

TEST_CASE("queries share keys in groups") {
  const std::vector<Argument> qkv{spread({4, 2, 3}, 0), spread({2, 5, 3}, 1), spread({2, 5, 3}, 2)};
  const auto repeated = [](const Tensor& x) { return take(x, Graph(x.trace()).iota({4}, 0) / 2); };
  check_close(
      differentiate(
          qkv, [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.grouped_queries = true}); })
          .value,
      differentiate(qkv, [&](const auto& x) {
        return scaled_dot_product_attention(x[0], repeated(x[1]), repeated(x[2]));
      }).value);
}

TEST_CASE("multi-head attention projects, splits, attends and joins") {
  // x [L,N,E] = [3,2,4], two heads.
  const std::vector<Argument> arguments{spread({3, 2, 4}, 0), spread({12, 4}, 1), spread({12}, 2), spread({4, 4}, 3),
                                        spread({4}, 4)};
  const auto own = [](const std::vector<Tensor>& x) {
    const Tensor projected = linear(transpose(x[0], 0, 1), x[1], x[2]);  // [2,3,12]
    const auto heads = [&](std::int64_t part) {
      return permute(reshape(narrow(projected, 2, 4 * part, 4), {2, 3, 2, 2}), {0, 2, 1, 3});
    };
    const Tensor mixed = scaled_dot_product_attention(heads(0), heads(1), heads(2), {.causal = true});
    return transpose(linear(reshape(permute(mixed, {0, 2, 1, 3}), {2, 3, 4}), x[3], x[4]), 0, 1);
  };
  const auto library = [](const std::vector<Tensor>& x) {
    return multi_head_attention(x[0], x[0], x[0],
                                {.in_proj = x[1], .in_proj_bias = x[2], .out_proj = x[3], .out_proj_bias = x[4]},
                                {.heads = 2, .causal = true})
        .output;
  };
  const Outcome expected = differentiate(arguments, own), found = differentiate(arguments, library);
  check_close(found.value, expected.value);
  for (std::size_t i = 0; i < arguments.size(); ++i) check_close(found.gradients[i], expected.gradients[i]);
}

TEST_CASE("weights of attention, other widths, further keys") {
  Graph g("g");
  const Tensor q = g.input("q", f64, {2, 4}), k = g.input("k", f64, {3, 5}), v = g.input("v", f64, {3, 6});
  const auto input = [&](const char* name, Shape shape) { return g.input(name, f64, std::move(shape)); };
  const MultiHeadWeights weights{.q_proj = input("wq", {4, 4}),
                                 .k_proj = input("wk", {4, 5}),
                                 .v_proj = input("wv", {4, 6}),
                                 .out_proj = input("wo", {4, 4}),
                                 .bias_k = input("bk", {4}),
                                 .bias_v = input("bv", {4})};
  const Tensor padding = g.input("padding", boolean, {3});
  MultiHeadOptions options{.heads = 2, .key_padding_mask = padding, .causal = true, .add_zero_attention = true};
  options.need_weights = true;
  const MultiHeadResult averaged = multi_head_attention(q, k, v, weights, options);
  options.average_weights = false;
  const MultiHeadResult single = multi_head_attention(q, k, v, weights, options);
  CHECK(averaged.output.shape() == Shape{2, 4});
  CHECK(averaged.weights.shape() == Shape{2, 5});
  CHECK(single.weights.shape() == Shape{2, 2, 5});
  std::vector<Feed> feeds{{padding, booleans({0, 1, 0}, {3})}};
  double phase = 0;
  for (const Tensor& t :
       {q, k, v, weights.q_proj, weights.k_proj, weights.v_proj, weights.out_proj, weights.bias_k, weights.bias_v}) {
    std::vector<std::int64_t> dims;
    for (const Dim& size : t.shape()) dims.push_back(size.constant());
    const Argument argument = spread(dims, phase++);
    feeds.emplace_back(t, Array::from(argument.numbers, argument.dims));
  }
  const Outputs found =
      g.compile({averaged.weights, mean(single.weights, 0), sum(averaged.weights, -1), averaged.output}).step(feeds);
  check_close(numbers(found[0]), numbers(found[1]));
  check_close(numbers(found[2]), {1, 1});
  const Numbers rows = numbers(found[0]);
  CHECK((rows[1] == 0 && rows[2] == 0 && rows[6] == 0 && rows[7] == 0));  // ahead, or padding
  CHECK((rows[0] > 0 && rows[3] > 0 && rows[4] > 0 && rows[8] > 0));
}

TEST_CASE("attention rejects what does not fit") {
  Graph g("g");
  const Tensor q = g.input("q", f32, {2, 3, 4}), k = g.input("k", f32, {2, 5, 6}), m = g.input("m", i32, {3, 3});
  const Tensor w = g.input("w", f32, {12, 4}), o = g.input("o", f32, {4, 4});
  CHECK_THAT(error_of([&] { scaled_dot_product_attention(q, k, k); }),
             Contains("query is f32[2,3,4], key is f32[2,5,6], value is f32[2,5,6]: query and key differ"));
  CHECK_THAT(error_of([&] { scaled_dot_product_attention(q, q, k); }), Contains("as many values as keys"));
  CHECK_THAT(error_of([&] { scaled_dot_product_attention(q, q, q, {.mask = m}); }), Contains("the mask is i32[3,3]"));
  CHECK_THAT(error_of([&] { multi_head_attention(q, q, q, {.in_proj = w, .out_proj = o}, {.heads = 3}); }),
             Contains("multi_head_attention: query is f32[2,3,4]: 4 features don't make 3 heads"));
  CHECK_THAT(error_of([&] { multi_head_attention(q, q, q, {.in_proj = o, .out_proj = o}, {.heads = 2}); }),
             Contains("in_proj is f32[4,4], but f32[12,4] is needed"));
}

}  // namespace pullback::test
