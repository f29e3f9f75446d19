// Tiny wrong programs, and what they are told.
#include <cmath>
#include <limits>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

struct Wrong {
  std::function<Tensor()> program;
  std::string message;
};

void check_messages(const std::vector<Wrong>& programs) {
  for (const Wrong& wrong : programs) {
    const std::string message = error_of(wrong.program);
    CHECK_THAT(message, Contains(wrong.message));
    CHECK_THAT(message, Contains("(test_errors.cpp:"));
  }
}

}  // namespace

TEST_CASE("operands that don't fit are found when the graph is built") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {128, 784}), w = g.input("w", f32, {512, 10}), n = g.input("n", i32, {128});
  const Tensor batched = g.input("batched", f32, {dim("batch"), 4});
  check_messages({
      {[&] { return matmul(x, w); },
       "matmul: x is f32[128,784], w is f32[512,10]: inner dimensions 784 and 512 differ"},
      {[&] { return x + w; },
       "add: operands are x f32[128,784] and w f32[512,10]: the sizes 784 and 10 don't broadcast"},
      {[&] { return batched + x; }, "add: operands are batched f32[batch,4] and x f32[128,784]"},
      {[&] { return n + x; }, "the dtypes differ; cast() one of them"},
      {[&] { return n * 0.5; }, "mul: operands are n i32[128] and 0.5: the number 0.5 does not fit i32"},
      {[&] { return maximum(1, 2); }, "maximum: all operands are numbers"},
      {[&] { return Tensor() + x; }, "add: an operand is an undefined tensor"},
      {[&] { return exp(n); }, "exp: the operand is i32[128]: a floating type is needed; cast() it"},
      {[&] { return mean(n); }, "mean: the operand is i32[128]: a floating type is needed"},
      {[&] { return where(x, x, x); }, "where: the condition is f32[128,784], not bool"},
      {[&] { return clamp(x, 1, 0); }, "clamp: low is 1 and high is 0"},
      {[&] { return dropout(x, 1.5); }, "dropout: p is 1.5: it lies in [0, 1]"},
      {[&] { return cross_entropy(x, w); },
       "cross_entropy: logits x are f32[128,784], labels w are f32[512,10]: labels must be i32 or i64"},
      {[&] { return cross_entropy(w, n); }, "the labels' shape must be the logits' without the last axis"},
      {[&] { return mse(x, w); }, "mse: the prediction is f32[128,784], the target f32[512,10]: they must agree"},
      {[&] { return nn::linear(n, 3, "fc"); }, "Linear fc: the operand is i32[128]"},
      {[&] { return cond(x, [&] { return x; }, [&] { return x; }); },
       "cond: the predicate is f32[128,784]: a bool scalar is needed"},
  });
}

TEST_CASE("shapes and axes that don't exist") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {128, 784}), w = g.input("w", f32, {512, 10});
  const Tensor batched = g.input("batched", f32, {dim("batch"), 4});
  check_messages({
      {[&] { return sum(x, 2); }, "sum: there is no axis 2 in f32[128,784], which has 2 axes"},
      {[&] { return sum(x, {0, -2}); }, "sum: an axis of f32[128,784] is given twice"},
      {[&] { return reshape(x, {100, 100}); }, "reshape: f32[128,784] has 100352 elements, [100,100] has 10000"},
      {[&] { return reshape(batched, {3, -1}); }, "reshape: f32[batch,4] does not fit [3,-1]"},
      {[&] { return reshape(x, {-1, -1}); }, "two sizes -1"},
      {[&] { return permute(x, {0, 0}); }, "permute: an axis of f32[128,784] is given twice"},
      {[&] { return squeeze(x, 0); }, "squeeze: axis 0 of f32[128,784] has size 128, not 1"},
      {[&] { return expand(x, {128, 785}); }, "expand: f32[128,784] to [128,785]: size 784 can't become 785"},
      {[&] { return slice(x, {{0, 200}}); }, "slice: 200 lies outside axis 0 of f32[128,784]"},
      {[&] { return slice(x, {{0, 10, 0}}); }, "slice: the step of axis 0 is 0"},
      {[&] { return narrow(x, 1, 780, 5); }, "narrow: 5 elements from 780 lie outside axis 1 of f32[128,784]"},
      {[&] { return concat({x, w}); }, "concat: f32[128,784] and f32[512,10] differ beside axis 0"},
      {[&] { return concat({}); }, "concat: there are no tensors to join"},
      {[&] { return pad(x, {{1, 1}}); }, "pad: 1 paddings are given for f32[128,784]"},
      {[&] { return take(x, w); }, "take: indices are f32[512,10]: i32 or i64 is needed"},
  });
}

