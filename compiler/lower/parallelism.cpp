#include "compiler/lower/parallelism.h"

#include <algorithm>
#include <unordered_map>

#include "compiler/lower/survey.h"
#include "compiler/support/target.h"

namespace pullback::lower {
namespace {

bool runs_in_parts(const kernel::Kernel& kernel) {
  return std::any_of(kernel.body.statements.begin(), kernel.body.statements.end(), [](const auto& statement) {
    const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement);
    return loop && (*loop)->kind == kernel::LoopKind::parallel;
  });
}

/// Microseconds of one thread, and how many fewer two threads would take.
struct Time {
  double alone = 0, saved = 0;

  Time& operator+=(const Time& other) {
    alone += other.alone;
    saved += other.saved;
    return *this;
  }
};

/// The time of all kernels, every iteration of loops, as far as their instructions tell it. Of branches the longer
/// side; the body of a while loop counts once, since nobody knows how often it runs.
class Estimate {
 public:
  Estimate(const Draft& draft, const Target& target)
      : draft_(draft), per_microsecond_(target.has_fma ? kVectorWork : kScalarWork), uses_(draft.storages.size()) {}

  Time of(const std::vector<Item>& items) {
    Time time;
    for (const Item& item : items) {
      if (const auto* unit = std::get_if<Unit>(&item.action)) time += of(*unit);
      if (const auto* branch = std::get_if<BranchItem>(&item.action)) {
        const Time either = of(branch->then_items), other = of(branch->else_items);
        time += either.alone > other.alone ? either : other;
      }
      if (const auto* loop = std::get_if<LoopItem>(&item.action)) {
        const Time body = of(loop->body);
        const auto trips = static_cast<double>(std::max<std::int64_t>(loop->trips, 1));
        time += {trips * body.alone, trips * body.saved};
      }
    }
    return time;
  }

  /// What parts fetch from each other's caches in a step, of the states that it replaces: kernels cut what they share
  /// along other axes, so that half of what one has written is read by the other core.
  double travel() const {
    double bytes = 0;
    for (const Delivery& delivery : draft_.deliveries) {
      if (draft_.slots[delivery.slot].role == schedule::SlotRole::output) continue;
      if (uses_[draft_.root(delivery.storage)].writers == 0 || uses_[delivery.slot].readers < 2) continue;
      const Storage& state = draft_.storages[delivery.slot];
      bytes += static_cast<double>(state.elements) * static_cast<double>(size_of(state.dtype));
    }
    return bytes / kBytesPerMicrosecond;
  }

 private:
  // Measured with vectors of 16; those of 8 take longer, which speaks for threads all the more.
  static constexpr double kVectorWork = 1e5, kScalarWork = 6e3;
  /// To hand a part to a waiting thread, to hear of its end, and for its operands to get there.
  static constexpr double kHandOver = 0.7;
  static constexpr double kBytesPerMicrosecond = 1e5;  ///< from the other core's cache, for both parts

  struct Uses {
    int readers = 0;  ///< kernels
    int writers = 0;  ///< kernels that run in parts
  };

  Time of(const Unit& unit) {
    const auto [entry, fresh] = known_.try_emplace(unit.kernel.get());
    const bool in_parts = runs_in_parts(*unit.kernel);
    if (fresh) {
      entry->second.alone = survey(*unit.kernel).work / per_microsecond_;
      if (in_parts) entry->second.saved = entry->second.alone / 2 - kHandOver;
    }
    std::size_t parameter = 0;
    for (const kernel::Buffer& buffer : unit.kernel->buffers) {
      if (buffer.access == kernel::Access::scratch) continue;
      Uses& uses = uses_[draft_.root(unit.storages[parameter++])];
      if (buffer.access != kernel::Access::out) ++uses.readers;
      if (buffer.access != kernel::Access::in && in_parts) ++uses.writers;
    }
    return entry->second;
  }

  const Draft& draft_;
  const double per_microsecond_;
  std::unordered_map<const kernel::Kernel*, Time> known_;
  std::vector<Uses> uses_;  ///< of each storage
};

}  // namespace

bool is_worth_threads(const Draft& draft, const Target& target) {
  // A quarter, for the estimate of short steps is that coarse.
  constexpr double kWorthIt = 0.25;
  Estimate estimate(draft, target);
  const Time time = estimate.of(draft.items);
  return time.saved - estimate.travel() > kWorthIt * time.alone;
}

}  // namespace pullback::lower
