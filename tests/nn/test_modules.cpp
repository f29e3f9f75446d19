// Modules: names, sharing, freezing, modes, lists, state.
#include <algorithm>
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;
using Names = std::vector<std::string>;

namespace {

// x + fc2(relu(fc1(x))), as a user writes it.
struct Block : nn::Module {
  using Module::Module;
  nn::Linear fc1 = register_module("fc1", nn::Linear(4, 6));
  nn::Linear fc2 = register_module("fc2", nn::Linear(4));
  Tensor forward(const Tensor& x) const override { return x + fc2(relu(fc1(x))); }
};

struct Net : nn::Module {
  using Module::Module;
  nn::ModuleList<Block> blocks =
      register_module("blocks", nn::ModuleList<Block>(2, [](std::size_t) { return Block(); }));
  nn::Linear head = register_module("head", nn::Linear(4, 3));
  Net() { register_parameter("gain", {4}, Initializer::constant(1)); }
  Tensor forward(const Tensor& x) const override {
    Tensor h = x * parameter("gain");
    for (const Block& block : blocks) h = block(h);
    return head(h);
  }
};

Names names_of(const nn::Module& module) {
  Names names;
  for (const nn::ParameterInfo& info : module.named_parameters()) names.push_back(info.name);
  return names;
}

Names names_of(const Graph& g) {
  Names names;
  for (const Tensor& p : g.parameters()) names.push_back(p.name());
  return names;
}

}  // namespace

TEST_CASE("a module that was moved from can't be used, and says so") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 4});
  nn::Linear fc(3);
  const nn::Linear kept = std::move(fc);
  CHECK(kept(x).shape() == Shape{2, 3});
  const auto message = Contains("a module is used that was moved from");
  CHECK_THAT(error_of([&] { fc(x); }), message && Contains("(test_modules.cpp:"));
  CHECK_THAT(error_of([&] { fc.summary(); }), message);
  CHECK_THAT(error_of([&] { fc.named_parameters(); }), message);
  CHECK_THAT(error_of([&] { fc.freeze(); }), message);
  CHECK_THAT(error_of([&] { fc.set_name("fc"); }), message);
  CHECK_THAT(error_of([&] { fc.parameter("w"); }), message && Contains("(test_modules.cpp:"));
  CHECK_THAT(error_of([&] { nn::Sequential net(fc); }), message);
  Block block;
  const Block other = std::move(block);
  CHECK_THAT(error_of([&] { block(x); }), message);
  fc = kept;
  CHECK(fc(x).shape() == Shape{2, 3});
}

TEST_CASE("errors of modules carry the user's line") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 4});
  const auto here = Contains("(test_modules.cpp:");
  CHECK_THAT(error_of([&] { nn::Module()(x); }), Contains("defines no forward(x)") && here);
  CHECK_THAT(error_of([&] { nn::Sequential({{"a b", nn::ReLU()}}); }), Contains("'a b' is no name") && here);
  CHECK_THAT(error_of([&] { nn::Linear(3).to(i32); }), Contains("i32 is no floating type") && here);
  CHECK_THAT(error_of([&] { (void)x.size(7); }), Contains("there is no axis 7 in f32[2,4]") && here);
  CHECK_THAT(error_of([&] { (void)x.named("y"); }), Contains("its name is fixed") && here);
  nn::Linear fc(3);
  fc(x);
  CHECK_THAT(error_of([&] { fc.set_name("late"); }), Contains("comes too late") && here);
}

TEST_CASE("a lambda without a function, or with one that gives nothing") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 4});
  CHECK_THAT(error_of([&] { nn::Lambda(nullptr)(x); }),
             Contains("Lambda lambda: it has no function to call (test_modules.cpp:"));
  CHECK_THAT(error_of([&] { nn::Lambda([](const Tensor&) { return Tensor(); })(x); }),
             Contains("Lambda lambda: its function gives an undefined tensor (test_modules.cpp:"));
}

