#include "compiler/lower/overlay_stacks.h"

#include <algorithm>
#include <map>

namespace pullback::lower {
namespace {

/// How a tensor in the arena is used. Positions count items and loops, outermost ones only.
struct Uses {
  std::size_t first = static_cast<std::size_t>(-1), last = 0;
  bool as_whole = false;              ///< somewhere it is read or written in one piece
  bool other = false;                 ///< somewhere parts of it are, other than slices
  std::int64_t slice = 0;             ///< bytes
  std::map<std::size_t, bool> loops;  ///< in which of the outermost loops slices are used; the value: counted down?
  std::vector<std::size_t> views;     ///< the slices
};

/// Slices of `bytes`, one behind the other. A tensor at place p has its slice i at i + p.
struct Stack {
  struct Tenant {
    std::size_t storage = 0;
    std::int64_t place = 0, within = 0;  ///< within: bytes from the start of a slice of the stack
  };
  std::int64_t bytes = 0, trips = 0;
  DType dtype = DType::f32;
  std::vector<Tenant> tenants;
  std::vector<std::size_t> latest;  ///< storages of those that came last
  std::int64_t place = 0;           ///< theirs
};

class Overlay {
 public:
  explicit Overlay(Draft& draft) : draft_(draft) {}

  void run() {
    uses_.resize(draft_.storages.size());
    for (std::size_t i = 0; i < draft_.items.size(); ++i) collect(draft_.items[i], i, nullptr);
    for (std::size_t i = 0; i < draft_.items.size(); ++i)
      if (const auto* loop = std::get_if<LoopItem>(&draft_.items[i].action); loop && loop->predicate < 0)
        overlay(*loop, i);
    for (const Stack& stack : stacks_)
      if (stack.tenants.size() > stack.latest.size() || stack.place != 0) settle(stack);
  }

 private:
  void collect(const std::vector<Item>& items, std::size_t position, const LoopItem* loop) {
    for (const Item& item : items) collect(item, position, loop);
  }

  /// `loop`: the outermost one around.
  void collect(const Item& item, std::size_t position, const LoopItem* loop) {
    if (const auto* unit = std::get_if<Unit>(&item.action)) {
      for (const std::size_t storage : unit->storages) use(storage, position, loop);
    } else if (const auto* check = std::get_if<CheckItem>(&item.action)) {
      use(check->predicate, position, loop);
      for (const std::size_t witness : draft_.checks[check->check].witnesses) use(witness, position, loop);
    } else if (const auto* branch = std::get_if<BranchItem>(&item.action)) {
      use(branch->predicate, position, loop);
      collect(branch->then_items, position, loop);
      collect(branch->else_items, position, loop);
    } else {
      const auto& inner = std::get<LoopItem>(item.action);
      if (inner.predicate >= 0) use(static_cast<std::size_t>(inner.predicate), position, loop);
      collect(inner.condition, position, loop ? loop : &inner);
      collect(inner.body, position, loop ? loop : &inner);
    }
  }

  void use(std::size_t storage, std::size_t position, const LoopItem* loop) {
    const std::size_t root = draft_.root(storage);
    Uses& uses = uses_[root];
    uses.first = std::min(uses.first, position);
    uses.last = std::max(uses.last, position);
    const Storage &view = draft_.storages[storage], &whole = draft_.storages[root];
    if (!draft_.moves(storage)) {
      uses.as_whole = true;
      uses.other |= loop != nullptr || (storage != root && view.alias < 0);
      return;
    }
    const auto size = static_cast<std::int64_t>(size_of(view.dtype));
    const std::int64_t slice = view.elements * size;
    const bool is_slice = view.base == static_cast<std::ptrdiff_t>(root) && view.alias < 0 && view.motion &&
                          !view.motion->alternates && loop && view.motion->loop == loop->id && loop->predicate < 0 &&
                          view.dtype == whole.dtype && view.elements * loop->trips == whole.elements;
    const bool reverse = is_slice && view.motion->bytes < 0;
    if (!is_slice || view.motion->bytes != (reverse ? -slice : slice) ||
        view.offset != (reverse ? (loop->trips - 1) * slice : 0)) {
      uses.other = true;
      return;
    }
    const auto [entry, fresh] = uses.loops.try_emplace(loop->id, reverse);
    uses.other |= entry->second != reverse || (uses.slice != 0 && uses.slice != slice);
    uses.slice = slice;
    uses.views.push_back(storage);
  }

  bool is_candidate(std::size_t storage, const LoopItem& loop, bool reverse) const {
    const Storage& s = draft_.storages[storage];
    const Uses& uses = uses_[storage];
    if (s.slot >= 0 || s.constant || s.base >= 0 || s.alias >= 0 || uses.other || uses.slice == 0) return false;
    const auto entry = uses.loops.find(loop.id);
    return entry != uses.loops.end() && entry->second == reverse;
  }

