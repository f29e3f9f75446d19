#include "compiler/lower/plan.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "compiler/ir/literal.h"
#include "compiler/lower/in_place.h"
#include "compiler/lower/order.h"
#include "compiler/lower/overlay_stacks.h"
#include "compiler/lower/place_scratch.h"

namespace pullback::lower {
namespace {

constexpr std::size_t kNever = static_cast<std::size_t>(-1);

/// When a storage is first and last used, by position of steps in their order (both sides of branches counted through).
struct Life {
  std::size_t first = kNever, last = 0;

  void include(const Life& other) {
    first = std::min(first, other.first);
    last = std::max(last, other.last);
  }
};

class Planner {
 public:
  Planner(Draft draft, const PlanOptions& options) : draft_(std::move(draft)), options_(options) {}

  schedule::Module run() {
    deliver(draft_, options_.vector_bytes);
    if (options_.reuse_memory) {
      place_scratch(draft_);
      overlay_stacks(draft_);
    }
    lives_.resize(draft_.storages.size());
    home_.resize(draft_.storages.size());
    for (std::size_t i = 0; i < home_.size(); ++i) home_[i] = draft_.root(i);
    std::size_t position = 0;
    live_through(draft_.items, position);
    for (const Span& loop : loops_) live_through_loop(loop);
    position = 0;
    share_memory(draft_.items, position);

    module_.name = draft_.name;
    module_.loops = draft_.loops;
    module_.slots = draft_.slots;
    for (schedule::Slot& slot : module_.slots) slot.written = slot.written || slot.role == schedule::SlotRole::output;
    place_storages();
    module_.body = steps(draft_.items);
    for (schedule::CheckInfo& check : draft_.checks) {
      for (std::size_t& witness : check.witnesses) witness = buffer_of(witness);
      module_.checks.push_back(std::move(check));
    }
    return std::move(module_);
  }

 private:
  /// A loop's steps, and the storages that they use.
  struct Span {
    std::size_t id = 0, first = 0, last = 0;
    std::set<std::size_t> used;
  };

  void live_through(const std::vector<Item>& items, std::size_t& position) {
    for (const Item& item : items) {
      if (const auto* branch = std::get_if<BranchItem>(&item.action)) {
        use(branch->predicate, position++);
        live_through(branch->then_items, position);
        live_through(branch->else_items, position);
      } else if (const auto* loop = std::get_if<LoopItem>(&item.action)) {
        open_loops_.push_back({loop->id, position++, 0, {}});
        live_through(loop->condition, position);
        if (loop->predicate >= 0) use(static_cast<std::size_t>(loop->predicate), position);
        live_through(loop->body, position);
        open_loops_.back().last = position++;
        loops_.push_back(std::move(open_loops_.back()));
        open_loops_.pop_back();
      } else {
        use_all(item, position++);
      }
    }
  }

  void use_all(const Item& item, std::size_t position) {
    if (const auto* unit = std::get_if<Unit>(&item.action))
      for (std::size_t storage : unit->storages) use(storage, position);
    if (const auto* check = std::get_if<CheckItem>(&item.action)) {
      use(check->predicate, position);
      for (std::size_t witness : draft_.checks[check->check].witnesses) use(witness, position);
    }
  }

  void use(std::size_t storage, std::size_t position) {
    lives_[draft_.root(storage)].include({position, position});
    for (Span& loop : open_loops_) loop.used.insert(storage);
  }

  /// What the loop uses and something outside does too, or what each iteration writes a part of, lives all along. Inner
  /// loops come first.
  void live_through_loop(const Span& loop) {
    for (std::size_t storage : loop.used) {
      Life& life = lives_[draft_.root(storage)];
      if (life.first < loop.first || life.last > loop.last || moves_with(storage, loop.id))
        life.include({loop.first, loop.last});
    }
  }

  bool moves_with(std::size_t storage, std::size_t loop) const {
    for (;;) {
      const Storage& s = draft_.storages[storage];
      if (s.motion && s.motion->loop == loop) return true;
      if (s.alias < 0 && s.base < 0) return false;
      storage = static_cast<std::size_t>(s.alias >= 0 ? s.alias : s.base);
    }
  }

  /// Makes results take the memory of operands that die with them.
  void share_memory(std::vector<Item>& items, std::size_t& position) {
    for (Item& item : items) {
      if (auto* unit = std::get_if<Unit>(&item.action)) share_parameters(*unit, position);
      ++position;
      if (auto* branch = std::get_if<BranchItem>(&item.action)) {
        share_memory(branch->then_items, position);
        share_memory(branch->else_items, position);
      }
      if (auto* loop = std::get_if<LoopItem>(&item.action)) {
        share_memory(loop->condition, position);
        share_memory(loop->body, position);
        ++position;
      }
    }
  }

