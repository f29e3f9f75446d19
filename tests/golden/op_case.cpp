// One function: outputs, loss and gradients in one program, Hessian-vector products in a second.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tests/golden/run.h"
#include "tests/golden/torch/evaluate.h"

namespace pullback::golden {
namespace {

/// A case's graph: what PyTorch computed, built of Pullback's own functions.
struct Built {
  Graph graph;
  std::vector<Tensor> outputs;
  Tensor loss;                   // undefined without cotangents
  std::vector<std::string> wrt;  // inputs whose gradients are given
  std::vector<Tensor> wrt_tensors, gradients;

  explicit Built(const std::string& name) : graph(name) {}
};

DType dtype_of(const std::string& name, DType floating) {
  if (name == "float") return floating;
  if (name == "bool") return boolean;
  if (name == "int64") return i64;
  if (name == "int32") return i32;
  if (name == "uint8") return u8;
  throw Error(fmt::format("element type {} is not known", name));
}

/// The library's function for the whole expression where it has one that PyTorch spells out; else what the expression
/// says.
Value evaluate_case(const OpCase& op_case, const Context& context, const Variables& inputs) {
  if (op_case.torch.empty()) throw Error("the case does not say what PyTorch evaluated");
  const std::string whole = spelled_out(op_case.torch);
  if (is_function(whole)) {
    std::vector<std::pair<std::string, Value>> keywords = op_case.attributes;
    for (const auto& [name, tensor] : inputs) keywords.emplace_back(name, tensor);
    return call_function(context, whole, {}, keywords);
  }
  Variables variables = inputs;
  for (const auto& [name, value] : op_case.attributes) variables.emplace(name, value);
  return evaluate(*parse_expression(op_case.torch), context, variables);
}

void build(Built& built, const OpCase& op_case, DType dtype) {
  Variables inputs;
  for (const TensorSpec& input : op_case.inputs) {
    const Shape shape(input.dims.begin(), input.dims.end());
    const Tensor tensor = built.graph.input(input.name, dtype_of(input.dtype, dtype), shape);
    inputs.emplace(input.name, tensor);
    if (!input.flag) continue;
    built.wrt.push_back(input.name);
    built.wrt_tensors.push_back(tensor);
  }
  const Value result = evaluate_case(op_case, {built.graph, dtype}, inputs);
  const List results = result.list() ? *result.list() : List{result};
  if (results.size() != op_case.outputs.size())
    throw Error(fmt::format("{} outputs are computed, {} are given", results.size(), op_case.outputs.size()));
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TensorSpec& output = op_case.outputs[i];
    if (!results[i].tensor()) throw Error(fmt::format("output {} is {}", output.name, results[i].describe()));
    built.outputs.push_back(*results[i].tensor());
    if (!output.flag) continue;
    const Tensor part =
        sum(built.outputs.back() * built.graph.input("cot." + output.name, dtype, built.outputs.back().shape()));
    built.loss = built.loss.defined() ? built.loss + part : part;
  }
  if (built.loss.defined() && !built.wrt.empty()) built.gradients = gradients(built.loss, built.wrt_tensors);
}

/// The case's files, and what the tolerances need of them.
struct References {
  SafeTensors wide, same;  // f64, and the dtype of the run
  const OpCase& op_case;
  DType dtype;
  std::int64_t n = 1;  // elements of the largest tensor

  References(const OpCase& c, DType d)
      : wide(SafeTensors::read(c.file_f64)),
        same(d == f64 ? wide : SafeTensors::read(c.file_f32)),
        op_case(c),
        dtype(d) {
    for (const TensorSpec& input : c.inputs) n = std::max(n, wide.at("in." + input.name).size());
    for (const TensorSpec& output : c.outputs) n = std::max(n, wide.at("out." + output.name).size());
  }