TEST_CASE("options that are no numbers or out of range") {
  Graph g("g");
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const Tensor x = g.input("x", f32, {4, 6}), t = g.input("t", f32, {4, 6}), n = g.input("n", i32, {4});
  const Tensor image = g.input("image", f32, {2, 3, 8, 8}), w = g.input("w", f32, {5, 3, 3, 3});
  const Tensor rows = g.input("rows", f32, {2, 4, 6}), byte = g.input("byte", u8, {4}), c = g.input("c", f32, {3});
  check_messages({
      {[&] { return leaky_relu(x, nan); }, "leaky_relu: negative_slope is nan: it is no number"},
      {[&] { return hardshrink(x, nan); }, "hardshrink: lambda is nan"},
      {[&] { return threshold(x, nan, 0); }, "threshold: limit is nan"},
      {[&] { return elu(x, nan); }, "elu: alpha is nan"},
      {[&] { return celu(x, nan); }, "celu: alpha is nan"},
      {[&] { return softplus(x, nan); }, "softplus: beta is nan"},
      {[&] { return softplus(x, 1, nan); }, "softplus: threshold is nan"},
      {[&] { return logit(x, -1); }, "logit: eps is -1: it lies in [0, 0.5]"},
      {[&] { return scaled_dot_product_attention(rows, rows, rows, {.scale = nan}); },
       "scaled_dot_product_attention: scale is nan"},
      {[&] { return scaled_dot_product_attention(rows, rows, rows, {.dropout = nan}); }, "dropout: p is nan"},
      {[&] { return scaled_dot_product_attention(rows, rows, rows, {.dropout = -1}); }, "dropout: p is -1"},
      {[&] { return layer_norm(x, {6}, {}, {}, -1); },
       "layer_norm: eps is -1: it must be a finite number of at least 0"},
      {[&] { return rms_norm(x, {6}, {}, nan); }, "rms_norm: eps is nan"},
      {[&] { return group_norm(image, 3, {}, {}, infinity); }, "group_norm: eps is inf"},
      {[&] { return instance_norm(image, {}, {}, -1); }, "instance_norm: eps is -1"},
      {[&] { return batch_norm_inference(image, c, c, {}, {}, nan); }, "batch_norm: eps is nan"},
      {[&] { return nn::BatchNorm2d(3, {.eps = -1})(image); }, "batch_norm: eps is -1"},
      {[&] { return local_response_norm(image, 3, nan); }, "local_response_norm: alpha is nan"},
      {[&] { return normalize(x, 2, 1, nan); }, "normalize: eps is nan"},
      {[&] { return cosine_similarity(x, t, 1, -1); }, "cosine_similarity: eps is -1"},
      {[&] { return pairwise_distance(x, t, 2, nan); }, "pairwise_distance: eps is nan"},
      {[&] { return norm(x, nan); }, "norm: p is nan: it is no number"},
      {[&] { return hinge_embedding(x, t, nan); }, "hinge_embedding: margin is nan"},
      {[&] { return margin_ranking(x, x, t, nan); }, "margin_ranking: margin is nan"},
      {[&] { return multi_margin(x, n, {.margin = nan}); }, "multi_margin: margin is nan"},
      {[&] { return triplet_margin(x, x, t, {.margin = nan}); }, "triplet_margin: margin is nan"},
      {[&] { return poisson_nll(x, t, {.log_input = false, .eps = -1}); }, "poisson_nll: eps is -1"},
      {[&] { return lp_pool2d(image, -1, 2); }, "lp_pool2d: the norm's p is -1: it must be a positive number"},
      {[&] { return lp_pool2d(image, nan, 2); }, "lp_pool2d: the norm's p is nan"},
      {[&] { return conv2d(image, w, {.dilation = huge}); },
       "conv2d: dilation 9223372036854775807 is above 2147483647"},
      {[&] { return max_pool2d(image, 2, {.stride = huge}); }, "max_pool2d: stride 9223372036854775807 is above"},
      {[&] { return interpolate(image, {.size = 1 << 30}); }, "a spatial axis would have 1073741824 elements"},
      {[&] { return interpolate(image, {.scale_factor = {1e30}}); }, "the scale factor 1e+30 makes no size"},
      {[&] { return narrow(x, 0, huge, 1); }, "narrow: 1 elements from 9223372036854775807 lie outside axis 0"},
      {[&] { return narrow(x, 0, 1, huge); }, "narrow: 9223372036854775807 elements from 1 lie outside axis 0"},
      {[&] { return full(g, {2}, 1.5, i32); }, "constant: the number 1.5 does not fit i32"},
      {[&] { return full(g, {2}, nan, i32); }, "constant: the number nan does not fit i32"},
      {[&] { return full(g, {2}, 300, u8); }, "constant: the number 300 does not fit u8, which holds 0 to 255"},
      {[&] { return n + 3000000000; }, "add: the number 3000000000 does not fit i32"},
      {[&] { return byte - 256; }, "sub: the number 256 does not fit u8"},
      {[&] { return pad(n, {{1, 1}}, 0.5); }, "pad: the number 0.5 does not fit i32"},
      {[&] { return arange(g, 0, 1e18, 1e-9, f32); }, "steps of 1e-09, too many"},
      {[&] { return linspace(g, nan, 1, 3); }, "linspace: start is nan"},
      {[&] { return uniform(g, {2}, f32, 1, 0); }, "uniform: low is 1 and high is 0"},
      {[&] { return uniform(g, {2}, f32, 0, infinity); }, "uniform: low is 0 and high is inf"},
      {[&] { return randint(g, -5, 5, {2}, u32); }, "randint: the number -5 does not fit u32"},
      {[&] { return index_add(x, 0, n, t, nan); }, "index_add: alpha is nan"},
      {[&] { return g.parameter("a", {2, 2}, Initializer::uniform(1, 0)); },
       "initializer: uniform: low is 1 and high 0"},
      {[&] { return g.parameter("a", {2, 2}, Initializer::normal(nan)); }, "initializer: normal: the mean is nan"},
      {[&] { return g.parameter("a", {2, 2}, Initializer::xavier_uniform(nan)); }, "xavier_uniform: the gain is nan"},
  });
}

