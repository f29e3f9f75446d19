// Starts with one group for each anchor and merges groups that can be one kernel, as long as no cycle arises.
#include "compiler/lower/group.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>

#include "compiler/ir/layout.h"
#include "compiler/lower/anchors.h"
#include "compiler/lower/contraction_phases.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/direct_convolution.h"
#include "compiler/lower/expression.h"
#include "compiler/lower/space.h"
#include "compiler/lower/winograd.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {
namespace {

using Kind = Group::Kind;
using Along = Group::Along;

class Grouper {
 public:
  Grouper(const ir::Region& region, Accesses& accesses, const GroupLimits& limits)
      : region_(region),
        accesses_(accesses),
        limits_(limits),
        anchors_(choose_anchors(region, accesses, limits)),
        expression_(accesses) {}

  Grouping run() {
    nodes_.reserve(anchors_.size());
    for (const auto& op : region_.ops) start(*op);
    for (Node& node : nodes_)
      for (std::size_t producer : node.producers) nodes_[producer].consumers.insert(index_of(node));
    for (Node& node : nodes_) {
      node.rank = index_of(node);
      by_rank_.push_back(node.rank);
    }
    if (limits_.fuse) {
      merge_with_producers();
      merge_siblings();
      merge_behind_convolutions();
    }
    return finish();
  }

 private:
  struct Node {
    Group group;
    FlatSet<std::size_t> producers, consumers;
    FlatSet<const ir::Value*> inputs;  ///< anchors of other groups, arguments
    bool alive = true;
    std::size_t rank = 0;  ///< place in an order in which each comes after its producers
    std::size_t seen = 0;  ///< by the last search that met it
    std::size_t last = 0;  ///< position in the region of the latest anchor's op, as Group::first of the earliest
  };

  std::size_t index_of(const Node& node) const { return static_cast<std::size_t>(&node - nodes_.data()); }

  void start(const ir::Op& op) {
    const bool composed = op.def->element && !is_contraction(op, accesses_);
    if (!op.results.empty() && is_leaf(*op.result())) return;
    if (composed && !anchors_.contains(op.result())) return;
    Node node;
    node.group.first = node.last = nodes_.size();
    node.group.op = composed ? nullptr : &op;
    for (const auto& result : op.results) node.group.anchors.push_back(result.get());
    if (composed)
      start_composed(op, node);
    else
      start_other(op, node);
    for (const ir::Value* input : node.inputs) {
      if (const std::size_t* found = group_of_.find(input)) node.producers.insert(*found);
    }
    for (const ir::Value* anchor : node.group.anchors) group_of_[anchor] = nodes_.size();
    nodes_.push_back(std::move(node));
  }

  void start_composed(const ir::Op& op, Node& node) {
    const ir::Value* anchor = op.result();
    node.group.kind = Kind::elementwise;
    node.group.rows = count_of(*anchor);
    if (node.group.rows == 0) return;
    std::vector<AnchorRead>& reads = reads_[anchor] =
        start_expression(*anchor, anchors_, accesses_, expression_, node.group);
    for (const AnchorRead& read : reads) node.inputs.insert(read.value);
  }

  void start_other(const ir::Op& op, Node& node) {
    node.group.kind = is_contraction(op, accesses_) ? Kind::contraction
                      : op.def->control             ? Kind::control
                                                    : Kind::kernel;
    node.group.rows = op.results.empty() ? 0 : count_of(*op.result());
    for (const ir::Value* operand : op.operands) add_base(operand, node.inputs);
  }

  /// The anchors and arguments that an operand is made of.
  void add_base(const ir::Value* value, FlatSet<const ir::Value*>& inputs) const {
    if (is_leaf(*value) || anchors_.contains(value)) {
      inputs.insert(value);
      return;
    }
    for (const ir::Value* operand : value->definer->operands) add_base(operand, inputs);
  }

