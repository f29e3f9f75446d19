// pullback run: compile a function, execute it once on given or random arguments, print what it computed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/data.h>

#include "compiler/driver/compile.h"
#include "compiler/ir/element_text.h"
#include "compiler/ir/text.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"
#include "compiler/tool/commands.h"
#include "runtime/philox.h"

namespace pullback::tool {

namespace {

using Inputs = std::map<std::string, std::string>;

Inputs parse_inputs(const std::vector<std::string>& texts, const ir::Function& function) {
  Inputs inputs;
  for (const std::string& text : texts) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos || sign + 1 == text.size())
      throw Error(fmt::format("--input {}: expected NAME=FILE.csv, NAME=random, NAME=zeros or NAME=1.5", text));
    const std::string name = text.substr(0, sign);
    std::vector<std::string> known;
    for (const auto& argument : function.body.arguments) known.push_back(argument->name);
    if (!std::count(known.begin(), known.end(), name))
      throw Error(fmt::format("--input {}: @{} has no argument {}: there are {}", text, function.name, name,
                              fmt::join(known, ", ")));
    if (!inputs.emplace(name, text.substr(sign + 1)).second)
      throw Error(fmt::format("--input {}: {} is given twice", text, name));
  }
  return inputs;
}

// Floats in [-1, 1), integers in [0, 8), the same for the same seed and argument.
ir::Literal random_literal(DType dtype, const std::vector<std::int64_t>& dims, std::uint64_t seed,
                           std::uint64_t stream) {
  ir::Literal literal(dtype, dims);
  for (std::int64_t i = 0; i < literal.size(); ++i) {
    const std::uint64_t bits = runtime::philox_u64(seed, stream, static_cast<std::uint64_t>(i));
    if (is_float(dtype)) {
      literal.set(i, static_cast<double>(bits >> 11) * 0x1p-52 - 1);
    } else {
      literal.set_integer(i, static_cast<std::int64_t>(bits >> (dtype == DType::boolean ? 63 : 61)));
    }
  }
  return literal;
}

// The file's numbers row by row; their count must be that of the elements.
ir::Literal csv_literal(const std::string& name, const std::string& file, DType dtype,
                        const std::vector<std::int64_t>& dims) {
  const Array table = data::load_csv(file);
  ir::Literal literal(dtype, dims);
  if (table.size() != literal.size())
    throw Error(fmt::format("--input {}={}: the file has {} numbers, the argument {} elements: {}[{}]", name, file,
                            table.size(), literal.size(), name_of(dtype), fmt::join(dims, ",")));
  for (std::int64_t i = 0; i < literal.size(); ++i) {
    const double value = table.values<double>()[static_cast<std::size_t>(i)];
    literal.set(i, value);
    if (!is_float(dtype) && literal.as_double(i) != value)
      throw Error(fmt::format("--input {}={}: {} is not a number of type {}", name, file, value, name_of(dtype)));
  }
  return literal;
}

ir::Literal argument_literal(const runtime::ExternalSlot& slot, std::size_t index, const Inputs& inputs,
                             std::uint64_t seed) {
  const auto given = inputs.find(slot.name);
  const std::string how = given == inputs.end() ? "random" : given->second;
  if (how == "random") return random_literal(slot.dtype, slot.dims, seed, index);
  if (how == "zeros") return ir::Literal(slot.dtype, slot.dims);
  if (how.ends_with(".csv")) return csv_literal(slot.name, how, slot.dtype, slot.dims);
  ir::Literal one(slot.dtype, {});
  if (!ir::parse_element(one, 0, how))
    throw Error(fmt::format("--input {}={}: '{}' is neither a .csv file, random, zeros, nor a number of type {}",
                            slot.name, how, how, name_of(slot.dtype)));
  ir::Literal literal(slot.dtype, slot.dims);
  for (std::size_t at = 0; at < literal.bytes.size(); at += one.bytes.size())
    std::memcpy(literal.bytes.data() + at, one.bytes.data(), one.bytes.size());
  return literal;
}

void print_result(const std::string& name, const ir::Literal& value, std::int64_t limit) {
  const std::int64_t shown = limit < 0 ? value.size() : std::min(limit, value.size());
  std::vector<std::string> elements;
  for (std::int64_t i = 0; i < shown; ++i) elements.push_back(ir::element_text(value, i));
  if (shown < value.size()) elements.push_back("...");
  fmt::print("{}: {}[{}] = {}\n", name, name_of(value.dtype), fmt::join(value.dims, ","), fmt::join(elements, ", "));
}

// The compiler reads what to dump from the environment, as for any program.
void set_dump(const std::string& stages) {
  if (stages.empty()) return;
  parse_stages(stages);
  setenv("PULLBACK_DUMP", stages.c_str(), 1);
}

// The slots begin with the arguments.
bool is_updated(const ir::Function& function, std::size_t slot) {
  return std::any_of(function.results.begin(), function.results.end(), [&](const ir::FunctionResult& result) {
    return result.updates == static_cast<std::ptrdiff_t>(slot);
  });
}

void require_bound(const ir::Function& function, const Bindings& bindings) {
  for (const std::string& symbol : ir::symbols_of(function))
    if (!bindings.count(symbol))
      throw Error(
          fmt::format("@{}: the size {} is not known: give it with --bind {}=4", function.name, symbol, symbol));
}

}  // namespace

void run(const Source& source, const RunOptions& options) {
  const std::shared_ptr<const ir::Function> function = read_function(source);
  const Bindings bindings = parse_bindings(options.bindings, *function);
  require_bound(*function, bindings);
  const Inputs inputs = parse_inputs(options.inputs, *function);
  set_dump(options.dump);
  const DumpSink dump(read_environment());
  if (dump.wants(Stage::tensor)) dump.write(Stage::tensor, function->name, ir::print(*function));

  CompileOptions compile_options;
  compile_options.executor =
      options.evaluate ? CompileOptions::Executor::reference : CompileOptions::Executor::compiled;
  compile_options.target = options.target.starts_with('v') ? "x86-64-" + options.target : options.target;
  compile_options.threads = options.threads;
  const auto compiled = driver::compile(function, bindings, compile_options);

  std::vector<ir::Literal> buffers;
  for (const runtime::ExternalSlot& slot : compiled->slots)
    buffers.push_back(slot.role == runtime::SlotRole::output
                          ? ir::Literal(slot.dtype, slot.dims)
                          : argument_literal(slot, buffers.size(), inputs, options.seed));
  std::vector<void*> pointers;
  for (ir::Literal& buffer : buffers) pointers.push_back(buffer.bytes.data());
  compiled->run(pointers);

  fmt::print("// stage run: @{} {}\n", function->name,
             options.evaluate ? "by the reference evaluator" : "compiled for " + compile_options.target);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const runtime::ExternalSlot& slot = compiled->slots[i];
    if (slot.role == runtime::SlotRole::output) print_result(slot.name, buffers[i], options.limit);
    if (is_updated(*function, i)) print_result("state " + slot.name, buffers[i], options.limit);
  }
}

}  // namespace pullback::tool
