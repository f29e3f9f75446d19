// docs/adding-an-op.md quotes an op that exists, word by word, and that works.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "compiler/autodiff/gradient.h"
#include "compiler/ops/build.h"
#include "compiler/ops/evaluate.h"
#include "tests/oracle/cases.h"
#include "tests/contract/example_op.h"

using namespace pullback;

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("The guide's example is the tested op") {
  const std::string code = contents("tests/contract/example_op.cpp"), guide = contents("docs/adding-an-op.md");
  const std::size_t begin = code.find("const OpDef op_softsign"), end = code.find("\n};", begin);
  REQUIRE(end != std::string::npos);
  CHECK(guide.find("```cpp\n" + code.substr(begin, end + 3 - begin) + "\n```") != std::string::npos);
}

TEST_CASE("The guide's example evaluates and differentiates") {
  const auto function = contract::symbolic_function(ops::op_softsign, {.shapes = {{3}}}, DType::f64);
  ir::Literal x(DType::f64, {3});
  for (int i = 0; i < 3; ++i) x.set(i, i - 1.0);  // -1, 0, 1
  ir::Builder builder(function->body);
  const ops::Value one = ops::full(builder, function->body.results[0]->type, 1);
  ir::Value* const outputs[] = {function->body.results[0]};
  ir::Value* const cotangents[] = {one.value};
  ir::Value* const wrt[] = {function->body.arguments[0].get()};
  function->add_result(autodiff::gradients(builder, outputs, cotangents, wrt)[0], "gradient");
  const std::vector<ir::Literal> results = ops::evaluate(*function, {x});
  const double values[] = {-0.5, 0, 0.5}, slopes[] = {0.25, 1, 0.25};
  for (int i = 0; i < 3; ++i) {
    CHECK(results[0].as_double(i) == values[i]);
    CHECK(results[1].as_double(i) == slopes[i]);
  }
}