TEST_CASE("branches and bodies that are empty functions") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2}), p = g.input("p", boolean, {});
  const auto same = [](const std::vector<Tensor>& v) { return v; };
  check_messages({
      {[&] { return cond(p, Branch(), [&] { return std::vector{x}; })[0]; },
       "cond: the first branch is an empty function"},
      {[&] { return cond(p, [&] { return x; }, std::function<Tensor()>()); },
       "cond: the second branch is an empty function"},
      {[&] { return scan({x}, {x}, nullptr).carry[0]; }, "scan: the body is an empty function"},
      {[&] { return fori_loop(3, {x}, nullptr)[0]; }, "fori_loop: the body is an empty function"},
      {[&] { return while_loop({x}, nullptr, same)[0]; }, "while_loop: the condition is an empty function"},
      {[&] { return while_loop({x}, [&](const auto&) { return p; }, nullptr)[0]; },
       "while_loop: the body is an empty function"},
      {[&] { return composite("f", {x}, nullptr)[0]; }, "composite: the body is an empty function"},
      {[&] { return custom_gradient("f", {x}, same, nullptr)[0]; },
       "custom_gradient: the gradient is an empty function"},
      {[&] { return checkpoint(nullptr)({x})[0]; }, "checkpoint: the body is an empty function"},
  });
}

TEST_CASE("options of a compilation are checked with the first step") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {});
  const auto message = [&](const CompileOptions& options) {
    return error_of([&] { g.compile({x * 2.0}, options).step({{x, Array::scalar(1.0f)}}); });
  };
  CHECK_THAT(message({.threads = -1}), Contains("g: threads is -1: it must be 0, or 1 to 1024 (test_errors.cpp:"));
  CHECK_THAT(message({.threads = 100000}), Contains("g: threads is 100000"));
  CHECK_THAT(message({.memory_limit = -1}), Contains("g: memory_limit is -1: it must be at least 0"));
  CHECK_THAT(message({.max_specializations = 0}), Contains("g: max_specializations is 0: it must be at least 1"));
  CHECK_THAT(message({.target = "vax"}), Contains("unknown target") && Contains("(test_errors.cpp:"));
}