TEST_CASE("full names come from the nesting") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4});
  Net net;
  net.set_name("net");
  CHECK(names_of(net) == Names{"net.gain", "net.blocks.0.fc1.w", "net.blocks.0.fc1.b", "net.blocks.1.fc1.w",
                               "net.blocks.1.fc1.b", "net.head.w", "net.head.b"});  // fc2 does not know its inputs yet
  const Tensor y = net(x);
  CHECK(y.type_string() == "f32[batch,3]");
  CHECK(names_of(net) == Names{"net.gain", "net.blocks.0.fc1.w", "net.blocks.0.fc1.b", "net.blocks.0.fc2.w",
                               "net.blocks.0.fc2.b", "net.blocks.1.fc1.w", "net.blocks.1.fc1.b", "net.blocks.1.fc2.w",
                               "net.blocks.1.fc2.b", "net.head.w", "net.head.b"});
  CHECK(g.parameters().size() == 11);
  CHECK(net.parameter_count() == 4 + 2 * (4 * 6 + 6 + 6 * 4 + 4) + 4 * 3 + 3);
  CHECK_THAT(g.function({y}).text(), Contains("\"net.blocks.1.fc2\"") && Contains("test_modules.cpp"));
}

TEST_CASE("modules without a name are named after their type, or not at all") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4});
  nn::Linear a(4), b(4, 4, {.bias = false});
  Block block;
  block(nn::LayerNorm()(b(a(x))));
  CHECK(names_of(g) == Names{"linear.w", "linear.b", "linear_1.w", "layer_norm.w", "layer_norm.b", "fc1.w", "fc1.b",
                             "fc2.w", "fc2.b"});
  CHECK_THAT(error_of([&] { Block()(x); }), Contains("the graph g already has a tensor named fc1.w"));
  {
    const auto scope = g.scope("decoder");
    nn::named("out", nn::Linear(2))(x);
  }
  CHECK(names_of(g).back() == "decoder.out.b");
  CHECK_THAT(error_of([&] { a.set_name("late"); }), Contains("Linear linear: it has met a graph"));
}

TEST_CASE("a module called twice shares its parameters; the gradient is the sum") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3}), z = g.input("z", f32, {2, 3});
  nn::Linear twin(3, 2, {.bias = false});
  const Tensor loss = sum(twin(x)) + 2.0 * sum(twin(z));
  CHECK(g.parameters().size() == 1);
  const Outputs out = g.gradient(loss, {twin.parameter("w")})
                          .compile()
                          .step({{x, floats({1, 2, 3, 4, 5, 6}, {2, 3})}, {z, floats({1, 1, 1, 2, 2, 2}, {2, 3})}});
  CHECK(numbers(out[0]) == Numbers{5 + 6, 5 + 6, 7 + 6, 7 + 6, 9 + 6, 9 + 6});
}

TEST_CASE("one module in two graphs has parameters in each") {
  nn::Linear layer(2);
  layer.set_name("fc");
  Graph first("first"), second("second", {.seed = 1});
  layer(first.input("x", f32, {1, 3}));
  const Tensor w = layer.parameter("w");
  layer(second.input("x", f32, {1, 3}));
  CHECK(first.parameters().size() == 2);
  CHECK(second.parameters().size() == 2);
  CHECK(layer.parameter("w", first).value() == w.value());
  CHECK(numbers(first.state()->get("fc.w")) != numbers(second.state()->get("fc.w")));
  CHECK_THAT(error_of([&] { layer(second.input("z", f32, {1, 5})); }),
             Contains("Linear fc: x is f32[1,5]: axis -1 is 5, but in is 3 (test_modules.cpp:"));
}

TEST_CASE("tied weights are one parameter") {
  Graph g("g");
  const Tensor ids = g.input("ids", i32, {3});
  nn::Embedding table(5, 2);
  nn::Linear head(2, 5, {.bias = false});
  head.tie_weight(table);
  const Tensor logits = head(table(ids));
  CHECK(names_of(g) == Names{"embedding.w"});
  CHECK(head.parameter_count() == 0);
  const Outputs out = g.gradient(sum(logits), {table.parameter("w")}).compile().step({{ids, ints({4, 0, 4}, {3})}});
  // d sum(E[i] . E[j]) = the sum of all rows for each id, plus the sum of the looked-up rows for every row.
  const Numbers w = numbers(g.state()->get("embedding.w")), d = numbers(out[0]);
  const int times[] = {1, 0, 0, 0, 2};
  for (std::size_t row = 0; row < 5; ++row)
    for (std::size_t k = 0; k < 2; ++k) {
      double all = 0;
      for (std::size_t r = 0; r < 5; ++r) all += w[2 * r + k];
      CHECK(d[2 * row + k] == Approx(times[row] * all + w[k] + 2 * w[8 + k]).margin(1e-5));
    }
  CHECK_THAT(error_of([&] { nn::Linear(2, 4).tie_weight(table); }),
             Contains("Linear: w is [2,4], but Embedding embedding.w is [5,2], which is used transposed"));
  nn::Linear used(2, 2), other(2, 2);
  used(g.input("x", f32, {1, 2}));
  CHECK_THAT(error_of([&] { used.tie_weight(other); }), Contains("w is in use already"));
}

