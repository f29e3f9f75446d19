#include "compiler/lower/order.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "compiler/lower/in_place.h"
#include "compiler/lower/reach.h"

namespace pullback::lower {

Dependences::Dependences(const Draft& draft, const std::vector<Item>& items) {
  for (const Item& item : items) add_item(draft, item);
}

void Dependences::add_item(const Draft& draft, const Item& item) {
  const std::size_t i = after_.size();
  const Footprint f = footprint(item, draft);
  after_.emplace_back();
  writer_.resize(draft.storages.size(), -1);
  readers_.resize(draft.storages.size());
  for (std::size_t storage : f.reads) {
    readers_[storage].push_back(i);
    if (writer_[storage] >= 0) after_[static_cast<std::size_t>(writer_[storage])].insert(i);
  }
  for (std::size_t storage : f.writes) {
    // A carry is written before its loop, which need not read it.
    if (writer_[storage] >= 0) after_[static_cast<std::size_t>(writer_[storage])].insert(i);
    writer_[storage] = static_cast<std::ptrdiff_t>(i);
  }
}

std::ptrdiff_t Dependences::writer(std::size_t storage) const {
  return storage < writer_.size() ? writer_[storage] : -1;
}

const std::vector<std::size_t>& Dependences::readers(std::size_t storage) const {
  static const std::vector<std::size_t> none;
  return storage < readers_.size() ? readers_[storage] : none;
}

bool Dependences::reaches(std::size_t from, std::size_t to) const {
  return leads_to({from}, to, after_.size(), [&](std::size_t i) -> const auto& { return after_[i]; });
}

bool Dependences::try_order(const std::vector<std::size_t>& before, std::size_t after) {
  std::vector<std::size_t> added;
  const bool was_in_order = in_order_;
  for (const std::size_t item : before) {
    const bool forward = in_order_ && item < after;
    if (item == after || (!forward && reaches(after, item))) {
      for (const std::size_t undone : added) after_[undone].erase(after);
      in_order_ = was_in_order;
      return false;
    }
    in_order_ = forward;
    if (after_[item].insert(after).second) added.push_back(item);
  }
  return true;
}

std::vector<bool> Dependences::needed_by_checks(const std::vector<Item>& items) const {
  const std::size_t count = after_.size();
  std::vector<bool> needed(count);
  std::vector<std::vector<std::size_t>> before(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t next : after_[i]) before[next].push_back(i);
  const std::function<void(std::size_t)> mark = [&](std::size_t i) {
    if (needed[i]) return;
    needed[i] = true;
    for (std::size_t need : before[i]) mark(need);
  };
  for (std::size_t i = 0; i < count; ++i)
    if (std::holds_alternative<CheckItem>(items[i].action)) mark(i);
  return needed;
}

namespace {

/// How much memory values between items take, as items run one after the other.
class LiveMemory {
 public:
  LiveMemory(const Draft& draft, const std::vector<Item>& items) : readers_(draft.storages.size()) {
    for (const Storage& s : draft.storages)
      bytes_.push_back(s.slot >= 0 || s.constant || s.base >= 0 || s.alias >= 0
                           ? 0
                           : s.elements * static_cast<std::int64_t>(size_of(s.dtype)));
    for (const Delivery& d : draft.deliveries) bytes_[d.storage] = 0;
    for (const Item& item : items) {
      footprints_.push_back(footprint(item, draft));
      for (const std::size_t storage : footprints_.back().reads) ++readers_[storage];
    }
  }

  /// Bytes that live on after the item less those that lived before it.
  std::int64_t growth(std::size_t item) const {
    std::int64_t bytes = 0;
    for (const std::size_t storage : footprints_[item].writes) bytes += bytes_[storage];
    for (const std::size_t storage : footprints_[item].reads)
      if (readers_[storage] == 1) bytes -= bytes_[storage];
    return bytes;
  }
  void run(std::size_t item) {
    for (const std::size_t storage : footprints_[item].reads) --readers_[storage];
  }

 private:
  std::vector<std::int64_t> bytes_;   ///< of storages in the arena
  std::vector<std::size_t> readers_;  ///< still to come
  std::vector<Footprint> footprints_;
};

}  // namespace

std::vector<std::size_t> Dependences::order(const Draft& draft, const std::vector<Item>& items) const {
  const std::size_t count = after_.size();
  const std::vector<bool> urgent = needed_by_checks(items);
  LiveMemory memory(draft, items);
  std::set<std::tuple<bool, std::size_t, std::size_t>> ready;  // not urgent, priority, item
  std::vector<std::size_t> waiting(count);
  const auto offer = [&](std::size_t i) { ready.emplace(!urgent[i], items[i].priority, i); };
  for (const auto& next : after_)
    for (const std::size_t i : next) ++waiting[i];
  for (std::size_t i = 0; i < count; ++i)
    if (waiting[i] == 0) offer(i);
  std::vector<std::size_t> result;
  while (!ready.empty()) {
    auto chosen = ready.begin();
    if (std::get<bool>(*chosen)) {
      const auto frees = std::find_if(ready.begin(), ready.end(),
                                      [&](const auto& entry) { return memory.growth(std::get<2>(entry)) < 0; });
      if (frees != ready.end()) chosen = frees;
    }
    const std::size_t i = std::get<2>(*chosen);
    ready.erase(chosen);
    memory.run(i);
    result.push_back(i);
    for (const std::size_t next : after_[i])
      if (--waiting[next] == 0) offer(next);
  }
  if (result.size() != count) throw InternalError("lower: kernels depend on each other");
  return result;
}

std::vector<Item> Dependences::sorted(const Draft& draft, std::vector<Item> items) const {
  std::vector<Item> result;
  for (const std::size_t i : order(draft, items)) result.push_back(std::move(items[i]));
  return result;
}

int parameter_of(const Unit& unit, std::size_t storage) {
  std::size_t next = 0;
  for (std::size_t b = 0; b < unit.kernel->buffers.size(); ++b) {
    if (unit.kernel->buffers[b].access == kernel::Access::scratch) continue;
    if (unit.storages[next++] == storage) return static_cast<int>(b);
  }
  return -1;
}

namespace {

class Deliverer {
 public:
  Deliverer(Draft& draft, int vector_bytes)
      : draft_(draft), vector_bytes_(vector_bytes), dependences_(draft, draft.items) {
    for (std::size_t i = 0; i < draft.items.size(); ++i)
      if (has_check(draft.items[i])) checks_.push_back(i);
  }