TEST_CASE("names and types of inputs and parameters") {
  Graph g("g");
  g.input("x", f32, {});
  check_messages({
      {[&] { return g.input("x", f32, {}); }, "the graph g already has a tensor named x"},
      {[&] { return g.input("a b", f32, {}); }, "'a b' is no name for a tensor"},
      {[&] { return g.parameter("p", {dim("batch")}); },
       "parameter p has the shape [batch]: its sizes must be numbers"},
      {[&] { return g.parameter("p", {2}, {}, i32); }, "parameter p is i32: only floating tensors are trained"},
  });
}

TEST_CASE("the line is the user's, also within composed functions and operators") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2}), y = g.input("y", f32, {3});
  const int line = __LINE__ + 1;
  const std::string message = error_of([&] { (void)(2.0 * x + y); });
  CHECK_THAT(message, EndsWith("(test_errors.cpp:" + std::to_string(line) + ")"));
  const int softmax_line = __LINE__ + 1;
  const Tensor z = softmax(x);
  const std::string text = g.function({z}).text();
  CHECK_THAT(text, Contains("\"test_errors.cpp\":" + std::to_string(softmax_line)));
  CHECK_THAT(text, !Contains("activations.cpp"));
}

TEST_CASE("tensors of two graphs, and of a branch that has ended, don't mix") {
  Graph g("one"), h("two");
  const Tensor x = g.input("x", f32, {}), y = h.input("y", f32, {});
  CHECK_THAT(error_of([&] { (void)(x + y); }), Contains("add: its operands belong to two graphs, one and two"));
  Tensor leaked;
  const Tensor p = g.input("p", boolean, {});
  (void)cond(p, [&] { return leaked = x * 2.0; }, [&] { return x; });
  CHECK_THAT(error_of([&] { (void)(leaked + x); }), Contains("belongs to a branch or block that has ended"));
  CHECK_THAT(error_of([&] { (void)cond(p, [&] { return x; }, [&] { return p; }); }),
             Contains("cond: the branches return f32[] and bool[]: the types must agree"));
  const auto foreign = [&](const std::vector<Tensor>&) { return std::vector{x * 2.0}; };
  const auto cotangent = [](const std::vector<Tensor>& a) { return std::vector{a[2]}; };
  CHECK_THAT(error_of([&] { (void)custom_gradient("f", {p}, foreign, cotangent); }),
             Contains("the body of f uses x f32[], which is not among its operands: pass it"));
}

TEST_CASE("inputs are checked before a step") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), y = g.input("y", i32, {dim("batch")});
  Program program = g.compile({sum(x, 1) + cast(y, f32)}, reference());
  const Array good = floats({1, 2, 3, 4}, {2, 2}), labels = ints({0, 1}, {2});
  const auto message = [&](const std::vector<Feed>& feeds) { return error_of([&] { program.step(feeds); }); };
  CHECK_THAT(message({{x, good}}), Contains("g: input y: i32[batch] is missing (test_errors.cpp:"));
  CHECK_THAT(message({{x, good}, {"z", labels}}),
             Contains("g: there is no input z; inputs are x: f32[batch,2], y: i32[batch]"));
  CHECK_THAT(message({{x, good}, {x, good}, {y, labels}}), Contains("g: input x is given twice"));
  CHECK_THAT(message({{x, labels}, {y, labels}}), Contains("g: input x is f32[batch,2], but i32[2] was given"));
  CHECK_THAT(message({{x, floats({1, 2, 3}, {1, 3})}, {y, labels}}), Contains("axis 1 has size 3"));
  CHECK_THAT(message({{x, good}, {y, ints({1, 2, 3}, {3})}}),
             Contains("input y is i32[batch], but i32[3] was given: batch is 2 elsewhere"));
  CHECK_THAT(message({{x, Array(f32, {0, 2})}, {y, Array(i32, {0})}}),
             Contains("batch is 0, there is nothing to compute"));
}