  void overlay(const LoopItem& loop, std::size_t position) {
    for (const bool reverse : {false, true}) {
      std::vector<std::size_t> born;
      for (std::size_t i = 0; i < uses_.size(); ++i) {
        if (!is_candidate(i, loop, reverse)) continue;
        if (uses_[i].first == position) born.push_back(i);
        if (uses_[i].first < position && stack_of_.count(i) == 0) open_stack(i, loop.trips);
      }
      const auto larger = [&](std::size_t a, std::size_t b) { return uses_[a].slice > uses_[b].slice; };
      std::stable_sort(born.begin(), born.end(), larger);
      std::vector<Stack*> dying;
      for (Stack& stack : stacks_)
        if (!stack.latest.empty() && std::all_of(stack.latest.begin(), stack.latest.end(), [&](std::size_t i) {
              return uses_[i].last == position && is_candidate(i, loop, reverse);
            }))
          dying.push_back(&stack);
      std::stable_sort(dying.begin(), dying.end(), [](const Stack* a, const Stack* b) { return a->bytes > b->bytes; });
      for (Stack* stack : dying) replace(*stack, born, reverse);
      while (!born.empty()) {
        if (Stack* stack = join(dying, born.front()))
          replace(*stack, born, reverse);
        else
          born.erase(born.begin());
      }
    }
  }

  /// Makes one stack of tensors that die together, of which none is as large as `born`, but which take at least half of
  /// its place together; null: there are none.
  Stack* join(const std::vector<Stack*>& dying, std::size_t born) {
    const std::int64_t bytes = uses_[born].slice;
    std::vector<Stack*> parts;
    std::int64_t used = 0;
    for (Stack* stack : dying) {
      const bool alone = stack->tenants.size() == 1 && stack->place == 0 && stack->bytes > 0;
      if (!alone || uses_[stack->latest.front()].as_whole || used + stack->bytes > bytes ||
          stack->dtype != draft_.storages[born].dtype)
        continue;
      used += stack->bytes;
      parts.push_back(stack);
    }
    if (parts.size() < 2 || 2 * used < bytes) return nullptr;
    Stack& first = *parts.front();
    used = first.bytes;
    for (Stack* part : parts) {
      if (part == &first) continue;
      const std::size_t storage = part->latest.front();
      first.tenants.push_back({storage, 0, used});
      first.latest.push_back(storage);
      stack_of_[storage] = stack_of_.at(first.latest.front());
      used += part->bytes;
      part->tenants.clear();
      part->latest.clear();
      part->bytes = 0;
    }
    first.bytes = bytes;
    return &first;
  }

  void open_stack(std::size_t storage, std::int64_t trips) {
    stack_of_[storage] = stacks_.size();
    stacks_.push_back({uses_[storage].slice, trips, draft_.storages[storage].dtype, {{storage, 0, 0}}, {storage}, 0});
  }

  /// Takes in what fits of `born`.
  void replace(Stack& stack, std::vector<std::size_t>& born, bool reverse) {
    std::vector<std::size_t> taken;
    std::int64_t used = 0;
    const std::int64_t place = stack.place + (reverse ? 1 : -1);
    for (const std::size_t storage : born) {
      const Uses& uses = uses_[storage];
      const bool fits = uses.slice == stack.bytes || (!uses.as_whole && used + uses.slice <= stack.bytes);
      if (!fits || used + uses.slice > stack.bytes || draft_.storages[storage].dtype != stack.dtype) continue;
      stack.tenants.push_back({storage, place, used});
      stack_of_[storage] = static_cast<std::size_t>(&stack - stacks_.data());
      used += uses.slice;
      taken.push_back(storage);
    }
    if (taken.empty()) return;
    std::erase_if(born,
                  [&](std::size_t storage) { return std::find(taken.begin(), taken.end(), storage) != taken.end(); });
    stack.latest = std::move(taken);
    stack.place = place;
  }

  /// Makes the tenants parts of the stack.
  void settle(const Stack& stack) {
    std::int64_t low = 0, high = 0;
    for (const Stack::Tenant& tenant : stack.tenants) {
      low = std::min(low, tenant.place);
      high = std::max(high, tenant.place);
    }
    const auto size = static_cast<std::int64_t>(size_of(stack.dtype));
    const std::string name = draft_.storages[stack.tenants.front().storage].name + ".stack";
    const auto whole = static_cast<std::ptrdiff_t>(
        draft_.add_storage({name, stack.dtype, (stack.trips + high - low) * stack.bytes / size}));
    for (const Stack::Tenant& tenant : stack.tenants) {
      const Uses& uses = uses_[tenant.storage];
      const std::int64_t start = (tenant.place - low) * stack.bytes + tenant.within;
      if (uses.slice == stack.bytes) {
        draft_.storages[tenant.storage].base = whole;
        draft_.storages[tenant.storage].offset = start;
        continue;
      }
      for (const std::size_t view : uses.views) {
        Storage& slice = draft_.storages[view];
        const bool reverse = slice.motion->bytes < 0;
        slice.base = whole;
        slice.offset = start + (reverse ? (stack.trips - 1) * stack.bytes : 0);
        slice.motion->bytes = reverse ? -stack.bytes : stack.bytes;
      }
    }
  }

  Draft& draft_;
  std::vector<Uses> uses_;  ///< of storages that are no views
  std::vector<Stack> stacks_;
  std::map<std::size_t, std::size_t> stack_of_;
};

}  // namespace

void overlay_stacks(Draft& draft) {
  Overlay(draft).run();
}

}  // namespace pullback::lower