  void run() {
    // Copies that read old states are there before anything replaces one.
    const auto rank = [&](const Delivery& d) {
      if (draft_.slots[d.slot].role == schedule::SlotRole::output) return 0;
      return dependences_.writer(d.storage) < 0 ? 1 : 2;
    };
    std::stable_sort(draft_.deliveries.begin(), draft_.deliveries.end(),
                     [&](const Delivery& a, const Delivery& b) { return rank(a) < rank(b); });
    for (const Delivery& delivery : draft_.deliveries) {
      const schedule::Slot& slot = draft_.slots[delivery.slot];
      if (draft_.storages[delivery.storage].elements == 0) continue;
      if (slot.role == schedule::SlotRole::output)
        deliver_output(delivery);
      else if (delivery.storage != delivery.slot)
        deliver_state(delivery);
    }
    // Copies into states come last: by then every other reader of the old values is known.
    for (const auto& [from, slot] : late_) copy_into_state(from, slot);
    draft_.items = dependences_.sorted(draft_, std::move(draft_.items));
  }

 private:
  /// A storage nobody has claimed for a slot, written by an item.
  bool is_free(std::size_t storage) const {
    const Storage& s = draft_.storages[storage];
    return s.slot < 0 && !s.constant && s.base < 0 && s.alias < 0 && dependences_.writer(storage) >= 0;
  }

  std::size_t slot_storage(std::size_t slot) {
    const schedule::Slot& s = draft_.slots[slot];
    std::int64_t elements = 1;
    for (std::int64_t d : s.dims) elements *= d;
    return draft_.add_storage({s.name, s.dtype, elements, static_cast<std::ptrdiff_t>(slot), nullptr});
  }

  std::size_t add_copy(std::size_t from, std::size_t to) {
    draft_.items.push_back({copy_unit(draft_, from, to, vector_bytes_), draft_.items.size() + 1000000});
    dependences_.add_item(draft_, draft_.items.back());
    return draft_.items.size() - 1;
  }

  void deliver_output(const Delivery& delivery) {
    if (is_free(delivery.storage))
      draft_.storages[delivery.storage].slot = static_cast<std::ptrdiff_t>(delivery.slot);
    else
      add_copy(delivery.storage, slot_storage(delivery.slot));
  }

  void deliver_state(const Delivery& delivery) {
    draft_.slots[delivery.slot].written = true;
    if (donate(delivery)) {
      draft_.storages[delivery.storage].slot = static_cast<std::ptrdiff_t>(delivery.slot);
      return;
    }
    std::size_t from = delivery.storage;
    const std::ptrdiff_t slot = draft_.storages[from].slot;
    if (slot >= 0 && draft_.slots[static_cast<std::size_t>(slot)].role == schedule::SlotRole::state) {
      // Another state, which may be replaced before the copy: its value is kept.
      const Storage& source = draft_.storages[from];
      const std::size_t kept = draft_.add_storage({source.name + ".old", source.dtype, source.elements});
      add_copy(from, kept);
      from = kept;
    }
    late_.emplace_back(from, delivery.slot);
  }

  /// Can the storage's writer write the state in place?
  bool donate(const Delivery& delivery) {
    if (!is_free(delivery.storage)) return false;
    const auto writer = static_cast<std::size_t>(dependences_.writer(delivery.storage));
    const std::size_t old = delivery.slot;  // storages of arguments have their slot's number
    const auto* unit = std::get_if<Unit>(&draft_.items[writer].action);
    if (!unit) return false;
    const int out = parameter_of(*unit, delivery.storage), in = parameter_of(*unit, old);
    if (in >= 0 && !in_place_.can_share(unit->kernel, in, out)) return false;
    std::vector<std::size_t> earlier = dependences_.readers(old);
    std::erase(earlier, writer);
    earlier.insert(earlier.end(), checks_.begin(), checks_.end());
    return dependences_.try_order(earlier, writer);
  }

  void copy_into_state(std::size_t from, std::size_t slot) {
    const std::size_t copy = add_copy(from, slot_storage(slot));
    std::vector<std::size_t> earlier = dependences_.readers(slot);
    earlier.insert(earlier.end(), checks_.begin(), checks_.end());
    if (!dependences_.try_order(earlier, copy)) throw InternalError("lower: a state is replaced before it is read");
  }

  Draft& draft_;
  int vector_bytes_;
  Dependences dependences_;
  InPlace in_place_;
  std::vector<std::size_t> checks_;
  std::vector<std::pair<std::size_t, std::size_t>> late_;  // storage, slot
};

}  // namespace

void deliver(Draft& draft, int vector_bytes) {
  Deliverer(draft, vector_bytes).run();
}

}  // namespace pullback::lower