TEST_CASE("a size-0 batch is no training, whether its size is a symbol or a number") {
  Graph g("g");
  const Tensor none = g.input("none", f32, {0, 2}), some = g.input("some", f32, {dim("batch"), 2});
  CHECK_THAT(
      error_of([&] { Trainer(g, {.loss = mean(nn::linear(none, 1, "fc")), .optimizer = SGD{}}); }),
      Contains("Trainer: input none is f32[0,2]: a size-0 batch, there is nothing to train on (test_errors.cpp:"));
  Trainer trainer(g, {.loss = mean(nn::linear(some, 1, "fc2")), .optimizer = SGD{}});
  CHECK_THAT(error_of([&] { trainer.observe(std::vector{Array(f32, {0, 2})}); }),
             Contains("batch is 0, there is nothing to compute (test_errors.cpp:"));
}

TEST_CASE("errors of fit, evaluate and observe carry the line of the call") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2});
  Trainer trainer(g, {.loss = mean(nn::linear(x, 1, "fc")), .optimizer = SGD{}, .compile = reference()});
  const data::Dataset narrow({{"x", Array(f32, {4, 1})}}), other({{"y", Array(f32, {4, 2})}});
  const auto here = [](int line) { return "(test_errors.cpp:" + std::to_string(line) + ")"; };
  CHECK_THAT(error_of([&] { trainer.fit(other); }), Contains("fit: the inputs are [x]") && Contains(here(__LINE__)));
  CHECK_THAT(error_of([&] { trainer.fit(narrow); }), Contains("axis 1 has size 1") && Contains(here(__LINE__)));
  CHECK_THAT(error_of([&] { trainer.evaluate(narrow); }), Contains("axis 1 has size 1") && Contains(here(__LINE__)));
  CHECK_THAT(error_of([&] { trainer.observe(std::vector<Array>{}); }),
             Contains("0 arrays are given for 1 inputs (test_errors.cpp:"));
}

TEST_CASE("handles that were moved from are what they were") {
  Graph g("g");
  Tensor x = g.input("x", f32, {dim("batch"), 2});
  const Tensor x2 = std::move(x);
  CHECK((x + x2).shape() == x2.shape());
  Graph h = std::move(g);
  CHECK(g.name() == "g");
  Function f = g.function({x * 2.0});
  const Function f2 = std::move(f);
  CHECK(f.text() == f2.text());
  Program program = f.compile(reference());
  Program program2 = std::move(program);
  const Array ones = floats({1, 1}, {1, 2});
  BoundStep step = program.bind({{x, ones}});
  BoundStep step2 = std::move(step);
  step.step();
  CHECK(numbers(step2.outputs()[0]) == std::vector<double>{2, 2});
  Array gone = floats({1, 1}, {1, 2});
  const Array kept = std::move(gone);
  CHECK_THAT(error_of([&] { program2.step({{x, gone}}); }),
             Contains("g: input x is f32[batch,2], but f32[] was given (test_errors.cpp:"));
  const Tensor s = h.input("s", f32, {});
  Array scalar = Array::scalar(1.0f);
  const Array kept_scalar = std::move(scalar);
  CHECK_THAT(error_of([&] { h.compile({s * 2.0}, reference()).step({{s, scalar}}); }),
             Contains("it was moved from, there are no elements in it (test_errors.cpp:"));
  CHECK_THAT(error_of([&] { Graph(Tensor().trace()); }),
             Contains("Graph: an undefined tensor belongs to no graph (test_errors.cpp:"));
}

TEST_CASE("what a program does not have") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2});
  const Tensor w = g.parameter("w", {2});
  Program program = g.compile({x * w}, reference());
  const Outputs outputs = program.step({{x, floats({1, 2}, {2})}});
  CHECK_THAT(error_of([&] { (void)outputs[1]; }), Contains("there is no output 1: there are 1"));
  CHECK_THAT(error_of([&] { (void)outputs[-1]; }), Contains("there is no output -1: there are 1"));
  CHECK_THAT(error_of([&] { program.get("v"); }), Contains("state: there is no 'v'") && Contains("(test_errors.cpp:"));
  CHECK_THAT(error_of([&] { program.set(w, floats({1}, {1})); }),
             Contains("'w' is f32[2], the new value is f32[1] (test_errors.cpp:"));
  CHECK_THAT(error_of([&] { Program().step(); }), Contains("this Program is empty") && Contains("(test_errors.cpp:"));
  CHECK_THAT(error_of([&] { g.parameter("big", {std::int64_t{1} << 60}); }),
             Contains("out of memory") && Contains("(test_errors.cpp:"));
}

