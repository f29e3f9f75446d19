#include "compiler/lower/place_scratch.h"

#include <algorithm>
#include <map>
#include <memory>

namespace pullback::lower {
namespace {

/// What is smaller stays where it is, as it does in a thread's caches.
constexpr std::int64_t kLeastBytes = 64 * 1024;

class ScratchPlacer {
 public:
  explicit ScratchPlacer(Draft& draft) : draft_(draft) {}

  void place(std::vector<Item>& items) {
    for (Item& item : items) {
      if (auto* unit = std::get_if<Unit>(&item.action)) {
        place(*unit);
      } else if (auto* branch = std::get_if<BranchItem>(&item.action)) {
        place(branch->then_items);
        place(branch->else_items);
      } else if (auto* loop = std::get_if<LoopItem>(&item.action)) {
        place(loop->condition);
        place(loop->body);
      }
    }
  }

 private:
  void place(Unit& unit) {
    const auto [entry, fresh] = placed_.try_emplace(unit.kernel);
    if (fresh) entry->second = make_parameters(*unit.kernel);
    for (const std::size_t b : entry->second) {
      const kernel::Buffer& buffer = unit.kernel->buffers[b];
      Storage storage{buffer.name, buffer.dtype, buffer.elements};
      storage.is_scratch = true;
      const auto is_parameter = [](const kernel::Buffer& other) { return other.access != kernel::Access::scratch; };
      const auto before = std::count_if(unit.kernel->buffers.begin(),
                                        unit.kernel->buffers.begin() + static_cast<std::ptrdiff_t>(b), is_parameter);
      unit.storages.insert(unit.storages.begin() + before, draft_.add_storage(std::move(storage)));
    }
  }

  /// The kernel's scratch buffers that are parameters from now on, in order.
  static std::vector<std::size_t> make_parameters(kernel::Kernel& kernel) {
    std::vector<std::size_t> made;
    if (kernel.parallel_loop()) return made;
    for (std::size_t b = 0; b < kernel.buffers.size(); ++b) {
      kernel::Buffer& buffer = kernel.buffers[b];
      const std::int64_t bytes = buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype));
      if (buffer.access != kernel::Access::scratch || bytes < kLeastBytes) continue;
      buffer.access = kernel::Access::inout;
      made.push_back(b);
    }
    return made;
  }

  Draft& draft_;
  std::map<std::shared_ptr<kernel::Kernel>, std::vector<std::size_t>> placed_;  // only looked up
};

}  // namespace

void place_scratch(Draft& draft) {
  ScratchPlacer(draft).place(draft.items);
}

}  // namespace pullback::lower