TEST_CASE("frozen parameters keep their bits and nobody warns") {
  Warnings warnings;
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4}), y = g.input("y", f32, {dim("batch"), 3});
  Net net;
  net.blocks[0].freeze();
  const Tensor loss = mse(net(x), y);
  net.head.freeze();
  net.head.unfreeze();
  net.blocks[1].fc1.freeze();
  Trainer trainer(g, {.loss = loss, .optimizer = Adam{.weight_decay = 0.1}});
  CHECK(warnings.messages.empty());
  const auto values = [&] {
    std::vector<std::pair<bool, Numbers>> list;
    for (const nn::ParameterInfo& info : net.named_parameters())
      list.emplace_back(info.frozen, numbers(g.state()->get(info.name)));
    return list;
  };
  const auto before = values();
  for (int i = 0; i < 3; ++i) trainer.observe(floats({1, 2, 3, 4, -1, 0, 1, 2}, {2, 4}), Array(f32, {2, 3}));
  const auto after = values();
  CHECK(std::count_if(before.begin(), before.end(), [](const auto& entry) { return entry.first; }) == 6);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK((before[i].second == after[i].second) == before[i].first);
  CHECK_FALSE(g.state()->contains("adam.m.blocks.0.fc1.w"));
  CHECK_THAT(net.summary(), Contains("88 are frozen"));
}

TEST_CASE("modes: as the program, or one's own") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {1000});
  nn::Sequential net(nn::Dropout(0.25));
  const Tensor follows = net(x);
  net.eval();
  const Tensor never = net(x);
  net.train();
  const Tensor always = net(x);
  net.follow_program();
  Program forward = g.compile({follows, never, always});
  const Array ones = Array::from(std::vector<float>(1000, 1), {1000});
  const auto zeros = [](const Array& array) {
    const Numbers list = numbers(array);
    return std::count(list.begin(), list.end(), 0.0);
  };
  const Outputs out = forward.step({{x, ones}});
  CHECK(zeros(out[0]) == 0);
  CHECK(zeros(out[1]) == 0);
  CHECK(zeros(out[2]) == Approx(250).margin(60));
  const Array kept = out[2];
  CHECK(*std::max_element(kept.values<float>().begin(), kept.values<float>().end()) == Approx(1 / 0.75));
  CHECK(zeros(forward.step({{x, ones}})[2]) != zeros(kept));
}

TEST_CASE("modules can be listed and printed") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 1000});
  nn::Sequential net({{"fc1", nn::Linear(1000, 50)}, {"act", nn::ReLU()}, {"fc2", nn::Linear(50, 10)}});
  net.set_name("net");
  CHECK(net.parameter_count() == 50560);
  net(x);
  const std::string text = net.summary();
  INFO(text);
  CHECK_THAT(text, Contains("net    ") && Contains("  fc1  ") && Contains("Linear(1000, 50)") &&
                       Contains("f32[batch,50]") && Contains("50,050") && Contains("50,560 parameters\n"));
  CHECK(net[0].parameter("b").type_string() == "f32[50]");
  CHECK(net.parameters().size() == 4);
}

TEST_CASE("parameters take the dtype that is asked for, or that of the input") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {1, 4}), ids = g.input("ids", i64, {2});
  CHECK(nn::Linear(2)(x).dtype() == f64);
  nn::Embedding table(3, 2);
  table.to(f64);
  CHECK(table(ids).dtype() == f64);
  CHECK(nn::Embedding(3, 2)(ids).dtype() == f32);
  CHECK(nn::Embedding(3, 2, {.dtype = f64})(ids).dtype() == f64);
}

