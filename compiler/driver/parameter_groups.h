// Which parameters a Trainer trains, and how: patterns become names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <pullback/trainer.h>

namespace pullback::driver {

struct Grouping {
  std::vector<std::string> trained;           ///< all but the frozen ones, in their order
  std::map<std::string, std::size_t> groups;  ///< of trained parameters: the group's index
};

/// Throws Error when a pattern fits no parameter or a parameter is in two groups.
Grouping group_parameters(const TrainerOptions& options, const std::vector<std::string>& parameters,
                          const SourceLine& line);

}  // namespace pullback::driver
