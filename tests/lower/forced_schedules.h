// Many ways to cut a contraction, sensible or not.
#pragma once

#include <algorithm>
#include <vector>

#include "compiler/lower/contraction_schedule.h"

namespace pullback::testing {

/// All that are valid of: operands exchanged or not, each copied or not, four tiles, blocks none, tiny or in between.
inline std::vector<lower::ContractionSchedule> forced_schedules(const lower::ContractionProblem& problem) {
  std::vector<lower::ContractionSchedule> all;
  const auto add = [&](const lower::ContractionSchedule& schedule) {
    if (lower::is_valid(problem, schedule) && std::find(all.begin(), all.end(), schedule) == all.end())
      all.push_back(schedule);
  };
  for (unsigned flags = 0; flags < 8; ++flags)
    for (const lower::Tile tile : {lower::Tile{1, 1}, lower::Tile{5, 2}, lower::Tile{4, 3}, lower::Tile{13, 1}}) {
      const bool transposed = (flags & 4) != 0;
      lower::ContractionSchedule schedule = lower::choose_schedule(
          problem,
          {.transposed = transposed, .tile = tile, .pack_columns = (flags & 1) != 0, .pack_rows = (flags & 2) != 0});
      add(schedule);
      const std::int64_t panel = tile.vectors * problem.registers.width;
      for (const lower::Blocking blocking :
           {lower::Blocking{tile.rows, panel, 3}, lower::Blocking{2 * tile.rows, 2 * panel, 7},
            lower::Blocking{schedule.blocking.rows, panel, 8},
            lower::Blocking{tile.rows, schedule.blocking.columns, 21}}) {
        schedule.blocking = blocking;
        add(schedule);
      }
    }
  return all;
}

}  // namespace pullback::testing
