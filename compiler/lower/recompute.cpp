// What lives when is read off the grouping, as lowering will do it: positions are groups, in their order. A copy of an
// op reads its operands through optimization barriers, so that no kernel computes it together with the original.
#include "compiler/lower/recompute.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ir/builder.h"
#include "compiler/ir/layout.h"
#include "compiler/lower/anchors.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/group.h"
#include "compiler/lower/winograd.h"
#include "compiler/ops/contraction.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/support/pointer_lists.h"

namespace pullback::lower {
namespace {

/// Each round under a limit gives up at least this share of the peak; one without a limit, everything cheap.
constexpr double kShareOfRound = 0.04;

/// Which values a round may give up.
struct Rule {
  std::int64_t least_bytes = 1024;  ///< smaller values are not worth it
  /// At most so many for an element of the value, all of elementwise ops. 0: no such limit.
  double most_instructions = 0;
};

/// What pays without anybody asking for less memory: a few vector instructions for an element, which take about as long
/// as fetching the element from memory would, and no value so small that a kernel call more is felt.
constexpr Rule kCheap{64 * 1024, 32};

/// A stored value: the groups that compute it and read it.
struct LiveRange {
  const ir::Value* value = nullptr;
  std::int64_t bytes = 0;
  std::size_t made = 0;
  std::vector<std::size_t> read;   ///< rising
  std::size_t last_convolved = 0;  ///< the last group that reads it for a convolution; 0 if none
  bool made_in_step = false;       ///< element by element, as its group reads
  bool read_in_step = false;       ///< by the last group

  std::size_t last() const { return read.empty() ? made : read.back(); }
};

/// The groups of a function, what they store, and when memory is fullest.
class Lives {
 public:
  Lives(const ir::Region& region, Accesses& accesses, const GroupLimits& limits)
      : region_(region), accesses_(accesses), grouping_(group(region, accesses, limits)) {
    for (std::size_t g = 0; g < grouping_.groups.size(); ++g) {
      for (const ir::Value* stored : grouping_.groups[g].stored) add(stored, g);
    }
    for (std::size_t g = 0; g < grouping_.groups.size(); ++g) read(grouping_.groups[g], g);
    find_peak();
  }

  const std::vector<LiveRange>& all() const { return all_; }
  std::size_t peak() const { return peak_; }
  std::int64_t peak_bytes() const { return peak_bytes_; }
  Accesses& accesses() { return accesses_; }
  Grouping& grouping() { return grouping_; }

  /// Is the value in memory from now on until `position`, whatever is given up? Arguments and constants are.
  bool available(const ir::Value& value, std::size_t position) const {
    if (is_leaf(value)) return true;
    const std::size_t* found = index_.find(&value);
    if (!found) return false;
    const LiveRange& life = all_[*found];
    return life.made < position && life.last() >= position;
  }
  /// The first and the last group that compute the op: its own, or those that its value is computed within.
  struct Span {
    std::size_t first = 0, last = 0;
  };
  void find_where_computed() {
    computed_.reserve(region_.ops.size());
    for (const auto& op : region_.ops) computed_[op.get()] = {grouping_.groups.size(), 0};
    for (std::size_t i = region_.ops.size(); i-- > 0;) {  // readers come first
      const ir::Op& op = *region_.ops[i];
      Span span = *computed_.find(&op);
      for (const auto& result : op.results) {
        if (const std::size_t* found = grouping_.group_of.find(result.get())) span = {*found, *found};
      }
      computed_[&op] = span;
      for (const ir::Value* operand : op.operands) {
        if (!operand->definer) continue;
        Span& inner = computed_[operand->definer];
        inner.first = std::min(inner.first, span.first);
        inner.last = std::max(inner.last, span.last);
      }
    }
  }
  /// Once that is found.
  const Span& computed(const ir::Op& op) const { return *computed_.find(&op); }

 private:
  void add(const ir::Value* value, std::size_t position) {
    const std::int64_t bytes = count_of(*value) * static_cast<std::int64_t>(size_of(value->type.dtype));
    const Group& g = grouping_.groups[position];
    index_[value] = all_.size();
    all_.push_back({value, bytes, position, {}, 0, goes_in_step(g) && value->definer != g.op, false});
  }

