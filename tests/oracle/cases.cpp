#include "tests/oracle/cases.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

#include "compiler/ir/builder.h"
#include "compiler/ir/text.h"
#include "compiler/passes/passes.h"

namespace pullback::contract {

namespace {

// Below, at and above multiples of every vector width; one and none on each axis.
const std::vector<Bindings> kSizes{{{"a", 3}, {"b", 5}},  {{"a", 1}, {"b", 17}}, {{"a", 37}, {"b", 1}},
                                   {{"a", 0}, {"b", 4}},  {{"a", 5}, {"b", 0}},  {{"a", 2}, {"b", 33}},
                                   {{"a", 16}, {"b", 32}}};

bool has_symbols(const ir::Function& function) {
  const auto symbolic = [](const ir::Value& value) {
    return std::any_of(value.type.shape.begin(), value.type.shape.end(), [](const Dim& d) { return !d.is_constant(); });
  };
  return std::any_of(function.body.arguments.begin(), function.body.arguments.end(),
                     [&](const auto& argument) { return symbolic(*argument); }) ||
         std::any_of(function.body.results.begin(), function.body.results.end(),
                     [&](const ir::Value* result) { return symbolic(*result); });  // iota has no arguments
}

std::vector<Bindings> sizes_of(const ir::Function& function, std::int64_t smallest) {
  if (!has_symbols(function)) return {{}};
  std::vector<Bindings> sizes;
  for (const Bindings& candidate : kSizes)
    if (std::all_of(candidate.begin(), candidate.end(), [&](const auto& entry) { return entry.second >= smallest; }))
      sizes.push_back(candidate);
  return sizes;
}

std::string text_of(const Bindings& bindings) {
  std::string text;
  for (const auto& [name, size] : bindings) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, size);
  return text;
}

}  // namespace

ir::Literal converted(const ir::Literal& literal, DType to) {
  if (!is_float(literal.dtype)) return literal;
  ir::Literal result(to, literal.dims);
  for (std::int64_t i = 0; i < literal.size(); ++i) result.set(i, literal.as_double(i));
  return result;
}

ir::Literal random_literal(const ir::Type& type, double low, double high, unsigned seed) {
  ir::Literal literal(type.dtype, ir::static_dims(type.shape));
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> real(low, high);
  std::uniform_int_distribution<std::int64_t> integer(static_cast<std::int64_t>(std::ceil(low)),
                                                      static_cast<std::int64_t>(std::floor(high)));
  for (std::int64_t i = 0; i < literal.size(); ++i) {
    if (is_float(type.dtype))
      literal.set(i, real(engine));
    else
      literal.set_integer(i, type.dtype == DType::boolean ? integer(engine) > 0 : integer(engine));
  }
  return literal;
}

std::unique_ptr<ir::Function> symbolic_function(const ops::OpDef& op, const ops::Sample& sample, DType floating) {
  auto function = std::make_unique<ir::Function>();
  function->name = op.name;
  std::vector<ir::Value*> operands;
  std::vector<ir::Type> types;
  for (std::size_t i = 0; i < sample.shapes.size(); ++i) {
    const DType dtype = sample.dtypes.empty() ? DType::f32 : sample.dtypes[i];
    types.push_back({dtype == DType::f32 ? floating : dtype, sample.shapes[i]});
    operands.push_back(function->add_argument(types.back(), fmt::format("x{}", i)));
  }
  ir::Builder builder(function->body);
  builder.location.edit().line = SourceLine("sample.cpp", 1);
  const ir::Op* made =
      builder.create(op, operands, sample.attributes,
                     sample.regions ? sample.regions(types) : std::vector<std::unique_ptr<ir::Region>>());
  for (const auto& result : made->results) function->add_result(result.get(), fmt::format("y{}", result->index));
  return function;
}

std::vector<Case> cases_of(const ops::OpDef& op, DType floating) {
  std::vector<Case> cases;
  for (const ops::Sample& sample : op.samples) {
    const std::unique_ptr<ir::Function> symbolic = symbolic_function(op, sample, floating);
    for (const Bindings& sizes : sizes_of(*symbolic, sample.smallest)) {
      Case made{&op, &sample, passes::specialize(*symbolic, sizes), {}, sizes, {}};
      for (const auto& argument : made.function->body.arguments)
        made.arguments.push_back(random_literal(argument->type, sample.low, sample.high,
                                                static_cast<unsigned>(7 + cases.size() * 8 + made.arguments.size())));
      made.what = fmt::format("{} at {} {{{}}}: {}", op.name, name_of(floating), text_of(sizes),
                              ir::print(*made.function->body.ops.front()));
      cases.push_back(std::move(made));
    }
  }
  return cases;
}

}  // namespace pullback::contract