  /// The storage of each buffer; scratch has none.
  static std::vector<std::size_t> storages_by_buffer(const Unit& unit) {
    std::vector<std::size_t> result;
    std::size_t next = 0;
    for (const kernel::Buffer& b : unit.kernel->buffers)
      result.push_back(b.access == kernel::Access::scratch ? kNever : unit.storages[next++]);
    return result;
  }

  void share_parameters(Unit& unit, std::size_t position) {
    std::vector<std::size_t> storages = storages_by_buffer(unit);
    for (std::size_t out = 0; out < unit.kernel->buffers.size();) {
      std::ptrdiff_t match = -1;
      for (std::size_t in = 0; in < storages.size() && match < 0; ++in)
        if (in != out && storages[in] != kNever && storages[out] != kNever &&
            may_share(storages[in], storages[out], position) &&
            in_place_.can_share(unit.kernel, static_cast<int>(in), static_cast<int>(out)))
          match = static_cast<std::ptrdiff_t>(in);
      if (match < 0) {
        ++out;
        continue;
      }
      const auto in = static_cast<std::size_t>(match);
      join(storages[in], storages[out]);
      std::size_t parameter = 0;
      for (std::size_t b = 0; b < out; ++b) parameter += storages[b] != kNever;
      unit.storages.erase(unit.storages.begin() + static_cast<std::ptrdiff_t>(parameter));
      unit.kernel = in_place_.share(unit.kernel, static_cast<int>(in), static_cast<int>(out));
      storages = storages_by_buffer(unit);
    }
  }

  bool may_share(std::size_t in, std::size_t out, std::size_t position) const {
    const Storage &source = draft_.storages[in], &target = draft_.storages[out];
    if (target.alias == static_cast<std::ptrdiff_t>(in)) return true;  // a carry and what replaces it
    if (source.base >= 0 || target.base >= 0 || source.is_scratch || target.is_scratch) return false;
    if (source.slot >= 0 || target.slot >= 0) return source.slot == target.slot;  // a state and what replaces it
    return options_.reuse_memory && !source.constant && home(in) != home(out) && lives_[home(in)].last == position &&
           lives_[home(out)].first == position;
  }

  std::size_t home(std::size_t storage) const {
    while (home_[storage] != storage) storage = home_[storage];
    return storage;
  }

  void join(std::size_t a, std::size_t b) {
    a = home(a);
    b = home(b);
    if (a == b) return;
    lives_[a].include(lives_[b]);
    home_[b] = a;
  }

  void place_storages() {
    std::vector<Block> blocks;
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < draft_.storages.size(); ++i) {
      const Storage& s = draft_.storages[i];
      if (home(i) != i || s.base >= 0 || s.slot >= 0 || s.constant || s.elements == 0 || lives_[i].first == kNever)
        continue;
      Block block{s.elements * static_cast<std::int64_t>(size_of(s.dtype)), lives_[i].first, lives_[i].last};
      if (!options_.reuse_memory) block.first = 0, block.last = kNever - 1;
      blocks.push_back(block);
      owners.push_back(i);
    }
    module_.live_bytes = least_bytes(blocks, schedule::kAlignment);
    module_.arena_bytes = assign_offsets(blocks, schedule::kAlignment);
    offsets_.resize(draft_.storages.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) offsets_[owners[i]] = blocks[i].offset;
  }

  /// The module's buffer for a storage, made when first asked for.
  std::size_t buffer_of(std::size_t storage) {
    if (const std::ptrdiff_t alias = draft_.storages[storage].alias; alias >= 0)
      return buffer_of(static_cast<std::size_t>(alias));
    if (const auto known = buffers_.find(storage); known != buffers_.end()) return known->second;
    const Storage& s = draft_.storages[storage];
    schedule::Buffer buffer;
    if (s.base >= 0) {
      buffer = module_.buffers[buffer_of(static_cast<std::size_t>(s.base))];
      buffer.is_view = true;
      buffer.offset += s.offset;
      if (s.motion) buffer.motions.push_back(*s.motion);
    } else if (s.slot >= 0) {
      buffer.placement = schedule::Placement::external;
      buffer.slot = static_cast<std::size_t>(s.slot);
    } else if (s.constant) {
      buffer.placement = schedule::Placement::constant;
      buffer.offset = add_constant(*s.constant);
    } else {
      buffer.offset = offsets_[home(storage)];
    }
    buffer.name = unique(s.name, names_);
    buffer.dtype = s.dtype;
    buffer.elements = s.elements;
    module_.buffers.push_back(std::move(buffer));
    buffers_[storage] = module_.buffers.size() - 1;
    return module_.buffers.size() - 1;
  }

