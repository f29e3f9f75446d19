// How contractions are best cut, as measured on this machine: kept on disk, one small file for each.
//
// An entry holds for one problem, target, CPU model, number of threads and version of the compiler. Entries decide
// speed only: where one is missing or damaged the static rules choose, and every result has the same bits.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compiler/driver/cache_folder.h"
#include "compiler/lower/contraction_schedule.h"

namespace pullback {
struct Target;
}

namespace pullback::driver {

/// What a measurement holds for besides the problem: the target, the CPU's model, and how many threads at most.
std::string tuned_machine(const Target& target, int threads);

/// Reads each entry once: what one compilation sees does not change under it.
class ScheduleCache {
 public:
  /// Without a folder it remembers what it is told, but keeps nothing.
  ScheduleCache(std::optional<CacheFolder> folder, const Target& target, int threads);

  std::optional<lower::ContractionSchedule> find(const lower::ContractionProblem& problem);
  void keep(const lower::ContractionProblem& problem, const lower::ContractionSchedule& schedule);

 private:
  std::optional<CacheFolder> folder_;
  std::string machine_;  ///< what all keys begin with
  std::map<std::string, std::optional<lower::ContractionSchedule>> known_;
};

}  // namespace pullback::driver