  void merge_with_producers() {
    for (const auto& op : region_.ops) {
      if (op->results.empty() || !group_of_.contains(op->result()) || !reads_.contains(op->result())) continue;
      for (const AnchorRead& read : reads_[op->result()]) {
        const std::size_t* producer = group_of_.find(read.value);
        if (!producer) continue;
        const std::size_t from = *producer, to = group_of_[op->result()];
        if (from == to) continue;
        if (std::optional<Group> space = merged(from, to)) merge(from, to, std::move(*space));
      }
    }
  }

  /// Groups that read the same large value at the same positions.
  void merge_siblings() {
    std::map<const ir::Value*, std::vector<std::size_t>> by_input;  // visited in the order of nodes
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].alive) continue;
      for (const ir::Value* input : ordered(nodes_[i].inputs)) {
        if (count_of(*input) < 2 || count_of(*input) < nodes_[i].group.rows) continue;
        const ir::Value* origin = &origin_of(*input);
        for (std::size_t& other : by_input[origin]) {
          if (other == i || !nodes_[other].alive || !nodes_[i].alive) continue;
          if (!same_space(nodes_[other].group, nodes_[i].group) || is_kept_apart(other, i, *origin)) continue;
          const bool alike = nodes_[other].group.kind == nodes_[i].group.kind;
          const bool exchanged = nodes_[i].group.kind == Kind::contraction;
          if (std::optional<Group> space =
                  merged(exchanged ? i : other, exchanged ? other : i, alike ? nullptr : origin))
            merge(other, i, std::move(*space));
        }
        by_input[origin].push_back(i);
      }
    }
  }

  /// Is it better that the nodes, which read `origin`, do not meet? With a contraction nothing is computed earlier than
  /// where it is needed. What is computed again behind a barrier must not meet what computed it before.
  bool is_kept_apart(std::size_t a, std::size_t b, const ir::Value& origin) const {
    const Node &one = nodes_[a], &other = nodes_[b];
    const auto comes_with = [&](const Node& composed, const Node& contraction) {
      return composed.last < contraction.last && !reads_behind(contraction, composed, origin);
    };
    if (one.group.kind == Kind::contraction) return !limits_.join_contractions || !comes_with(other, one);
    if (other.group.kind == Kind::contraction) return !limits_.join_contractions || !comes_with(one, other);
    return std::none_of(one.inputs.begin(), one.inputs.end(), [&](const ir::Value* input) {
      return &origin_of(*input) == &origin && other.inputs.contains(input);
    });
  }

  /// Does `late` read `origin` behind a barrier that comes, in the region, after all of `early`, which reads what is
  /// before the barrier?
  bool reads_behind(const Node& late, const Node& early, const ir::Value& origin) const {
    return std::any_of(late.inputs.begin(), late.inputs.end(), [&](const ir::Value* input) {
      if (&origin_of(*input) != &origin) return false;
      for (const ir::Value* before; input != &origin; input = before) {
        before = input->definer->operand(input->index);
        if (early.inputs.contains(before) && early.last < nodes_[*group_of_.find(input)].group.first) return true;
      }
      return false;
    });
  }

  /// What reads a convolution's result window by window is computed image by image, while the result is in the cache.
  void merge_behind_convolutions() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].alive || nodes_[i].group.kind != Kind::contraction || !goes_by_images(nodes_[i].group)) continue;
      const FlatSet<std::size_t> consumers = nodes_[i].consumers;
      for (const std::size_t consumer : consumers)
        if (std::optional<Group> both = followed(i, consumer)) {
          merge(consumer, i, std::move(*both));
          break;
        }
    }
  }

  /// Are there enough images for threads, each small enough? And are the kernels, which all of them read, no more than
  /// they are? In the gradient of kernels these are images themselves, and the first dimension is that of channels,
  /// which are the rows of its tiles.
  bool goes_by_images(const Group& group) {
    if (!ops::is_convolution(*group.op) || group.op->def == &ops::op_winograd_products) return false;
    const ir::Value* result = group.op->result();
    if (count_of(*group.op->operand(1)) > count_of(*result) || sums_over_images(*group.op)) return false;
    const std::int64_t images = slabs_of(*result);
    if (images < limits_.images || bytes_of(*result) / images > limits_.image_bytes) return false;
    const std::optional<ContractionShape> shape = contraction_shape(
        *group.op, accesses_, [&](const ir::Value& v) { return is_leaf(v) || anchors_.contains(&v); });
    return shape && is_direct_convolution(*group.op, *shape) && image_loop(*shape);
  }

  static bool sums_over_images(const ir::Op& convolution) {
    if (convolution.def != &ops::op_convolution) return false;
    const std::vector<std::int64_t> positions = dims_of(*convolution.result()), taps = dims_of(*convolution.operand(1));
    return !std::equal(positions.begin() + 2, positions.end(), taps.begin() + 2, std::greater_equal<>());
  }

  /// The indices of the first dimension, if the value lies one after the other in memory; otherwise 0.
  static std::int64_t slabs_of(const ir::Value& value) {
    const ir::Integers layout = ir::layout_of(value);
    return layout.empty() || layout.front() != 0 ? 0 : dims_of(value).front();
  }
  static std::int64_t bytes_of(const ir::Value& value) {
    return count_of(value) * static_cast<std::int64_t>(size_of(value.type.dtype));
  }

  /// The convolution with the consumer behind it, if that needs nothing of other images.
  std::optional<Group> followed(std::size_t convolution, std::size_t consumer) {
    const Node &first = nodes_[convolution], &second = nodes_[consumer];
    if (second.group.kind != Kind::elementwise || second.group.rows == 0 || is_in_place(second.group)) return {};
    if (static_cast<int>(first.group.anchors.size() + second.group.anchors.size()) > limits_.anchors) return {};
    if (static_cast<int>(first.inputs.size() + second.inputs.size()) > limits_.buffers) return {};
    const std::int64_t images = slabs_of(*first.group.op->result());
    Group both = first.group;
    both.behind_in_step = true;
    for (const ir::Value* anchor : second.group.anchors) {
      if (slabs_of(*anchor) != images || !passes_by_images(*anchor, first.group, both.passed)) return {};
      both.anchors.push_back(anchor);
      both.behind.push_back(anchor);
      both.behind_in_step = both.behind_in_step && dims_of(*anchor) == dims_of(*first.group.op->result()) &&
                            reads_in_step(*anchor, first.group, first.group);
    }
    if (both.passed.empty() || reaches_indirectly(convolution, consumer)) return {};
    both.first = std::min(first.group.first, second.group.first);
    return both;
  }

  /// Is it a result in the order in which another value lies in memory? Nothing is left to do.
  bool is_in_place(const Group& group) {
    const auto& results = region_.results;
    const ir::Value* anchor = group.anchors.front();
    return group.anchors.size() == 1 && std::find(results.begin(), results.end(), anchor) != results.end() &&
           value_in_place(*anchor, accesses_, [&](const ir::Value& v) { return is_leaf(v) || anchors_.contains(&v); });
  }

  /// Does the anchor read no other image of the convolution's anchors than its own? Adds what it reads to `passed`.
  bool passes_by_images(const ir::Value& anchor, const Group& convolution, std::vector<const ir::Value*>& passed) {
    const std::int64_t images = slabs_of(*convolution.op->result()), own = count_of(anchor) / images;
    kernel::LoopVar image{"n", images, 1 << 28}, rest{"r", own, (1 << 28) + 1};
    const kernel::Index position = kernel::Index(image) * own + (own == 1 ? kernel::Index(0) : kernel::Index(rest));
    const OpAccess& access = accesses_.of(*anchor.definer);
    const auto is_passed = [&](const ir::Value* v) {
      return std::find(convolution.anchors.begin(), convolution.anchors.end(), v) != convolution.anchors.end();
    };
    for (const AnchorRead& read : reads_[&anchor]) {
      if (!is_passed(read.value)) continue;
      const std::int64_t size = count_of(*read.value) / images;
      const kernel::Index at = substitute(*read.address, access.result, position) - kernel::Index(image) * size;
      if (slabs_of(*read.value) != images || at.depends_on(image) || !kernel::Range{0, size - 1}.contains(at.range()))
        return false;
      if (std::find(passed.begin(), passed.end(), read.value) == passed.end()) passed.push_back(read.value);
    }
    return true;
  }

  /// Sets are ordered by address; what the result depends on must not be.
  std::vector<const ir::Value*> ordered(const FlatSet<const ir::Value*>& values) const {
    std::vector<const ir::Value*> list(values.begin(), values.end());
    const auto key = [&](const ir::Value* v) {
      const std::size_t* found = group_of_.find(v);
      return std::make_pair(found ? *found + 1 : std::size_t{0}, v->index);
    };
    std::sort(list.begin(), list.end(), [&](const ir::Value* a, const ir::Value* b) { return key(a) < key(b); });
    return list;
  }

  /// Do both have as many positions? Of two contractions, or one and rows, no kernel can be made.
  static bool same_space(const Group& a, const Group& b) {
    const auto composed = [](const Group& g) { return g.kind == Kind::elementwise || g.kind == Kind::rows; };
    const auto joins = [&](const Group& one, const Group& other) {
      return composed(one) && (composed(other) || (one.kind == Kind::elementwise && other.kind == Kind::contraction));
    };
    return (joins(a, b) || joins(b, a)) && a.rows * a.inner == b.rows * b.inner;
  }

  /// The group that both can be, or none. `shared`: a value that both must read in step.
  std::optional<Group> merged(std::size_t a, std::size_t b, const ir::Value* shared = nullptr) {
    const Node &producer = nodes_[a], &consumer = nodes_[b];
    if (static_cast<int>(producer.group.anchors.size() + consumer.group.anchors.size()) > limits_.anchors) return {};
    std::size_t inputs = producer.inputs.size();
    for (const ir::Value* input : consumer.inputs) inputs += producer.inputs.contains(input) ? 0 : 1;
    if (static_cast<int>(inputs) > limits_.buffers) return {};
    for (Group& space : joint_spaces(producer.group, consumer.group)) {
      if (!are_in_step(producer.group, consumer.group, space, shared) ||
          !are_in_step(consumer.group, producer.group, space, shared) || operands_meet(space) || scatters(space))
        continue;
      if (!reaches_indirectly(a, b) && !reaches_indirectly(b, a)) return std::move(space);
    }
    return {};
  }

  /// Do the anchors of `part` read other members, those of the part itself or of `other`, in step? What they read of
  /// their own part was found to be when that became a group, if the loops are still the same.
  bool are_in_step(const Group& part, const Group& other, const Group& space, const ir::Value* shared) {
    const bool same_loops =
        part.kind == space.kind && part.rows == space.rows && part.inner == space.inner && part.slabs == space.slabs;
    return std::all_of(
               part.anchors.begin(), part.anchors.end(),
               [&](const ir::Value* anchor) { return reads_in_step(*anchor, space, same_loops ? other : space); }) &&
           (!shared || reads_along(part, *shared, space));
  }

  /// Is one of the members an operand of the space's contraction?
  bool operands_meet(const Group& space) const {
    if (space.kind != Kind::contraction) return false;
    FlatSet<const ir::Value*> operands;
    for (const ir::Value* operand : space.op->operands) add_base(operand, operands);
    return std::any_of(operands.begin(), operands.end(), [&](const ir::Value* v) { return is_member(*v, space); });
  }

  static bool is_member(const ir::Value& value, const Group& space) {
    return std::find(space.anchors.begin(), space.anchors.end(), &value) != space.anchors.end();
  }

  /// Tiles of a result that is computed in phases, or by Winograd's method, have neighbouring columns only: in another
  /// layout each element would be a store of its own.
  static bool scatters(const Group& space) {
    if (space.kind != Kind::contraction) return false;
    const ir::Value& result = *space.op->result();
    const ir::Integers layout = ir::layout_of(result);
    const bool is_row_major = std::is_sorted(layout.begin(), layout.end()), by_tiles = is_winograd(*space.op);
    return std::any_of(space.anchors.begin(), space.anchors.end(),
                       [&](const ir::Value* anchor) {
                         return anchor->type.rank() == result.type.rank() ? ir::layout_of(*anchor) != layout
                                                                          : by_tiles && !is_row_major;
                       }) &&
           (by_tiles || has_spread_elements(space.op->def->contraction(*space.op)));
  }

  /// Does the anchor read `members` where the loops are when they reach its own element?
  bool reads_in_step(const ir::Value& anchor, const Group& space, const Group& members) {
    const std::vector<AnchorRead>* reads = reads_.find(&anchor);
    if (!reads) return true;  // the contraction itself
    const OpAccess& access = accesses_.of(*anchor.definer);
    return std::all_of(reads->begin(), reads->end(), [&](const AnchorRead& read) {
      if (!is_member(*read.value, members)) return true;
      const Along along = space.kind == Kind::rows ? space.along.at(read.value) : Along::full;
      return steps_.is_in_step(space, anchor, access, along, *read.address);
    });
  }

  /// Do anchors of `part` read `value`, behind a barrier or not, at the loops' position only? As an operand a
  /// contraction reads it elsewhere.
  bool reads_along(const Group& part, const ir::Value& value, const Group& space) {
    bool is_read = false;
    for (const ir::Value* anchor : part.anchors) {
      const std::vector<AnchorRead>* reads = reads_.find(anchor);
      if (!reads) continue;
      const OpAccess& access = accesses_.of(*anchor->definer);
      for (const AnchorRead& read : *reads) {
        if (&origin_of(*read.value) != &value) continue;
        if (!steps_.is_in_step(space, *anchor, access, Along::full, *read.address)) return false;
        is_read = true;
      }
    }
    return is_read;
  }

  /// Is there a path from `from` to `to` through another group? Ranks rise along a path: only what lies between the
  /// two is looked at.
  bool reaches_indirectly(std::size_t from, std::size_t to) {
    if (nodes_[from].rank > nodes_[to].rank) return false;
    return visit_between(from, to, [&](std::size_t i) { return nodes_[i].consumers.contains(to); });
  }

  /// Calls `visit` for each node behind `from` that comes before `to` in rank, until it returns true.
  template <class Visit>
  bool visit_between(std::size_t from, std::size_t to, const Visit& visit) {
    ++searches_;
    open_.assign(1, from);
    while (!open_.empty()) {
      const std::size_t i = open_.back();
      open_.pop_back();
      for (const std::size_t next : nodes_[i].consumers) {
        Node& node = nodes_[next];
        if (node.rank >= nodes_[to].rank || node.seen == searches_) continue;
        node.seen = searches_;
        if (visit(next)) return true;
        open_.push_back(next);
      }
    }
    return false;
  }

  /// Makes the higher rank of both nodes, which are about to become one, good for them together: what is behind the
  /// first of them and before the second moves behind both.
  void bring_together(std::size_t a, std::size_t b) {
    const std::size_t first = nodes_[a].rank < nodes_[b].rank ? a : b, second = first == a ? b : a;
    bool is_apart = false;
    visit_between(first, second, [&](std::size_t) {
      is_apart = true;
      return false;
    });
    if (!is_apart) return;
    std::vector<std::size_t> behind;
    std::size_t next = nodes_[first].rank;
    const std::size_t end = nodes_[second].rank;
    const auto place = [&](std::size_t node) {
      nodes_[node].rank = next;
      by_rank_[next++] = node;
    };
    for (std::size_t rank = next + 1; rank < end; ++rank) {
      const std::size_t node = by_rank_[rank];
      if (nodes_[node].seen == searches_)
        behind.push_back(node);
      else
        place(node);
    }
    place(first);
    place(second);
    for (const std::size_t node : behind) place(node);
  }

  /// Moves everything of `from` to `to`, which together are `space`.
  void merge(std::size_t from, std::size_t to, Group space) {
    bring_together(from, to);
    Node &source = nodes_[from], &target = nodes_[to];
    target.group = std::move(space);
    target.last = std::max(target.last, source.last);
    target.inputs.insert_all(source.inputs);
    for (const ir::Value* anchor : source.group.anchors) group_of_[anchor] = to;
    for (const ir::Value* anchor : target.group.anchors) target.inputs.erase(anchor);
    for (std::size_t producer : source.producers) relink(nodes_[producer].consumers, from, to);
    for (std::size_t consumer : source.consumers) relink(nodes_[consumer].producers, from, to);
    target.producers.insert_all(source.producers);
    target.consumers.insert_all(source.consumers);
    for (FlatSet<std::size_t>* links : {&target.producers, &target.consumers}) {
      links->erase(from);
      links->erase(to);
    }
    if (source.rank > target.rank) {
      std::swap(source.rank, target.rank);
      std::swap(by_rank_[source.rank], by_rank_[target.rank]);
    }
    const std::size_t rank = source.rank;  // stays taken, by a node without links
    source = Node{};
    source.alive = false;
    source.rank = rank;
  }

  static void relink(FlatSet<std::size_t>& links, std::size_t from, std::size_t to) {
    links.erase(from);
    links.insert(to);
  }

  /// Groups in an order of dependence, earliest first, with what each must store.
  Grouping finish() {
    PointerMap<std::size_t> order;
    std::size_t position = 0;
    for (const auto& op : region_.ops)
      for (const auto& result : op->results) order[result.get()] = position++;
    PointerSet needed(region_.results);
    for (const Node& node : nodes_) needed.insert_all(node.inputs);

    // Numbers take no memory to speak of, and an optimizer's updates wait for them: they come as soon as they can.
    const auto place = [&](const Node& node) {
      const bool is_number = node.group.kind == Kind::elementwise && node.group.rows == 1;
      return is_number ? 0 : node.group.first;
    };
    using Entry = std::pair<std::size_t, std::size_t>;  // place, node
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    std::vector<std::size_t> waiting(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      waiting[i] = nodes_[i].producers.size();
      if (nodes_[i].alive && waiting[i] == 0) ready.emplace(place(nodes_[i]), i);
    }
    Grouping result;
    while (!ready.empty()) {
      Node& node = nodes_[ready.top().second];
      ready.pop();
      Group& g = node.group;
      std::sort(g.anchors.begin(), g.anchors.end(),
                [&](const ir::Value* a, const ir::Value* b) { return *order.find(a) < *order.find(b); });
      for (const ir::Value* anchor : g.anchors) {
        if (needed.contains(anchor)) g.stored.push_back(anchor);
        result.group_of[anchor] = result.groups.size();
      }
      for (std::size_t consumer : node.consumers)
        if (--waiting[consumer] == 0) ready.emplace(place(nodes_[consumer]), consumer);
      result.groups.push_back(std::move(g));
    }
    result.reads = std::move(reads_);
    return result;
  }

  const ir::Region& region_;
  Accesses& accesses_;
  const GroupLimits limits_;
  PointerSet anchors_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> by_rank_;  ///< nodes
  std::size_t searches_ = 0;
  std::vector<std::size_t> open_;  ///< of the search that runs
  PointerMap<std::size_t> group_of_;
  PointerMap<std::vector<AnchorRead>> reads_;
  ExpressionWriter expression_;
  Steps steps_;
};

}  // namespace

const ir::Value& origin_of(const ir::Value& value) {
  const ir::Value* origin = &value;
  while (origin->definer && origin->definer->def == &ops::op_barrier) origin = origin->definer->operand(origin->index);
  return *origin;
}

bool is_leaf(const ir::Value& value) {
  return !value.definer || value.definer->def == &ops::op_constant;
}

Grouping group(const ir::Region& region, Accesses& accesses, const GroupLimits& limits) {
  return Grouper(region, accesses, limits).run();
}

}  // namespace pullback::lower
