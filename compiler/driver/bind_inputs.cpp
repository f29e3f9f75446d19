// Inputs of a step against the function's arguments: names, types, and the numbers of its symbols.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/driver/program_impl.h"

namespace pullback::driver {

namespace {

std::vector<const ir::Value*> inputs_of(const ir::Function& function) {
  std::vector<const ir::Value*> inputs;
  for (std::size_t i = 0; i < function.roles.size(); ++i)
    if (function.roles[i] == ir::ArgumentRole::input) inputs.push_back(function.body.arguments[i].get());
  return inputs;
}

std::string list(const std::vector<const ir::Value*>& inputs) {
  std::vector<std::string> texts;
  for (const ir::Value* input : inputs) texts.push_back(fmt::format("{}: {}", input->name, ir::to_string(input->type)));
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

void match_sizes(const std::string& program, const ir::Value& input, const Array& array, Bindings& bindings,
                 const SourceLine& line) {
  const Shape& shape = input.type.shape;
  const auto mismatch = [&](const std::string& why) {
    throw Error(fmt::format("{}: input {} is {}, but {} was given{}", program, input.name, ir::to_string(input.type),
                            array.type_string(), why),
                line);
  };
  if (array.dtype() != input.type.dtype || array.dims().size() != shape.size()) mismatch("");
  if (array.dims().empty() && array.size() == 0) mismatch(": it was moved from, there are no elements in it");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t size = array.dims()[i];
    if (shape[i].is_constant()) {
      if (shape[i].constant() != size) mismatch(fmt::format(": axis {} has size {}", i, size));
      continue;
    }
    if (size == 0) mismatch(fmt::format(": {} is 0, there is nothing to compute", shape[i].to_string()));
    // A bare symbol gets its number here; polynomials are compared when all symbols are known.
    const std::string text = shape[i].to_string();
    if (!(shape[i] == Dim::symbol(*shape[i].symbols().begin()))) continue;
    const auto [known, is_new] = bindings.emplace(text, size);
    if (!is_new && known->second != size) mismatch(fmt::format(": {} is {} elsewhere", text, known->second));
  }
}

void check_polynomials(const std::string& program, const ir::Value& input, const Array& array, const Bindings& bindings,
                       const SourceLine& line) {
  for (std::size_t i = 0; i < input.type.shape.size(); ++i) {
    const Dim size = input.type.shape[i].substitute(bindings);
    if (!size.is_constant())
      throw Error(fmt::format("{}: the size {} of input {} can't be told from the inputs", program, size.to_string(),
                              input.name),
                  line);
    if (size.constant() != array.dims()[i])
      throw Error(fmt::format("{}: input {} is {}, but {} was given: axis {} should have size {}", program, input.name,
                              ir::to_string(input.type), array.type_string(), i, size.constant()),
                  line);
  }
}

}  // namespace

BoundInputs bind_inputs(const ir::Function& function, const std::vector<Feed>& feeds, const SourceLine& line) {
  const std::vector<const ir::Value*> inputs = inputs_of(function);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const std::string& name = feeds[i].name;
    if (std::none_of(inputs.begin(), inputs.end(), [&](const ir::Value* v) { return v->name == name; }))
      throw Error(fmt::format("{}: there is no input {}; inputs are {}", function.name, name, list(inputs)), line);
    if (std::any_of(feeds.begin(), feeds.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const Feed& f) { return f.name == name; }))
      throw Error(fmt::format("{}: input {} is given twice", function.name, name), line);
  }
  BoundInputs result;
  for (const ir::Value* input : inputs) {
    const auto feed = std::find_if(feeds.begin(), feeds.end(), [&](const Feed& f) { return f.name == input->name; });
    if (feed == feeds.end())
      throw Error(fmt::format("{}: input {}: {} is missing", function.name, input->name, ir::to_string(input->type)),
                  line);
    match_sizes(function.name, *input, feed->value, result.bindings, line);
    result.inputs.push_back(feed->value);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    check_polynomials(function.name, *inputs[i], result.inputs[i], result.bindings, line);
  return result;
}

}  // namespace pullback::driver