TEST_CASE("a learning rate is a finite number of at least 0") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2});
  Trainer trainer(g, {.loss = mean(square(nn::linear(x, 1, "fc"))), .optimizer = SGD{}, .compile = reference()});
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const double rate : {nan, infinity, -1.0})
    CHECK_THAT(error_of([&] { trainer.set_learning_rate(rate); }),
               Contains("is no finite number of at least 0 (test_errors.cpp:"));
  CHECK_THAT(error_of([&] { trainer.set_learning_rate(1, 7); }), Contains("(test_errors.cpp:"));
  CHECK_THAT(error_of([&] { (void)trainer.learning_rate(7); }), Contains("(test_errors.cpp:"));
}

TEST_CASE("losses and gradients that make no sense") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), n = g.input("n", i32, {3});
  const Tensor h = nn::linear(x, 1, "fc");
  CHECK_THAT(
      error_of([&] { g.gradient(h, {x}); }),
      Contains("gradient: the loss is f32[batch,1]: a floating scalar is needed; reduce it with mean() or sum()"));
  CHECK_THAT(error_of([&] { g.gradient(mean(h), {n}); }),
             Contains("gradient: n is i32[3]: integers and booleans have no gradient"));
  CHECK_THAT(error_of([&] { Trainer(g, {.loss = h, .optimizer = SGD{}}); }),
             Contains("Trainer: the loss is f32[batch,1]: a floating scalar is needed; reduce it with mean() or sum() "
                      "(test_errors.cpp:"));
  CHECK_THAT(error_of([&] { Trainer(g, {.loss = sum(n), .optimizer = SGD{}}); }),
             Contains("Trainer: the loss is i32[]"));
  CHECK_THAT(error_of([&] { Trainer(g, {.loss = {}, .optimizer = SGD{}}); }), Contains("there is no loss"));
  CHECK_THAT(error_of([&] { Trainer(g, {.loss = mean(h)}); }), Contains("there is no optimizer"));
  CHECK_THAT(error_of([&] { Trainer(g, {.loss = mean(h), .optimizer = SGD{}, .metrics = {{"m", h}}}); }),
             Contains("metric m is f32[batch,1]: a scalar is needed"));
}

TEST_CASE("a parameter that the loss does not depend on is named in a warning") {
  Warnings warnings;
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2});
  const Tensor loss = mean(nn::linear(x, 1, "fc1"));
  nn::linear(x, 1, "fc2");
  Trainer trainer(g, {.loss = loss, .optimizer = SGD{}, .compile = reference()});
  REQUIRE(warnings.messages.size() == 2);
  CHECK_THAT(warnings.messages[0], Contains("fc2.w"));
  CHECK_THAT(warnings.messages[1], Contains("fc2.b"));
}

TEST_CASE("an index out of range names itself and the user's line") {
  Graph g("g");
  const Tensor table = g.input("table", f32, {3, 2}), ids = g.input("ids", i32, {2});
  Program program = g.compile({embedding(table, ids)}, reference());
  const std::vector<Feed> feeds{{table, floats({1, 2, 3, 4, 5, 6}, {3, 2})}, {ids, ints({1, 3}, {2})}};
  const std::string message = error_of([&] { program.step(feeds); });
  CHECK_THAT(message, Contains("take: indices of ids lie in 1..3, but axis 0 of table f32[3,2] has indices 0..2"));
  CHECK_THAT(message, Contains("(test_errors.cpp:"));
}

TEST_CASE("a label out of range fails the step and leaves the state as it was") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), y = g.input("y", i32, {dim("batch")});
  Trainer trainer(g, {.loss = cross_entropy(nn::linear(x, 3, "fc"), y), .optimizer = Adam{}, .compile = reference()});
  const Array before = trainer.program().get("fc.w");
  const Array batch = floats({1, 2, 3, 4}, {2, 2});
  const std::string message = error_of([&] { trainer.observe(batch, ints({0, 3}, {2})); });
  CHECK_THAT(message, Contains("cross_entropy: labels y lie in 0..3, but there are 3 classes, 0..2"));
  CHECK_THAT(message, Contains("(test_errors.cpp:"));
  CHECK(numbers(trainer.program().get("fc.w")) == numbers(before));
  CHECK(trainer.state().get("step").item() == 0);
  CHECK(std::isfinite(trainer.observe(batch, ints({0, 2}, {2}))));
}

}  // namespace pullback::test