TEST_CASE("a variable's update is made with what it goes along with") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {}), z = g.input("z", f32, {}), w = g.parameter("w", {});
  const Tensor seen = g.variable("seen", {});
  const Tensor a = (x * w).named("a"), b = (z * w).named("b");
  g.update_along(a, seen, g.latest(seen) + x);
  g.update_along(b, seen, g.latest(seen) * 10.0 + z);
  const std::vector<Feed> only_x{{x, Array::scalar(2.0F)}}, only_z{{z, Array::scalar(3.0F)}};
  Trainer(g, {.loss = a, .optimizer = SGD{}}).observe(only_x);
  CHECK(g.state()->get("seen").item() == 2);
  Trainer(g, {.loss = b, .optimizer = SGD{}}).observe(only_z);
  CHECK(g.state()->get("seen").item() == 23);
  Trainer(g, {.loss = a + b, .optimizer = SGD{}}).observe({only_x[0], only_z[0]});
  CHECK(g.state()->get("seen").item() == 253);
}

TEST_CASE("mistakes with modules are named") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4}), n = g.input("n", i32, {4});
  struct Empty : nn::Module {
    using Module::Module;
    void twice() {
      register_module("a", nn::Linear(1));
      register_module("a", nn::Linear(1));
    }
    void spelled() { register_parameter("no.dots", {1}); }
    void inside() { attach("self", *this); }
  };
  const auto message = [](auto&& action) { return error_of(action); };
  CHECK_THAT(message([&] { Empty("net")(x); }), Contains("module net: it is called with one tensor, f32[batch,4]"));
  CHECK_THAT(message([&] { Empty("net").twice(); }),
             Contains("module net: it already has a part named a (test_modules"));
  CHECK_THAT(message([&] { Empty("net").spelled(); }), Contains("'no.dots' is no name"));
  CHECK_THAT(message([&] { Empty("net").inside(); }), Contains("self would be a part of itself"));
  CHECK_THAT(message([&] { Empty("net").parameter("w"); }),
             Contains("module net: it has met no graph") && Contains("(test_modules.cpp:"));
  CHECK_THAT(message([&] { Empty("net").parameter("w", g); }), Contains("it has no parameter or statistic w"));
  CHECK_THAT(message([&] { nn::named("fc", nn::Linear(3, 2))(x); }),
             Contains("Linear fc: x is f32[batch,4]: axis -1 is 4, but in is 3 (test_modules.cpp:"));
  CHECK_THAT(message([&] { nn::named("fc1", nn::Linear(2))(n); }), Contains("Linear fc1: the operand is i32[4]"));
  CHECK_THAT(message([&] { nn::Linear(2)(Tensor()); }), Contains("Linear: an operand is an undefined tensor"));
  CHECK_THAT(message([&] { nn::Linear(0); }), Contains("Linear: out is 0: at least 1 is needed (test_modules.cpp:"));
  CHECK_THAT(message([&] { nn::Dropout(1.5); }), Contains("Dropout: p is 1.5: it lies in [0, 1]"));
  CHECK_THAT(message([&] { nn::named("r", nn::Residual(nn::Linear(3)))(x); }),
             Contains("Residual r: f32[batch,4] is added to f32[batch,3]"));
  CHECK_THAT(message([&] { nn::Embedding(3, 2, {.padding_idx = 3}); }),
             Contains("padding_idx is 3, but there are 3 rows"));
}

TEST_CASE("a layer whose size is not yet known may be tied, and has its other parameters") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 3, 8});
  const nn::Conv1d known(3, 5, 3), lazy(std::nullopt, 5, 3);
  lazy.tie("w", known, "w");
  const Tensor y = known(x) + lazy(x);
  CHECK(g.parameters().size() == 3);  // one w, two b
  CHECK(y.type_string() == "f32[batch,5,6]");
}

TEST_CASE("modules are no parts of themselves, and parameters are not tied in circles") {
  const auto message = [](const std::function<void()>& wrong) {
    try {
      wrong();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const nn::Linear a(2, 2), b(2, 2);
  a.tie("w", b, "w");
  CHECK_THAT(message([&] { b.tie("w", a, "w"); }), Contains("w is tied to itself"));
  struct Open : nn::Module {
    using Module::attach;
    using Module::Module;
  };
  const Open first("first"), second("second"), shared("shared");
  first.attach("shared", shared);
  second.attach("shared", shared);
  CHECK_THAT(message([&] { shared.attach("second", second); }), Contains("second would be a part of itself"));
}

}  // namespace pullback::test
