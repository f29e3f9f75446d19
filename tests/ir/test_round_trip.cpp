// Random graphs, printed and parsed, are the same graphs.
#include <catch2/catch.hpp>

#include <cstring>
#include <random>

#include "compiler/ir/builder.h"
#include "compiler/ir/text.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/registry.h"

using namespace pullback;
using namespace pullback::ir;

namespace {

// Grows a function op by op: elementwise ops, constants of any bits, broadcasts to symbolic shapes, cond with regions.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {}

  std::unique_ptr<Function> make() {
    auto function = std::make_unique<Function>();
    function->name = random_name();
    const Type type{f32, {dim("n"), pick(5)}};
    for (std::size_t i = 0; i < 3; ++i)
      function->add_argument(type, random_name() + std::to_string(i), i ? ArgumentRole::state : ArgumentRole::input);
    function->add_argument({boolean, {}}, "predicate!");
    grow(function->body, 10 + pick(10), 0);
    const auto values = values_like(function->body, type);
    function->add_result(values.back(), random_name());
    function->add_result(values[pick(values.size())], function->body.arguments[1]->name, 1);
    function->add_result(values[pick(values.size())], random_name(), 2);
    return function;
  }

 private:
  template <class Size>
  Size pick(Size n) {
    return static_cast<Size>(random_() % static_cast<unsigned>(n));
  }

  std::string random_name() {
    static const char* const names[] = {"x", "fc1.w", "h", "", "7", "a b", "\"q\\", "state", "return", "\xc3\xa9\n"};
    return names[pick(10)];
  }

  Location random_location() {
    Location location;
    if (pick(2)) location.line = {"model.cpp", pick(100)};
    if (pick(2)) location.scope = "fc" + std::to_string(pick(3));
    if (pick(3) == 0) location.role = "grad", location.origin = pick(2) ? "relu" : "";
    return location;
  }

  std::shared_ptr<const Literal> random_literal() {
    static const DType dtypes[] = {u8, u32, i32, i64, f16, bf16, f32, f64};
    auto literal = std::make_shared<Literal>(dtypes[pick(8)], std::vector<std::int64_t>{pick(40), pick(4)});
    const bool splat = pick(3) == 0;
    for (std::size_t i = 0; i < literal->bytes.size(); ++i)
      literal->bytes[i] = splat ? std::byte{0x7f} : static_cast<std::byte>(random_());
    return literal;
  }

  static std::vector<Value*> values_like(const Region& region, const Type& type) {
    std::vector<Value*> values;
    for (const auto& argument : region.arguments)
      if (argument->type == type) values.push_back(argument.get());
    for (const auto& op : region.ops)
      for (const auto& result : op->results)
        if (result->type == type) values.push_back(result.get());
    return values;
  }

  std::unique_ptr<Region> random_region(const Type& type, int depth) {
    auto region = std::make_unique<Region>();
    region->add_argument({boolean, {}}, random_name());
    region->add_argument(type, random_name());
    grow(*region, pick(4), depth + 1, 1);
    region->results = {values_like(*region, type).back()};
    return region;
  }

  void grow(Region& region, int ops, int depth, std::size_t first = 0) {
    const Type type = region.arguments[first]->type;
    Builder builder(region);
    for (; ops > 0; --ops) {
      const auto values = values_like(region, type);
      const auto value = [&] { return values[pick(values.size())]; };
      builder.location = random_location();
      Op* op = nullptr;
      switch (pick(depth < 3 ? 6 : 4)) {
        case 0:
          op = builder.create(ops::op_add, {value(), value()});
          break;
        case 1:
          op = builder.create(ops::op_tanh, {value()});
          break;
        case 2:
          op = builder.create(ops::op_constant, {}, {{"value", random_literal()}});
          break;
        case 3:
          op = builder.create(ops::op_reduce_sum, {value()}, {{"axes", Integers{0, 1}}});
          break;
        default: {
          Value* predicate = values_like(region, {boolean, {}}).front();
          std::vector<std::unique_ptr<Region>> regions;
          for (int i = 0; i < 2; ++i) regions.push_back(random_region(type, depth));
          op = builder.create(ops::op_cond, {predicate, predicate, value()}, {}, std::move(regions));
        }
      }
      if (pick(2)) op->result()->name = random_name();
    }
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("random graphs survive printing and parsing") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const auto function = RandomGraph(seed).make();
    const std::string text = print(*function, {.inline_constant_limit = 16});
    INFO("seed " << seed << "\n" << text);
    REQUIRE(find_violation(*function) == "");
    const auto again = parse(text, ops::registry());
    REQUIRE(again.size() == 1);
    CHECK(equal(*function, *again[0], true));
    CHECK(again[0]->name == function->name);
    CHECK(print(*again[0], {.inline_constant_limit = 16}) == text);
    CHECK(equal(*function, *clone(*function), true));
  }
}
