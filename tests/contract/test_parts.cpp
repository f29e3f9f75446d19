// Every op of the registry has all its parts, and what it prints can be read back.
#include <catch2/catch.hpp>

#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"
#include "tests/oracle/cases.h"

using namespace pullback;

TEST_CASE("Every op has all parts") {
  REQUIRE(ops::registry().all().size() >= 60);
  for (const ops::OpDef* op : ops::registry().all()) {
    INFO("op " << op->name);
    CHECK(ops::registry().find(op->name) == op);
    CHECK_FALSE(op->doc.empty());
    CHECK(op->arity >= -1);
    CHECK(op->infer);
    CHECK(op->eval);
    CHECK_FALSE(op->samples.empty());
    CHECK((op->vjp != nullptr) != !op->no_vjp.empty());
    const int lowerings = (op->element || op->contraction) + (op->kernel != nullptr) + op->control;
    CHECK(lowerings == 1);
    if (op->contraction) CHECK((op->element || op->meaning));  // the fallback
    for (const ops::Sample& sample : op->samples) {
      if (op->arity >= 0) CHECK(sample.shapes.size() == static_cast<std::size_t>(op->arity));
      CHECK((sample.dtypes.empty() || sample.dtypes.size() == sample.shapes.size()));
      if (!sample.differentiable || sample.grad_tolerance > 1e-6) CHECK_FALSE(sample.why.empty());
    }
  }
}

TEST_CASE("Samples cover sizes 0 and 1, and tails of vectors") {
  for (const ops::OpDef* op : ops::registry().all()) {
    bool none = false, one = false, tail = false, with_axes = false;
    for (const contract::Case& c : contract::cases_of(*op, DType::f32)) {
      for (const auto& result : c.function->body.results)
        for (const Dim& size : result->type.shape) {
          with_axes = true;
          none |= size == Dim(0);
          one |= size == Dim(1);
          tail |= size.constant() > 16 && size.constant() % 16 != 0;
        }
      for (const auto& argument : c.function->body.arguments)
        for (const Dim& size : argument->type.shape) {
          none |= size == Dim(0);
          one |= size == Dim(1);
          tail |= size.constant() > 16 && size.constant() % 16 != 0;
        }
    }
    INFO("op " << op->name);
    const bool sized_by_literal = op->name == "constant";  // its samples are the literals themselves
    if (with_axes && !sized_by_literal) {
      CHECK(none);
      CHECK(one);
      CHECK(tail);
    }
  }
}

TEST_CASE("Printed samples parse back to equal functions") {
  for (const ops::OpDef* op : ops::registry().all())
    for (const ops::Sample& sample : op->samples) {
      const auto function = contract::symbolic_function(*op, sample, DType::f32);
      ir::verify(*function, "contract");
      const std::string text = ir::print(*function);
      INFO(text);
      const auto parsed = ir::parse(text, ops::registry());
      REQUIRE(parsed.size() == 1);
      CHECK(ir::equal(*function, *parsed.front(), true));
      CHECK(ir::print(*parsed.front()) == text);
    }
}