  std::int64_t add_constant(const ir::Literal& literal) {
    std::vector<std::byte>& pool = module_.constants;
    const std::size_t offset = pool.size();
    pool.insert(pool.end(), literal.bytes.begin(), literal.bytes.end());
    const auto alignment = static_cast<std::size_t>(schedule::kAlignment);
    pool.resize((pool.size() + alignment - 1) / alignment * alignment);
    return static_cast<std::int64_t>(offset);
  }

  /// Names that are taken, each with the last number that was put behind it.
  using Names = std::unordered_map<std::string, int>;
  static std::string unique(const std::string& name, Names& taken) {
    const auto [entry, fresh] = taken.try_emplace(name, 0);
    if (fresh) return name;
    int& last = entry->second;  // a rehash leaves it where it is
    std::string candidate;
    do {
      candidate = name + "." + std::to_string(++last);
    } while (!taken.try_emplace(candidate, 0).second);
    return candidate;
  }

  std::vector<schedule::Step> steps(std::vector<Item>& items) {
    std::vector<schedule::Step> result;
    for (Item& item : items) {
      if (auto* unit = std::get_if<Unit>(&item.action)) {
        schedule::KernelCall call;
        for (std::size_t storage : unit->storages) call.arguments.push_back(buffer_of(storage));
        call.kernel = kernel_number(*unit);
        call.what = std::move(unit->what);
        call.lines = std::move(unit->lines);
        result.push_back({std::move(call)});
      } else if (const auto* check = std::get_if<CheckItem>(&item.action)) {
        result.push_back({schedule::Check{buffer_of(check->predicate), check->check}});
      } else if (auto* branch = std::get_if<BranchItem>(&item.action)) {
        schedule::Branch step{buffer_of(branch->predicate), {}, {}};
        step.then_steps = steps(branch->then_items);
        step.else_steps = steps(branch->else_items);
        result.push_back({std::move(step)});
      } else {
        auto& loop = std::get<LoopItem>(item.action);
        schedule::Loop step{loop.id, loop.trips, -1, steps(loop.condition), steps(loop.body)};
        if (loop.predicate >= 0)
          step.predicate = static_cast<std::ptrdiff_t>(buffer_of(static_cast<std::size_t>(loop.predicate)));
        result.push_back({std::move(step)});
      }
    }
    return result;
  }

  /// Equal kernels are kept once.
  std::size_t kernel_number(const Unit& unit) {
    if (const auto known = numbers_.find(unit.kernel); known != numbers_.end()) return known->second;
    const auto [entry, fresh] = kernels_.try_emplace(kernel::canonical_text(*unit.kernel), module_.kernels.size());
    numbers_.emplace(unit.kernel, entry->second);
    if (!fresh) return entry->second;
    if (unit.borrowed) name_parameters(unit);
    unit.kernel->name = unique(unit.kernel->name, kernel_names_);
    module_.scratch_bytes = std::max(module_.scratch_bytes, unit.kernel->scratch_bytes());
    module_.kernels.push_back(unit.kernel);
    return entry->second;
  }

  /// A kernel's parameters are named as its first call's arguments are.
  void name_parameters(const Unit& unit) {
    const std::vector<std::size_t> storages = storages_by_buffer(unit);
    for (std::size_t b = 0; b < storages.size(); ++b)
      if (storages[b] != kNever) unit.kernel->buffers[b].name = draft_.storages[storages[b]].name;
  }

  Draft draft_;
  const PlanOptions& options_;
  schedule::Module module_;
  std::vector<Life> lives_;
  std::vector<Span> open_loops_, loops_;  ///< loops_: inner ones first
  std::vector<std::size_t> home_;         ///< storages that share memory point to one of them
  std::vector<std::int64_t> offsets_;
  std::unordered_map<std::size_t, std::size_t> buffers_;
  InPlace in_place_;
  std::unordered_map<std::string, std::size_t> kernels_;                            ///< by text
  std::unordered_map<std::shared_ptr<const kernel::Kernel>, std::size_t> numbers_;  ///< of those seen
  Names names_, kernel_names_;
};

}  // namespace

schedule::Module plan(Draft draft, const PlanOptions& options) {
  return Planner(std::move(draft), options).run();
}

}  // namespace pullback::lower