  static bool goes_in_step(const Group& g) {
    return g.kind == Group::Kind::elementwise || (g.kind == Group::Kind::contraction && g.behind.empty());
  }

  void read(const Group& g, std::size_t position) {
    FlatSet<const ir::Value*> operands;
    if (g.op)
      for (const ir::Value* operand : g.op->operands) add_base(operand, operands);
    FlatSet<const ir::Value*> inputs = operands;
    for (const ir::Value* anchor : g.anchors)
      if (anchor->definer != g.op && anchor->definer->def->element)
        if (const std::vector<AnchorRead>* reads = grouping_.reads.find(anchor))
          for (const AnchorRead& read : *reads) inputs.insert(read.value);
    for (const ir::Value* input : inputs) {
      const std::size_t* found = index_.find(input);
      if (!found) continue;
      LiveRange& life = all_[*found];
      const bool is_operand = operands.contains(input);
      life.read.push_back(position);
      life.read_in_step = goes_in_step(g) && !is_operand;
      if (is_operand && ops::is_convolution(*g.op)) life.last_convolved = position;
    }
  }

  void add_base(const ir::Value* value, FlatSet<const ir::Value*>& inputs) const {
    if (is_leaf(*value) || grouping_.is_anchor(value)) {
      inputs.insert(value);
      return;
    }
    for (const ir::Value* operand : value->definer->operands) add_base(operand, inputs);
  }

  void find_peak() {
    std::vector<std::int64_t> change(grouping_.groups.size() + 2);
    const std::unordered_set<const ir::Value*> results(region_.results.begin(), region_.results.end());
    std::vector<std::vector<const LiveRange*>> dying(grouping_.groups.size());
    for (const LiveRange& life : all_) {
      if (results.count(life.value)) continue;  // lies in a slot
      change[life.made] += life.bytes;
      change[life.last() + 1] -= life.bytes;
      if (life.last() > life.made) dying[life.last()].push_back(&life);
    }
    for (const LiveRange& life : all_) {
      if (results.count(life.value) || !takes_place(life, dying[life.made])) continue;
      change[life.made] -= life.bytes;  // there the two are one; behind it the other is gone
      change[life.made + 1] += life.bytes;
    }
    std::int64_t live = 0;
    for (std::size_t g = 0; g < grouping_.groups.size(); ++g)
      if ((live += change[g]) > peak_bytes_) {
        peak_bytes_ = live;
        peak_ = g;
      }
  }

  /// Is the value written over one of those that die as it is computed, position by position? Takes that one out.
  static bool takes_place(const LiveRange& life, std::vector<const LiveRange*>& dying) {
    const auto fits = [&](const LiveRange* other) { return other->read_in_step && other->bytes == life.bytes; };
    const auto found = life.made_in_step ? std::find_if(dying.begin(), dying.end(), fits) : dying.end();
    if (found == dying.end()) return false;
    dying.erase(found);
    return true;
  }

  const ir::Region& region_;
  Accesses& accesses_;
  Grouping grouping_;
  std::vector<LiveRange> all_;
  PointerMap<std::size_t> index_;
  PointerMap<Span> computed_;
  std::size_t peak_ = 0;
  std::int64_t peak_bytes_ = 0;
};

/// A value to give up: the ops that compute it again, in order, and about how many seconds they take.
struct Candidate {
  const ir::Value* value = nullptr;
  std::int64_t bytes = 0;
  bool stored = false;              ///< in memory again, by a kernel of its own, which is that of the first time
  FlatSet<std::size_t> ops;         ///< positions in the region
  FlatSet<std::size_t> claims;      ///< those that read what may be given up
  FlatSet<const ir::Value*> reads;  ///< in memory, not computed again
  double seconds = 0;
  double instructions = 0;  ///< of ops with an element rule
};

class Round {
 public:
  Round(ir::Region& region, Accesses& accesses, const Rule& rule, const GroupLimits& limits = {})
      : region_(region), rule_(rule), lives_(region, accesses, limits) {}

  std::int64_t peak_bytes() const { return lives_.peak_bytes(); }
  /// Of the region as it was before run().
  Grouping& grouping() { return lives_.grouping(); }