  static double of_kind(const std::map<std::string, double>& errors, const std::string& kind) {
    const auto found = errors.find(kind);
    return found == errors.end() ? 0 : found->second;
  }
  double error(const std::string& kind) const { return of_kind(op_case.f32_error, kind); }
  Finding compared(const std::string& key, const std::string& kind, const Array& actual, double scale) const {
    const double tolerance = Tolerance{scale, error(kind), n}.at(dtype) + scale * of_kind(op_case.f64_error, kind);
    return compare(key, actual, wide.at(key), same.at(key), tolerance);
  }
  double scale_of(const std::string& key) const { return largest(numbers(wide.at(key))); }
  /// The largest of "KIND.NAME" over names.
  double common_scale(const std::string& kind, const std::vector<std::string>& names) const {
    double scale = 0;
    for (const std::string& name : names) scale = std::max(scale, scale_of(kind + "." + name));
    return scale;
  }

  Finding loss(const Array& actual) const {
    double scale = 0;  // sum of |out * cot|
    for (const TensorSpec& output : op_case.outputs) {
      if (!output.flag) continue;
      const auto out = numbers(wide.at("out." + output.name)), cot = numbers(wide.at("cot." + output.name));
      for (std::size_t i = 0; i < out.size(); ++i)
        if (std::isfinite(out[i] * cot[i])) scale += std::abs(out[i] * cot[i]);
    }
    const double own = std::abs(wide.at("loss").item()) * error("loss");  // absolute
    const double relative = std::max(error("out"), scale > 0 ? own / scale : 0);
    return compare("loss", actual, wide.at("loss"), same.at("loss"), Tolerance{scale, relative, n}.at(dtype));
  }

  std::vector<Feed> feeds() const {
    std::vector<Feed> result;
    for (const TensorSpec& input : op_case.inputs) result.emplace_back(input.name, same.at("in." + input.name));
    for (const TensorSpec& output : op_case.outputs)
      if (output.flag) result.emplace_back("cot." + output.name, same.at("cot." + output.name));
    return result;
  }
};

/// The feeds that a program asks for.
std::vector<Feed> chosen(const std::vector<Feed>& all, const Program& program) {
  const std::vector<std::string> names = program.input_names();
  std::vector<Feed> result;
  for (const Feed& feed : all)
    if (std::find(names.begin(), names.end(), feed.name) != names.end()) result.push_back(feed);
  return result;
}

}  // namespace

std::vector<Finding> run(const OpCase& op_case, DType dtype, const CompileOptions& options) {
  if (!op_case.problem.empty()) throw Error(op_case.problem);
  Built built(op_case.name);
  build(built, op_case, dtype);
  const References references(op_case, dtype);
  std::vector<Feed> feeds = references.feeds();

  std::vector<Tensor> results = built.outputs;
  if (built.loss.defined()) results.push_back(built.loss);
  results.insert(results.end(), built.gradients.begin(), built.gradients.end());
  Program program = built.graph.compile(results, options);
  const Outputs computed = program.step(chosen(feeds, program));

  std::vector<Finding> findings;
  std::size_t next = 0;
  for (const TensorSpec& output : op_case.outputs) {
    const std::string key = "out." + output.name;
    findings.push_back(references.compared(key, "out", computed[next++], references.scale_of(key)));
  }
  if (built.loss.defined()) findings.push_back(references.loss(computed[next++]));
  if (!built.gradients.empty()) {
    const double scale = references.common_scale("grad", built.wrt);
    for (const std::string& name : built.wrt)
      findings.push_back(references.compared("grad." + name, "grad", computed[next++], scale));
  }
  if (op_case.second_order) {
    for (const std::string& name : built.wrt) feeds.emplace_back("t." + name, references.same.at("v." + name));
    Program products = built.graph.hvp(built.loss, built.wrt_tensors).compile(options);
    const Outputs product = products.step(chosen(feeds, products));
    const double scale = references.common_scale("hvp", built.wrt);
    for (std::size_t i = 0; i < built.wrt.size(); ++i)
      findings.push_back(references.compared("hvp." + built.wrt[i], "hvp", product[i], scale));
  }
  return findings;
}

}  // namespace pullback::golden
