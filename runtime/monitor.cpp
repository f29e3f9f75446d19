#include "runtime/monitor.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/names.h"

namespace pullback::runtime {

namespace {

constexpr std::string_view kValidationPrefix = "val_";

}  // namespace

bool larger_is_better(const Monitor& monitor, const std::string& name) {
  if (monitor.goal != Monitor::Goal::automatic) return monitor.goal == Monitor::Goal::maximize;
  const auto contains = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  return contains("accuracy") || contains("auc") || contains("f1") || contains("precision") || contains("recall") ||
         contains("r2");
}

std::vector<std::string> record_names(const std::vector<std::string>& metrics, bool with_validation) {
  std::vector<std::string> names{"loss"};
  names.insert(names.end(), metrics.begin(), metrics.end());
  if (!with_validation) return names;
  const std::size_t training = names.size();
  for (std::size_t i = 0; i < training; ++i) names.push_back(std::string(kValidationPrefix) + names[i]);
  return names;
}

std::optional<double> record_value(const EpochRecord& record, const std::vector<std::string>& metrics,
                                   const std::string& name) {
  if (name == "loss") return record.loss;
  if (name == "val_loss") return record.val_loss;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (name == metrics[i] && i < record.metrics.size()) return record.metrics[i];
    if (name == std::string(kValidationPrefix) + metrics[i] && i < record.val_metrics.size())
      return record.val_metrics[i];
  }
  return std::nullopt;
}

BestEpoch::BestEpoch(const Monitor& monitor, double min_delta, std::vector<std::string> metrics, bool with_validation)
    : metrics_(std::move(metrics)),
      name_(!monitor.name.empty() ? monitor.name
            : with_validation     ? "val_loss"
                                  : "loss"),
      sign_(larger_is_better(monitor, name_) ? -1 : 1),
      min_delta_(min_delta) {
  const auto names = record_names(metrics_, with_validation);
  if (std::find(names.begin(), names.end(), name_) == names.end())
    throw Error(fmt::format("fit: there is no '{}' to monitor{}", name_, suggestion(name_, names)));
}

bool BestEpoch::improves(const EpochRecord& record) {
  const auto number = record_value(record, metrics_, name_);
  const double value = number ? sign_ * *number : NAN;
  ++waited_;
  if (std::isnan(value) || (epoch_ && !(value < best_ - min_delta_))) return false;
  best_ = value;
  epoch_ = record.epoch;
  waited_ = 0;
  return true;
}

}  // namespace pullback::runtime