  /// Gives up values, `share` of the peak if there are as many; false when there is none.
  bool run(double share) {
    position_.reserve(region_.ops.size());
    for (std::size_t i = 0; i < region_.ops.size(); ++i) position_[region_.ops[i].get()] = i;
    const std::vector<Candidate> candidates = find_candidates();
    std::vector<const Candidate*> chosen = choose(candidates, share * static_cast<double>(lives_.peak_bytes()));
    if (chosen.empty()) return false;
    note_readers();
    lives_.find_where_computed();
    std::sort(chosen.begin(), chosen.end(), [&](const Candidate* a, const Candidate* b) {
      return *position_.find(a->value->definer) < *position_.find(b->value->definer);
    });
    std::vector<Copy> copies;
    ir::ValueMap again;
    for (const Candidate* candidate : chosen) copies.push_back(copy(*candidate, again));
    for (std::size_t i = 0; i < chosen.size(); ++i) redirect_readers(*chosen[i], again, copies[i]);
    put_before_readers(chosen, copies);
    insert(std::move(copies));
    return true;
  }

 private:
  /// Ops to be put before that at `position`.
  struct Copy {
    std::size_t position = 0;
    std::vector<std::unique_ptr<ir::Op>> ops;
  };

  void note_readers() {
    for (std::size_t i = 0; i < region_.ops.size(); ++i)
      for (const ir::Value* operand : region_.ops[i]->operands) readers_.add(operand, i);
  }

  /// Those that together give up `enough` bytes, the cheapest first.
  std::vector<const Candidate*> choose(const std::vector<Candidate>& candidates, double enough) const {
    double bytes = 0;
    std::unordered_set<std::size_t> taken;  // ops computed again: what they compute must stay where it is in this round
    std::unordered_set<const ir::Value*> kept, given_up;
    std::vector<const Candidate*> chosen;
    for (const Candidate& candidate : candidates) {
      if (bytes >= enough) break;
      if (std::any_of(candidate.claims.begin(), candidate.claims.end(),
                      [&](std::size_t op) { return taken.count(op); }))
        continue;
      const auto is_gone = [&](const ir::Value* read) { return given_up.count(read) != 0; };
      if (std::any_of(candidate.reads.begin(), candidate.reads.end(), is_gone)) continue;
      // What is stored again can be read by others then.
      if (!candidate.stored && kept.count(candidate.value)) continue;
      if (!candidate.stored) given_up.insert(candidate.value);
      taken.insert(candidate.claims.begin(), candidate.claims.end());
      kept.insert(candidate.reads.begin(), candidate.reads.end());
      bytes += static_cast<double>(candidate.bytes);
      chosen.push_back(&candidate);
    }
    return chosen;
  }

  std::vector<Candidate> find_candidates() {
    const std::unordered_set<const ir::Value*> results(region_.results.begin(), region_.results.end());
    std::vector<Candidate> candidates;
    const std::size_t peak = lives_.peak();
    for (const LiveRange& life : lives_.all()) {
      if (life.made >= peak || life.bytes < rule_.least_bytes || results.count(life.value)) continue;
      const auto late = std::lower_bound(life.read.begin(), life.read.end(), peak);
      if (late == life.read.end() || *late == peak) continue;
      Candidate candidate{life.value, life.bytes, rule_.most_instructions > 0 && life.last_convolved > peak, {}, {}, {},
                          0,          0};
      if (collect(*life.value, *late, candidate) && is_cheap(candidate)) candidates.push_back(std::move(candidate));
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return static_cast<double>(a.bytes) * b.seconds > static_cast<double>(b.bytes) * a.seconds;
    });
    return candidates;
  }

  bool is_cheap(const Candidate& candidate) const {
    return rule_.most_instructions == 0 ||
           candidate.instructions <= rule_.most_instructions * static_cast<double>(count_of(*candidate.value));
  }

  /// Is each element of the result made of one element of each operand? A fold or a product, even a short one, reads
  /// much more memory than it saves.
  bool is_elementwise(const ir::Op& op) {
    return op.def->element && !is_contraction(op, lives_.accesses()) && lives_.accesses().of(op).reduced_count <= 1;
  }

