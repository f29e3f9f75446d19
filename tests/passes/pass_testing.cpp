#include "tests/passes/pass_testing.h"

#include <cmath>
#include <limits>

#include "compiler/ops/evaluate.h"
#include "compiler/ops/registry.h"

namespace pullback::testing {

std::unique_ptr<ir::Function> parse_one(const std::string& text) {
  auto functions = ir::parse(text, ops::registry(), "test");
  REQUIRE(functions.size() == 1);
  return std::move(functions.front());
}

std::string function_text(const std::string& arguments, const std::string& body) {
  return "func @f(" + arguments + ") {\n" + body + "\n}\n";
}

void check_pass(PassFunction pass, const PassCase& test) {
  INFO(test.what);
  const auto function = parse_one(function_text(test.arguments, test.before));
  const auto original = ir::clone(*function);
  const bool unchanged = test.after[0] == '\0';
  const auto expected = parse_one(function_text(test.arguments, unchanged ? test.before : test.after));
  CHECK(pass(*function) == !unchanged);
  ir::verify(*function, test.what);
  INFO("got:\n" << ir::print(*function) << "expected:\n" << ir::print(*expected));
  CHECK(ir::equal(*function, *expected));
  CHECK_FALSE(pass(*function));
  CHECK(ir::equal(*function, *expected));
}

std::vector<ir::Literal> special_arguments(const ir::Function& function, std::mt19937& random) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double special[] = {std::nan(""), infinity, -infinity, 0.0, -0.0, 1, -1, 2, 1e-40, 3e38, 0.5, -3};
  std::uniform_int_distribution<std::size_t> pick(0, 2 * std::size(special) - 1);
  std::uniform_real_distribution<double> ordinary(-4, 4);
  std::vector<ir::Literal> arguments;
  for (const auto& argument : function.body.arguments) {
    ir::Literal literal(argument->type.dtype, ir::static_dims(argument->type.shape));
    for (std::int64_t i = 0; i < literal.size(); ++i) {
      const std::size_t which = pick(random);
      if (!is_float(literal.dtype))
        literal.set_integer(i, literal.dtype == DType::boolean ? static_cast<std::int64_t>(random() % 2)
                                                               : static_cast<std::int64_t>(random() % 100));
      else
        literal.set(i, which < std::size(special) ? special[which] : ordinary(random));
    }
    arguments.push_back(std::move(literal));
  }
  return arguments;
}

bool same_bits(const ir::Literal& a, const ir::Literal& b, bool zero_signs) {
  if (a.dtype != b.dtype || a.dims != b.dims) return false;
  if (!is_float(a.dtype)) return a.bytes == b.bytes;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.as_double(i), y = b.as_double(i);
    if (std::isnan(x) != std::isnan(y)) return false;
    if (!std::isnan(x) && (x != y || (zero_signs && std::signbit(x) != std::signbit(y)))) return false;
  }
  return true;
}

void check_same_meaning(const ir::Function& before, const ir::Function& after, bool zero_signs) {
  std::mt19937 random(7);
  for (int round = 0; round < 8; ++round) {
    const std::vector<ir::Literal> arguments = special_arguments(before, random);
    const std::vector<ir::Literal> expected = ops::evaluate(before, arguments);
    const std::vector<ir::Literal> got = ops::evaluate(after, arguments);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("result " << i << " of\n" << ir::print(before) << ir::print(after));
      REQUIRE(same_bits(expected[i], got[i], zero_signs));
    }
  }
}

}  // namespace pullback::testing
