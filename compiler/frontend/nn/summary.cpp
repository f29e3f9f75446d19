// What a module consists of: lists of its parameters, and a table.
#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include <pullback/nn/module.h>

#include "compiler/frontend/nn/module_node.h"

namespace pullback::nn {

using detail::ModuleNode;
using detail::ModuleSlot;

std::int64_t ParameterInfo::count() const {
  if (!shape) return 0;
  std::int64_t product = 1;
  for (const Dim& size : *shape) product *= size.constant();
  return product;
}

namespace {

using Seen = std::unordered_set<const ModuleNode*>;

void collect(const ModuleNode& node, const std::shared_ptr<detail::Trace>& trace, bool trainable, Seen& seen,
             std::vector<ParameterInfo>& list) {
  if (!seen.insert(&node).second) return;
  const detail::ModuleMeeting* met = node.meeting(trace);
  const std::string scope = met ? met->name : node.full_name();
  for (const ModuleSlot& slot : node.slots) {
    if (slot.owner || slot.trainable != trainable) continue;
    ParameterInfo info{scope.empty() ? slot.name : scope + "." + slot.name, slot.shape, trainable, slot.frozen, {}};
    if (met)
      if (const auto value = met->values.find(slot.name); value != met->values.end())
        info.tensor = trace->wrap(value->second);
    list.push_back(std::move(info));
  }
  for (const auto& [name, part] : node.parts) collect(*part, trace, trainable, seen, list);
}

std::vector<ParameterInfo> list_of(const ModuleNode& node, bool trainable) {
  Seen seen;
  std::vector<ParameterInfo> list;
  collect(node, node.last(), trainable, seen, list);
  return list;
}

std::int64_t total(const std::vector<ParameterInfo>& list) {
  std::int64_t sum = 0;
  for (const ParameterInfo& info : list) sum += info.count();
  return sum;
}

// 1234567 -> "1,234,567".
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

struct Row {
  std::string name, layer, result, parameters;
};

void add_rows(const ModuleNode& node, const std::string& name, std::size_t depth,
              const std::shared_ptr<detail::Trace>& trace, std::vector<Row>& rows) {
  const detail::ModuleMeeting* met = node.meeting(trace);
  rows.push_back({std::string(2 * depth, ' ') + name, node.description, met ? met->result : "",
                  grouped(total(list_of(node, true)))});
  for (const auto& [part_name, part] : node.parts) add_rows(*part, part_name, depth + 1, trace, rows);
}

}  // namespace

std::vector<ParameterInfo> Module::named_parameters() const {
  return list_of(*node(), true);
}

std::vector<ParameterInfo> Module::named_statistics() const {
  return list_of(*node(), false);
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> tensors;
  for (const ParameterInfo& info : named_parameters())
    if (info.tensor.defined()) tensors.push_back(info.tensor);
  return tensors;
}

std::int64_t Module::parameter_count() const {
  return total(named_parameters());
}

std::string Module::summary() const {
  const std::string name = full_name();
  std::vector<Row> rows{{"name", "layer", "result", "parameters"}};
  add_rows(*node(), name.empty() ? "module" : name, 0, node()->last(), rows);
  std::size_t width[4] = {};
  for (const Row& row : rows) {
    const std::string* cells[] = {&row.name, &row.layer, &row.result, &row.parameters};
    for (std::size_t i = 0; i < 4; ++i) width[i] = std::max(width[i], cells[i]->size());
  }
  std::string text;
  for (const Row& row : rows)
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>{}}\n", row.name, width[0], row.layer, width[1], row.result,
                        width[2], row.parameters, width[3]);
  std::int64_t frozen = 0;
  for (const ParameterInfo& info : named_parameters()) frozen += info.frozen ? info.count() : 0;
  text += fmt::format("{} parameters", grouped(parameter_count()));
  if (frozen > 0) text += fmt::format(", of which {} are frozen", grouped(frozen));
  return text + "\n";
}

}  // namespace pullback::nn