  /// Adds the ops that compute `value` from what is in memory at `position`; false when one cannot be repeated.
  bool collect(const ir::Value& value, std::size_t position, Candidate& candidate) {
    const ir::Op& op = *value.definer;
    if (op.def->control || !op.regions.empty() || candidate.ops.size() > kMostOps) return false;
    if (rule_.most_instructions > 0 && !is_elementwise(op)) return false;
    if (!candidate.ops.insert(*position_.find(&op))) return true;
    const bool reads_leaves = std::all_of(op.operands.begin(), op.operands.end(), [](auto* v) { return is_leaf(*v); });
    if (!reads_leaves) candidate.claims.insert(*position_.find(&op));
    candidate.seconds += seconds(op);
    candidate.instructions += instructions(op);
    for (const ir::Value* operand : op.operands) {
      if (lives_.available(*operand, position))
        candidate.reads.insert(operand);
      else if (!collect(*operand, position, candidate))
        return false;
    }
    return true;
  }

  /// About how long the op takes: its sums, or its elements with what they move.
  double seconds(const ir::Op& op) {
    constexpr double kFlops = 1.5e11, kInstructions = 2e10, kBytes = 2e10;
    if (op.def->contraction) return ops::count_flop(op.def->contraction(op)).in_bounds / kFlops;
    return instructions(op) / kInstructions + 4 * elements(op) / kBytes;
  }

  static double elements(const ir::Op& op) {
    double elements = 0;
    for (const auto& result : op.results) elements += static_cast<double>(count_of(*result));
    return elements;
  }

  /// About how many instructions of one lane the op takes that is not a contraction.
  double instructions(const ir::Op& op) {
    double each = 20;
    if (op.def->element && count_of(*op.result()) > 0) {
      const OpAccess& access = lives_.accesses().of(op);
      each = static_cast<double>(access.cost) * static_cast<double>(std::max<std::int64_t>(access.reduced_count, 1));
    }
    return elements(op) * each;
  }

  /// Computes the candidate's value again, from others that are in `again` already where it reads such.
  Copy copy(const Candidate& candidate, ir::ValueMap& again) {
    const std::size_t before = region_.ops.size();
    ir::Builder builder(region_);
    ir::ValueMap map = hidden_operands(candidate, again, builder);
    for (const std::size_t i : candidate.ops) builder.copy(*region_.ops[i], map);
    ir::Value* value = map.at(candidate.value);
    if (candidate.stored) value = hide(value, builder);
    again[candidate.value] = value;
    Copy result{before, {}};
    take_ops_from(before, result);
    return result;
  }

  /// Makes the groups behind the peak read the value in `again`, which `copy` computes, and places that before them.
  void redirect_readers(const Candidate& candidate, const ir::ValueMap& again, Copy& copy) {
    const std::size_t before = region_.ops.size();
    ir::Builder builder(region_);
    ir::ValueMap map{{candidate.value, again.at(candidate.value)}};
    std::set<std::size_t> open;  // ops that read what is in `map`, in their order
    const auto add_readers = [&](const ir::Value* value) {
      readers_.for_each(value, [&](std::size_t position) { open.insert(position); });
    };
    add_readers(candidate.value);
    while (!open.empty()) {
      const std::size_t i = *open.begin();
      open.erase(open.begin());
      ir::Op& op = *region_.ops[i];
      const auto known = [&](const ir::Value* operand) { return map.contains(operand); };
      const Lives::Span& computed = lives_.computed(op);
      // An op may have been given other operands since readers were noted.
      if (computed.last <= lives_.peak() || std::none_of(op.operands.begin(), op.operands.end(), known)) continue;
      if (computed.first <= lives_.peak()) {
        builder.copy(op, map);  // computed within groups on both sides of the peak
        for (const auto& result : op.results) add_readers(result.get());
        continue;
      }
      for (ir::Value*& operand : op.operands)
        if (known(operand)) operand = map.at(operand);
      copy.position = std::min(copy.position, i);
    }
    take_ops_from(before, copy);
  }

  void take_ops_from(std::size_t first, Copy& copy) {
    std::move(region_.ops.begin() + static_cast<std::ptrdiff_t>(first), region_.ops.end(),
              std::back_inserter(copy.ops));
    region_.ops.resize(first);
  }

