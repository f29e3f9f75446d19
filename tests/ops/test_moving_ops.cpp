// Ops that create, move and choose data, and ops with regions: what they compute, and what they say about mistakes.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "compiler/ir/text.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/registry.h"
#include "runtime/philox.h"

using namespace pullback;

namespace {

/// A function of one result whose body is `line`, which defines %r.
std::string function_of(const std::string& arguments, const std::string& line) {
  return "func @f(" + arguments + ") {\n  " + line + "\n  return r = %r\n}\n";
}

ir::Literal numbers(std::vector<std::int64_t> dims, const std::vector<double>& values, DType dtype = DType::f32) {
  ir::Literal result(dtype, std::move(dims));
  for (std::size_t i = 0; i < values.size(); ++i) result.set(static_cast<std::int64_t>(i), values[i]);
  return result;
}

ir::Literal evaluated(const std::string& text, const std::vector<ir::Literal>& arguments) {
  return ops::evaluate(*ir::parse(text, ops::registry()).front(), arguments).front();
}

std::string error_of(const std::string& text) {
  try {
    ir::parse(text, ops::registry());
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("ops move elements to where their definitions say", "[ops]") {
  struct Case {
    std::string arguments, line;
    std::vector<ir::Literal> values;
    ir::Literal expected;
  };
  const ir::Literal grid = numbers({2, 3}, {1, 2, 3, 4, 5, 6}), nine = numbers({}, {9});
  const auto index = [](double value) { return numbers({}, {value}, DType::i32); };
  const std::vector<Case> cases{
      {"%x: f32[2,1]",
       "%r: f32[2,2,2] = broadcast(%x) {shape = shape[2,2,2], dimensions = [0,2]}",
       {numbers({2, 1}, {1, 2})},
       numbers({2, 2, 2}, {1, 1, 1, 1, 2, 2, 2, 2})},
      {"%x: f32[2,3]", "%r: f32[3,2] = reshape(%x) {shape = shape[3,2]}", {grid}, numbers({3, 2}, {1, 2, 3, 4, 5, 6})},
      {"%x: f32[2,3]",
       "%r: f32[3,2] = transpose(%x) {permutation = [1,0]}",
       {grid},
       numbers({3, 2}, {1, 4, 2, 5, 3, 6})},
      {"%x: f32[2,3]", "%r: f32[2,3] = reverse(%x) {axes = [1]}", {grid}, numbers({2, 3}, {3, 2, 1, 6, 5, 4})},
      {"%x: f32[2,3]",
       "%r: f32[1,2] = slice(%x) {start = shape[1,0], limit = shape[2,3], step = [1,2]}",
       {grid},
       numbers({1, 2}, {4, 6})},
      {"%x: f32[2,3], %i: i32[], %j: i32[]",
       "%r: f32[1,2] = dynamic_slice(%x, %i, %j) {sizes = shape[1,2]}",
       {grid, index(-4), index(7)},
       numbers({1, 2}, {2, 3})},
      {"%x: f32[2,3], %u: f32[1,2], %i: i32[], %j: i32[]",
       "%r: f32[2,3] = dynamic_update_slice(%x, %u, %i, %j)",
       {grid, numbers({1, 2}, {8, 7}), index(1), index(0)},
       numbers({2, 3}, {1, 2, 3, 8, 7, 6})},
      {"%x: f32[2,3], %v: f32[]",
       "%r: f32[2,5] = pad(%x, %v) {low = shape[1,-1], high = shape[-1,1], interior = [0,1]}",
       {grid, nine},
       numbers({2, 5}, {9, 9, 9, 9, 9, 9, 2, 9, 3, 9})},
      {"%x: f32[2,3], %y: f32[2,1]",
       "%r: f32[2,4] = concatenate(%x, %y) {axis = 1}",
       {grid, numbers({2, 1}, {8, 9})},
       numbers({2, 4}, {1, 2, 3, 8, 4, 5, 6, 9})},
      {"%x: f32[2,3], %i: i32[2]",
       "%r: f32[2,2] = gather(%x, %i) {axis = 1, batch = 0}",
       {grid, numbers({2}, {2, -5}, DType::i32)},
       numbers({2, 2}, {3, 1, 6, 4})},
      {"%x: f32[2,3], %i: i32[2]",
       "%r: f32[2] = gather(%x, %i) {axis = 1, batch = 1}",
       {grid, numbers({2}, {2, 0}, DType::i32)},
       numbers({2}, {3, 4})},
      {"%x: f32[2,3], %i: i32[3], %u: f32[3,3]",
       "%r: f32[2,3] = scatter_add(%x, %i, %u) {axis = 0, batch = 0}",
       {grid, numbers({3}, {1, 1, 0}, DType::i32), numbers({3, 3}, {1, 0, 0, 0, 10, 0, 0, 0, 100})},
       numbers({2, 3}, {1, 2, 103, 5, 15, 6})},
      {"%x: f32[0,3], %i: i32[0]",
       "%r: f32[0,3] = gather(%x, %i) {axis = 0, batch = 0}",
       {numbers({0, 3}, {}), numbers({0}, {}, DType::i32)},
       numbers({0, 3}, {})},
  };
  for (const Case& test : cases) {
    INFO(test.line);
    CHECK(evaluated(function_of(test.arguments, test.line), test.values) == test.expected);
  }
}

TEST_CASE("shape rules say what does not fit", "[ops][errors]") {
  struct Case {
    std::string arguments, line, message;
  };
  const std::vector<Case> cases{
      {"%x: f32[2]", "%r: f32[3] = broadcast(%x) {shape = shape[3], dimensions = [0]}",
       "axis 0 has 2 elements and can't become 3 of them"},
      {"%x: f32[2,n]", "%r: f32[7] = reshape(%x) {shape = shape[7]}", "2*n elements can't be arranged as [7]"},
      {"%x: f32[2,3]", "%r: f32[2,2] = transpose(%x) {permutation = [0,0]}", "permutation names axis 0 twice"},
      {"%x: f32[5]", "%r: f32[3] = slice(%x) {start = shape[3], limit = shape[6], step = [1]}",
       "axis 0: the range [3,6) is not within [0,5)"},
      {"%x: f32[n]", "%r: f32[n] = slice(%x) {start = shape[0], limit = shape[n], step = [2]}",
       "axis 0: n elements can't be taken in steps of 2 before the size is known"},
      {"%x: f32[2], %i: i32[]", "%r: f32[3] = dynamic_slice(%x, %i) {sizes = shape[3]}", "a block of 3 does not fit"},
      {"%x: f32[2], %v: f32[]", "%r: f32[0] = pad(%x, %v) {low = shape[-3], high = shape[0], interior = [0]}",
       "more is cropped than there is"},
      {"%x: f32[2,3], %y: f32[3,3]", "%r: f32[2,6] = concatenate(%x, %y) {axis = 1}", "axis 0 differs"},
      {"%x: f32[2,3], %i: f32[2]", "%r: f32[2,3] = gather(%x, %i) {axis = 0, batch = 0}",
       "holds indices and must be i32 or i64, not f32"},
      {"%x: f32[0,3], %i: i32[2]", "%r: f32[2,3] = gather(%x, %i) {axis = 0, batch = 0}",
       "axis 0 has no elements to pick from"},
      {"%x: f32[2,3], %i: i32[4], %u: f32[4,2]", "%r: f32[2,3] = scatter_add(%x, %i, %u) {axis = 0, batch = 0}",
       "the updates must have shape [4,3]"},
      {"%x: f32[]", "%r: f32[1] = broadcast(%x) {shape = shape[-1], dimensions = []}", "with a negative size"},
  };
  for (const Case& test : cases) {
    INFO(test.line);
    CHECK_THAT(error_of(function_of(test.arguments, test.line)), Catch::Contains(test.message));
  }
}

TEST_CASE("a stepped slice of a symbolic axis rounds its size up", "[ops]") {
  const std::string text = function_of("%x: f32[2*n+1], %n: f32[n]",
                                       "%r: f32[n+1] = slice(%x) {start = shape[0], limit = shape[2*n+1], step = [2]}");
  CHECK(evaluated(text, {numbers({5}, {1, 2, 3, 4, 5}), numbers({2}, {0, 0})}) == numbers({3}, {1, 3, 5}));
}

TEST_CASE("rng_bits are the words of the runtime's Philox", "[ops]") {
  const std::string text =
      function_of("%key: u32[2], %step: i64[]", "%r: u32[7] = rng_bits(%key, %step) {stream = 5, shape = shape[7]}");
  ir::Literal step(DType::i64, {});
  step.set_integer(0, (std::int64_t{3} << 32) + 17);
  const ir::Literal bits = evaluated(text, {numbers({2}, {123, 456}, DType::u32), step});
  for (std::uint32_t e = 0; e < 7; ++e)
    CHECK(bits.data<std::uint32_t>()[e] == runtime::philox4x32({e / 4, 5, 17, 3}, {123, 456})[e % 4]);
}

TEST_CASE("a failed check tells its witnesses", "[ops][errors]") {
  const std::string text =
      "func @f(%p: bool[], %i: i32[], %x: f32[]) {\n"
      "  check(%p, %p, %i, %x) {message = \"{}: {} beyond {}\"} loc(\"net.cpp\":3)\n  return i = %i\n}\n";
  const auto function = std::move(ir::parse(text, ops::registry()).front());
  const ir::Literal i = numbers({}, {1234567890}, DType::i32), x = numbers({}, {0.5});
  CHECK(ops::evaluate(*function, {numbers({}, {1}, DType::boolean), i, x}).front() == i);
  CHECK_THROWS_WITH(ops::evaluate(*function, {numbers({}, {0}, DType::boolean), i, x}),
                    "false: 1234567890 beyond 0.5 (net.cpp:3)");
}

TEST_CASE("regions must fit their op", "[ops][errors]") {
  CHECK_THAT(error_of(function_of("%p: bool[], %x: f32[2]",
                                  "%r: f32[2] = cond(%p, %x) region(%a: f32[2]) {\n  return %a\n} "
                                  "region(%a: f32[2]) {\n  %s: f32[] = reduce_sum(%a) {axes = [0]}\n  return %s\n}")),
             Catch::Contains("the regions give (f32[2]) and (f32[]): the types must agree"));
  CHECK_THAT(error_of(function_of("%x: f32[2], %i: i32[2]",
                                  "%r: f32[2] = composite(%x, %i) {name = \"c\"} region(%a: f32[2], %b: i32[2]) {\n"
                                  "  return %a\n} region(%a: f32[2], %b: i32[2], %c: f32[2], %d: f32[2]) {\n"
                                  "  return %d\n}")),
             Catch::Contains("must give a cotangent for each operand, (f32[2], i32[2]), not (f32[2])"));
}
