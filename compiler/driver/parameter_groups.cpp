#include "compiler/driver/parameter_groups.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "runtime/names.h"

namespace pullback::driver {

namespace {

// '*' stands for any characters, '?' for one.
bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') return fits(pattern.substr(1), name) || (!name.empty() && fits(pattern, name.substr(1)));
  if (name.empty() || (pattern.front() != '?' && pattern.front() != name.front())) return false;
  return fits(pattern.substr(1), name.substr(1));
}

std::vector<std::string> names_for(const std::string& pattern, const std::vector<std::string>& parameters,
                                   const SourceLine& line) {
  std::vector<std::string> names;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(names),
               [&](const std::string& name) { return fits(pattern, name); });
  if (names.empty())
    throw Error(fmt::format("Trainer: no parameter is called {}{}", pattern, runtime::suggestion(pattern, parameters)),
                line);
  return names;
}

}  // namespace

Grouping group_parameters(const TrainerOptions& options, const std::vector<std::string>& parameters,
                          const SourceLine& line) {
  std::set<std::string> frozen;
  for (const std::string& pattern : options.freeze)
    for (const std::string& name : names_for(pattern, parameters, line)) frozen.insert(name);
  std::map<std::string, std::size_t> groups;
  for (std::size_t i = 0; i < options.groups.size(); ++i)
    for (const std::string& pattern : options.groups[i].parameters)
      for (const std::string& name : names_for(pattern, parameters, line)) {
        const auto [entry, fresh] = groups.emplace(name, i);
        if (!fresh && entry->second != i)
          throw Error(fmt::format("Trainer: the parameter {} belongs to the groups {} and {}", name, entry->second, i),
                      line);
        if (options.groups[i].frozen) frozen.insert(name);
      }
  Grouping result;
  for (const std::string& name : parameters) {
    if (frozen.count(name)) continue;
    result.trained.push_back(name);
    if (const auto group = groups.find(name); group != groups.end()) result.groups.insert(*group);
  }
  return result;
}

}  // namespace pullback::driver
