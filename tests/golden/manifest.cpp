#include "tests/golden/manifest.h"

#include <cctype>
#include <fstream>
#include <iterator>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pullback::golden {
namespace {

using nlohmann::json;

/// Puts quotes around the words NaN, Infinity and -Infinity, which Python writes and JSON does not know.
std::string quote_nonfinite(const std::string& text) {
  std::string result;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      result += c;
      result += text[++i];
      continue;
    }
    if (c == '"') in_string = !in_string;
    bool replaced = false;
    for (const char* word : {"NaN", "Infinity", "-Infinity"})
      if (!in_string && text.compare(i, std::string_view(word).size(), word) == 0) {
        result += fmt::format("\"{}\"", word);
        i += std::string_view(word).size() - 1;
        replaced = true;
        break;
      }
    if (!replaced) result += c;
  }
  return result;
}

Value value_of(const json& j) {
  if (j.is_null()) return None{};
  if (j.is_boolean()) return j.get<bool>();
  if (j.is_number_integer()) return j.get<std::int64_t>();
  if (j.is_number()) return j.get<double>();
  if (j.is_string()) {
    const auto text = j.get<std::string>();
    const double inf = std::numeric_limits<double>::infinity();
    if (text == "Infinity") return inf;
    if (text == "-Infinity") return -inf;
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    return text;
  }
  if (!j.is_array()) return j.dump();  // an object: nothing takes one
  List list;
  for (const json& element : j) list.push_back(value_of(element));
  return list;
}

Attributes attributes_of(const json& j) {
  Attributes result;
  if (j.is_object())
    for (const auto& [name, value] : j.items()) result.emplace_back(name, value_of(value));
  return result;
}

double number_or(const json& object, const char* key, double otherwise) {
  if (!object.is_object() || !object.contains(key)) return otherwise;
  const std::optional<double> number = value_of(object.at(key)).number();
  return number.value_or(otherwise);
}

std::string text_or_empty(const json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : "";
}

std::vector<TensorSpec> specs_of(const json& list, const char* flag) {
  std::vector<TensorSpec> result;
  for (const json& j : list)
    result.push_back(
        {j.at("name"), j.at("dtype"), j.at("shape").get<std::vector<std::int64_t>>(), j.value(flag, false)});
  return result;
}

std::map<std::string, double> errors_of(const json& object, const char* key) {
  std::map<std::string, double> result;
  if (object.contains(key) && object.at(key).is_object())
    for (const auto& [name, value] : object.at(key).items())
      if (const auto number = value_of(value).number()) result[name] = *number;
  return result;
}

void read(OpCase& c, const json& j, const std::string& directory) {
  c.category = text_or_empty(j, "category");
  c.op = j.at("op");
  c.torch = text_or_empty(j, "torch");
  c.attributes = attributes_of(j.at("attrs"));
  c.inputs = specs_of(j.at("inputs"), "grad");
  c.outputs = specs_of(j.at("outputs"), "cotangent");
  c.second_order = j.value("second_order", false);
  c.file_f64 = directory + "/" + j.at("files").at("f64").get<std::string>();
  c.file_f32 = directory + "/" + j.at("files").at("f32").get<std::string>();
  c.f32_error = errors_of(j, "f32_vs_f64_relmax");
  c.f64_error = errors_of(j, "f64_vs_exact_relmax");
}

void read(Trajectory& t, const json& j, const std::string& directory) {
  t.model = j.at("model");
  t.loss = text_or_empty(j, "loss");
  t.optimizer = j.at("optimizer");
  for (const json& argument : j.at("model_args")) t.model_arguments.push_back(value_of(argument));
  t.optimizer_arguments = attributes_of(j.at("optimizer_args"));
  t.schedule = text_or_empty(j, "schedule");
  if (j.contains("schedule_args")) t.schedule_arguments = attributes_of(j.at("schedule_args"));
  if (j.contains("clip_grad_norm")) t.clip_grad_norm = value_of(j.at("clip_grad_norm")).number();
  t.steps = j.at("steps");
  for (const json& parameter : j.at("parameters")) t.parameters.push_back(parameter.at("name"));
  t.file_f64 = directory + "/" + j.at("files").at("f64").get<std::string>();
  t.file_f32 = directory + "/" + j.at("files").at("f32").get<std::string>();
  t.f32_loss_error = number_or(j.value("f32_vs_f64", json()), "loss_rel", 0);
  t.f32_final_error = errors_of(j, "final_f32_abs");
  t.f64_loss_probe = number_or(j.value("f64_probe", json()), "loss_rel", 0);
  t.f64_final_probe = number_or(j.value("f64_probe", json()), "final_abs", 0);
  if (j.contains("f32_final_meaningless") && j.at("f32_final_meaningless").is_array())
    t.f32_meaningless = j.at("f32_final_meaningless").get<std::vector<std::string>>();
}

/// The cases of a list; one that can't be read fails by itself when it is run.
template <class Case>
std::vector<Case> read_all(const json& list, const std::string& directory) {
  std::vector<Case> cases;
  for (const json& j : list) {
    Case& c = cases.emplace_back();
    c.name = j.is_object() ? text_or_empty(j, "name") : "";
    try {
      read(c, j, directory);
    } catch (const std::exception& problem) {
      c.problem = fmt::format("the manifest's entry: {}", problem.what());
    }
  }
  return cases;
}

}  // namespace

Manifest read_manifest(const std::string& directory) {
  const std::string path = directory + "/manifest.json";
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: the file can't be opened", path));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Manifest manifest;
  try {
    const json whole = json::parse(quote_nonfinite(text));
    manifest.ops = read_all<OpCase>(whole.value("ops", json::array()), directory);
    manifest.trajectories = read_all<Trajectory>(whole.value("training", json::array()), directory);
  } catch (const json::exception& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  }
  return manifest;
}

}  // namespace pullback::golden
