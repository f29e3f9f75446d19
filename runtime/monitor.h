// Watching one number of the epochs: is this epoch the best so far?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <pullback/fit.h>

namespace pullback::runtime {

/// "loss", the metrics, and with validation the same with "val_" before them: the names of an epoch's numbers.
std::vector<std::string> record_names(const std::vector<std::string>& metrics, bool with_validation);

/// Whether a larger value of the number `name` is the better one.
bool larger_is_better(const Monitor& monitor, const std::string& name);

/// The number `name` of `record`; nothing when it has none.
std::optional<double> record_value(const EpochRecord& record, const std::vector<std::string>& metrics,
                                   const std::string& name);

/// Remembers the best epoch of those shown to it.
class BestEpoch {
 public:
  /// Throws Error when the epochs will not have that number.
  BestEpoch(const Monitor& monitor, double min_delta, std::vector<std::string> metrics, bool with_validation);

  /// Whether this epoch is better than all before it by more than min_delta. A NaN never is.
  bool improves(const EpochRecord& record);
  /// Epochs since the best one.
  int waited() const { return waited_; }
  std::optional<int> epoch() const { return epoch_; }

 private:
  std::vector<std::string> metrics_;
  std::string name_;
  double sign_ = 1;  // times the number: smaller is better
  double min_delta_ = 0;
  double best_ = 0;
  std::optional<int> epoch_;
  int waited_ = 0;
};

}  // namespace pullback::runtime