  /// Copies that read what others compute come behind those: `chosen` are in the order of the region.
  static void put_before_readers(const std::vector<const Candidate*>& chosen, std::vector<Copy>& copies) {
    for (std::size_t reader = chosen.size(); reader-- > 0;)
      for (std::size_t i = 0; i < reader; ++i)
        if (chosen[reader]->reads.contains(chosen[i]->value))
          copies[i].position = std::min(copies[i].position, copies[reader].position);
  }

  /// What the copies read, behind barriers.
  ir::ValueMap hidden_operands(const Candidate& candidate, const ir::ValueMap& again, ir::Builder& builder) const {
    ir::ValueMap map;
    builder.location = candidate.value->definer->location;
    for (const std::size_t i : candidate.ops)
      for (ir::Value* operand : region_.ops[i]->operands) {
        const bool inside = operand->definer && candidate.ops.contains(*position_.find(operand->definer));
        const bool constant = operand->definer && is_leaf(*operand);
        if (inside || constant || map.contains(operand)) continue;
        ir::Value* copied = again.find(operand);
        map[operand] = copied ? copied : hide(operand, builder);
      }
    return map;
  }

  /// The value behind a barrier, where it lies as before.
  static ir::Value* hide(ir::Value* value, ir::Builder& builder) {
    ir::Op* barrier = builder.create(ops::op_barrier, {value});
    ir::set_layout(*barrier, ir::layout_of(*value));
    return barrier->result();
  }

  void insert(std::vector<Copy> copies) {
    std::stable_sort(copies.begin(), copies.end(),
                     [](const Copy& a, const Copy& b) { return a.position < b.position; });
    std::vector<std::unique_ptr<ir::Op>> ops;
    auto next = copies.begin();
    for (std::size_t i = 0; i <= region_.ops.size(); ++i) {
      for (; next != copies.end() && next->position == i; ++next)
        std::move(next->ops.begin(), next->ops.end(), std::back_inserter(ops));
      if (i < region_.ops.size()) ops.push_back(std::move(region_.ops[i]));
    }
    region_.ops = std::move(ops);
  }

  static constexpr std::size_t kMostOps = 200;  ///< computed again for one value

  ir::Region& region_;
  const Rule rule_;
  Lives lives_;
  PointerMap<std::size_t> position_;
  PointerLists<std::size_t> readers_;  ///< of each value, their positions as the round begins
};

}  // namespace

std::optional<Grouping> recompute_cheap(ir::Function& function, Accesses& accesses) {
  constexpr int kRounds = 4;  // each costs a grouping; mostly two leave nothing to gain
  std::int64_t before = 0;
  for (int i = 0; i < kRounds; ++i) {
    Round round(function.body, accesses, kCheap);
    const auto gained = static_cast<double>(before - round.peak_bytes());
    const bool is_enough = i > 0 && gained < kShareOfRound * static_cast<double>(before);
    before = round.peak_bytes();
    if (is_enough || before < 16 * kCheap.least_bytes || !round.run(1)) return std::move(round.grouping());
  }
  return std::nullopt;
}

namespace {

bool has_winograd(const ir::Region& body) {
  return std::any_of(body.ops.begin(), body.ops.end(), [](const auto& op) { return is_winograd(*op); });
}

}  // namespace

schedule::Module limit_memory(ir::Function& function, std::int64_t limit,
                              const std::function<schedule::Module(const ir::Function&)>& lower) {
  Accesses accesses;
  constexpr int kPatience = 8;  // rounds without progress: giving up more does not help
  schedule::Module module = lower(function);
  std::int64_t least = module.arena_bytes;
  for (int idle = 0; module.arena_bytes > limit && idle < kPatience; ++idle) {
    if (!Round(function.body, accesses, {}, {.join_contractions = false}).run(kShareOfRound)) break;
    module = lower(function);
    if (module.arena_bytes < least) {
      least = module.arena_bytes;
      idle = -1;
    }
  }
  if (module.arena_bytes > limit)
    throw Error(fmt::format(
        "{}: memory_limit is {} bytes, but values between kernels and their scratch memory need at least {}{}",
        function.name, limit, least, has_winograd(function.body) ? " (perhaps fewer with .winograd = false)" : ""));
  return module;
}

}  // namespace pullback::lower
