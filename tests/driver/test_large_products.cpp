// Matrix products that are large enough to be cut into blocks, packed and shared among threads: each element is one
// chain of fused multiply-adds over k, to the last bit.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

pb::Array random_floats(std::vector<std::int64_t> dims, unsigned seed) {
  pb::Array array(pb::f32, std::move(dims));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& value : array.values<float>()) value = uniform(random);
  return array;
}

struct Product {
  std::int64_t m, n, k;
  bool a_transposed = false, b_transposed = false;
  bool bias = false;  // the sums themselves are not kept
};

void check_product(const Product& p, const pb::CompileOptions& options) {
  CAPTURE(p.m, p.n, p.k, p.a_transposed, p.b_transposed, p.bias, options.target);
  const pb::Array a = random_floats(p.a_transposed ? std::vector{p.k, p.m} : std::vector{p.m, p.k}, 1);
  const pb::Array b = random_floats(p.b_transposed ? std::vector{p.n, p.k} : std::vector{p.k, p.n}, 2);
  const pb::Array bias = random_floats({p.n}, 3);
  pb::Graph g("product");
  const pb::Tensor x = g.input("a", pb::f32, {a.dims()[0], a.dims()[1]});
  const pb::Tensor y = g.input("b", pb::f32, {b.dims()[0], b.dims()[1]});
  const pb::Tensor z = g.input("bias", pb::f32, {p.n});
  pb::Tensor c = pb::matmul(p.a_transposed ? pb::transpose(x) : x, p.b_transposed ? pb::transpose(y) : y);
  std::vector<pb::Feed> feeds{{"a", a}, {"b", b}};
  if (p.bias) {
    c = c + z;
    feeds.emplace_back("bias", bias);
  }
  pb::Program program = g.compile({c}, options);
  const pb::Outputs outputs = program.step(feeds);
  const auto at = [](const pb::Array& array, std::int64_t i) {
    return array.values<float>()[static_cast<std::size_t>(i)];
  };
  std::mt19937 random(4);
  int wrong = 0;
  for (int sample = 0; sample < 400; ++sample) {
    // The corners, then anywhere.
    const std::int64_t i = sample < 4 ? (sample & 1) * (p.m - 1) : static_cast<std::int64_t>(random() % p.m);
    const std::int64_t j = sample < 4 ? (sample >> 1) * (p.n - 1) : static_cast<std::int64_t>(random() % p.n);
    float sum = 0;
    for (std::int64_t k = 0; k < p.k; ++k)
      sum = std::fma(at(a, p.a_transposed ? k * p.m + i : i * p.k + k),
                     at(b, p.b_transposed ? j * p.k + k : k * p.n + j), sum);
    if (p.bias) sum += at(bias, j);
    const float got = at(outputs[0], i * p.n + j);
    if (got == sum) continue;
    if (wrong++ == 0) UNSCOPED_INFO("the first: element " << i << "," << j << " is " << got << " instead of " << sum);
  }
  CHECK(wrong == 0);
}

const Product kProducts[] = {
    {133, 1027, 1027},
    {133, 205, 1027},
    {1029, 205, 140, true},
    {133, 605, 1100, false, true},
    {1029, 333, 140, true, true},
    {70, 530, 2100},
    {70, 530, 2100, false, false, true},
    {1100, 1030, 160, true},
    {21, 50, 33333, false, false, true},
    {1, 700, 513},
    {2, 700, 513, false, false, true},
    {515, 1, 700, true},
    {7000, 4, 1024},
    {515, 10, 130, true},
    // Seven vectors of columns, for either width: panels of three, two and two side by side in a strip.
    {700, 56, 1100, false, true},
    {700, 112, 1100, false, true},
    // Strided rows, and columns for more rows than a copy costs.
    {200, 40, 1500, true},
    {400, 72, 600},
};

}  // namespace

TEST_CASE("large products are exact chains") {
  for (const Product& product : kProducts)
    for (const int threads : {1, 2}) check_product(product, {.threads = threads});
}

TEST_CASE("large products for a target with fewer and narrower registers") {
  for (const Product& product : kProducts) check_product(product, {.target = "x86-64-v3", .threads = 1});
}
