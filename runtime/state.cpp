// State in memory; checkpoint.cpp has its file format.
#include <pullback/state.h>

#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/error.h>

#include "runtime/checkpoint.h"
#include "runtime/names.h"

namespace pullback {

namespace {

bool same_type(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && a.dims() == b.dims() && a.size() == b.size();
}

void copy_elements(const Array& from, Array to) {
  if (from.bytes()) std::memmove(to.raw(), from.raw(), from.bytes());
}

// What keeps `other` from being copied into `state`, or "".
std::string mismatch(const State& state, const State& other) {
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  for (const auto& entry : state.entries()) {
    if (!other.contains(entry.name)) {
      missing.push_back(entry.name);
    } else if (const Array value = other.get(entry.name); !same_type(entry.value, value)) {
      return fmt::format("'{}' is {}, expected {}", entry.name, value.type_string(), entry.value.type_string());
    }
  }
  for (const auto& entry : other.entries())
    if (!state.contains(entry.name)) unknown.push_back(entry.name);
  std::string text;
  if (!missing.empty()) text += fmt::format("missing: {}", fmt::join(missing, ", "));
  if (!unknown.empty()) text += fmt::format("{}unknown: {}", text.empty() ? "" : "; ", fmt::join(unknown, ", "));
  return text;
}

}  // namespace

std::string_view name_of(StateKind kind) {
  switch (kind) {
    case StateKind::parameter:
      return "parameter";
    case StateKind::slot:
      return "slot";
    case StateKind::statistic:
      return "statistic";
    case StateKind::counter:
      return "counter";
  }
  return "?";
}

void State::add(std::string name, StateKind kind, Array initial) {
  if (name.empty()) throw Error("state: an entry needs a name");
  if (contains(name)) throw Error(fmt::format("state: there is already a '{}'", name));
  positions_.emplace(name, entries_.size());
  entries_.push_back({std::move(name), kind, std::move(initial)});
}

const State::Entry* State::find(std::string_view name) const {
  const auto found = positions_.find(name);
  return found == positions_.end() ? nullptr : &entries_[found->second];
}

const State::Entry& State::at(std::string_view name, const std::source_location& where) const {
  if (const Entry* entry = find(name)) return *entry;
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  throw Error(fmt::format("state: there is no '{}'{}", name, runtime::suggestion(name, names)), where);
}

Array State::get(std::string_view name, std::source_location where) const {
  return at(name, where).value;
}

void State::set(std::string_view name, const Array& value, std::source_location where) {
  const Entry& entry = at(name, where);
  if (!same_type(entry.value, value))
    throw Error(
        fmt::format("state: '{}' is {}, the new value is {}", name, entry.value.type_string(), value.type_string()),
        where);
  copy_elements(value, entry.value);
}

State State::clone() const {
  State copy;
  for (const Entry& entry : entries_) copy.add(entry.name, entry.kind, entry.value.clone());
  return copy;
}

void State::copy_from(const State& other, std::source_location where) {
  const std::string problem = mismatch(*this, other);
  if (!problem.empty()) throw Error(fmt::format("state: the other state does not fit: {}", problem), where);
  for (Entry& entry : entries_) copy_elements(other.get(entry.name), entry.value);
}

void State::save(const std::string& path, std::source_location where) const {
  detail::with_line(where, [&] { runtime::write_checkpoint(path, *this); });
}

void State::load(const std::string& path, std::source_location where) {
  const State saved = read(path, where);
  const std::string problem = mismatch(*this, saved);
  if (!problem.empty()) throw Error(fmt::format("checkpoint {}: does not fit this state: {}", path, problem), where);
  for (Entry& entry : entries_) copy_elements(saved.get(entry.name), entry.value);
}

State State::read(const std::string& path, std::source_location where) {
  return detail::with_line(where, [&] { return runtime::read_checkpoint(path); });
}

}  // namespace pullback
