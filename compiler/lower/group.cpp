// Starts with one group for each anchor and merges groups that can be one kernel, as long as no cycle arises.
#include "compiler/lower/group.h"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <set>

#include "compiler/lower/anchors.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/reach.h"
#include "compiler/ops/op_def.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using Kind = Group::Kind;

/// A reduction of all positions to few elements stays apart from elementwise work on more positions than this, which
/// then can run in parallel.
constexpr std::int64_t kSerialPositions = 16384;
constexpr std::int64_t kFewRows = 8;

class Grouper {
 public:
  Grouper(const ir::Region& region, Accesses& accesses, const GroupLimits& limits)
      : region_(region), accesses_(accesses), limits_(limits), anchors_(choose_anchors(region, accesses, limits)) {}

  Grouping run() {
    for (const auto& op : region_.ops) start(*op);
    for (Node& node : nodes_)
      for (std::size_t producer : node.producers) nodes_[producer].consumers.insert(index_of(node));
    if (limits_.fuse) {
      merge_with_producers();
      merge_siblings();
    }
    return finish();
  }

 private:
  struct Node {
    Group group;
    std::set<std::size_t> producers, consumers;
    std::set<const ir::Value*> inputs;  ///< anchors of other groups, arguments
    bool alive = true;
  };

  std::size_t index_of(const Node& node) const { return static_cast<std::size_t>(&node - nodes_.data()); }

  void start(const ir::Op& op) {
    const bool composed = op.def->element && !is_contraction(op, accesses_);
    if (!op.results.empty() && is_leaf(*op.result())) return;
    if (composed && !anchors_.count(op.result())) return;
    Node node;
    node.group.first = nodes_.size();
    node.group.op = composed ? nullptr : &op;
    for (const auto& result : op.results) node.group.anchors.push_back(result.get());
    if (composed)
      start_composed(op, node);
    else
      start_other(op, node);
    for (const ir::Value* input : node.inputs) {
      const auto found = group_of_.find(input);
      if (found != group_of_.end()) node.producers.insert(found->second);
    }
    for (const ir::Value* anchor : node.group.anchors) group_of_[anchor] = nodes_.size();
    nodes_.push_back(std::move(node));
  }

  void start_composed(const ir::Op& op, Node& node) {
    const ir::Value* anchor = op.result();
    node.group.kind = Kind::elementwise;
    node.group.rows = count_of(*anchor);
    if (node.group.rows == 0) return;
    std::vector<AnchorRead>& reads = reads_[anchor] = reads_of(*anchor, anchors_, accesses_);
    for (const AnchorRead& read : reads) node.inputs.insert(read.value);
    const OpAccess& access = accesses_.of(op);
    if (access.reductions != 1 || access.loops || access.reduced_count < 2) return;
    const Index position = access.result_index() * access.reduced_count + access.reduced_index();
    const bool trailing = std::any_of(access.reads.begin(), access.reads.end(),
                                      [&](const Read& read) { return read.address == position; });
    if (!trailing) return;
    node.group.kind = Kind::rows;
    node.group.inner = access.reduced_count;
  }

  void start_other(const ir::Op& op, Node& node) {
    node.group.kind = is_contraction(op, accesses_) ? Kind::contraction
                      : op.def->control             ? Kind::control
                                                    : Kind::kernel;
    node.group.rows = op.results.empty() ? 0 : count_of(*op.result());
    for (const ir::Value* operand : op.operands) add_base(operand, node.inputs);
  }

  /// The anchors and arguments that an operand is made of.
  void add_base(const ir::Value* value, std::set<const ir::Value*>& inputs) const {
    if (is_leaf(*value) || anchors_.count(value)) {
      inputs.insert(value);
      return;
    }
    for (const ir::Value* operand : value->definer->operands) add_base(operand, inputs);
  }

  void merge_with_producers() {
    for (const auto& op : region_.ops) {
      if (op->results.empty() || !group_of_.count(op->result()) || !reads_.count(op->result())) continue;
      for (const AnchorRead& read : reads_[op->result()]) {
        const auto producer = group_of_.find(read.value);
        if (producer == group_of_.end()) continue;
        const std::size_t from = producer->second, to = group_of_[op->result()];
        if (from != to && may_merge(from, to)) merge(from, to);
      }
    }
  }

  /// Groups that read the same large value at the same positions.
  void merge_siblings() {
    std::map<const ir::Value*, std::vector<std::size_t>> by_input;  // visited in the order of nodes
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].alive) continue;
      const std::set<const ir::Value*> inputs = nodes_[i].inputs;
      for (const ir::Value* input : ordered(inputs)) {
        if (count_of(*input) < 2 || count_of(*input) < nodes_[i].group.rows) continue;
        for (std::size_t& other : by_input[input]) {
          if (other == i || !nodes_[other].alive || !nodes_[i].alive) continue;
          if (same_space(nodes_[other].group, nodes_[i].group) && may_merge(other, i)) merge(other, i);
        }
        by_input[input].push_back(i);
      }
    }
  }

  /// Sets are ordered by address; what the result depends on must not be.
  std::vector<const ir::Value*> ordered(const std::set<const ir::Value*>& values) const {
    std::vector<const ir::Value*> list(values.begin(), values.end());
    const auto key = [&](const ir::Value* v) {
      const auto found = group_of_.find(v);
      return found == group_of_.end() ? std::make_pair(std::size_t{0}, v->index)
                                      : std::make_pair(found->second + 1, v->index);
    };
    std::sort(list.begin(), list.end(), [&](const ir::Value* a, const ir::Value* b) { return key(a) < key(b); });
    return list;
  }

  static bool same_space(const Group& a, const Group& b) {
    const auto composed = [](const Group& g) { return g.kind == Kind::elementwise || g.kind == Kind::rows; };
    return composed(a) && composed(b) && a.rows * a.inner == b.rows * b.inner && a.kind == b.kind;
  }

  /// The space of both together, or nothing when there is none.
  static std::optional<Group> merged_space(const Group& a, const Group& b) {
    if (b.kind == Kind::contraction) return std::nullopt;
    for (const Group* g : {&a, &b})
      if (g->kind == Kind::kernel || g->kind == Kind::control || g->rows == 0) return std::nullopt;
    if (a.kind == Kind::contraction)
      return b.kind == Kind::elementwise && a.rows == b.rows ? std::optional<Group>(a) : std::nullopt;
    if (a.kind == b.kind) return a.rows == b.rows && a.inner == b.inner ? std::optional<Group>(a) : std::nullopt;
    const Group& rows = a.kind == Kind::rows ? a : b;
    const Group& other = a.kind == Kind::rows ? b : a;
    if (other.rows == rows.rows) return rows;
    const bool parallel_lost = rows.rows < kFewRows && other.rows > kSerialPositions;
    return other.rows == rows.rows * rows.inner && !parallel_lost ? std::optional<Group>(rows) : std::nullopt;
  }

  bool may_merge(std::size_t a, std::size_t b) const {
    const Node &producer = nodes_[a], &consumer = nodes_[b];
    const std::optional<Group> space = merged_space(producer.group, consumer.group);
    if (!space) return false;
    if (static_cast<int>(producer.group.anchors.size() + consumer.group.anchors.size()) > limits_.anchors) return false;
    std::set<const ir::Value*> inputs = producer.inputs;
    inputs.insert(consumer.inputs.begin(), consumer.inputs.end());
    if (static_cast<int>(inputs.size()) > limits_.buffers) return false;
    std::set<const ir::Value*> members(producer.group.anchors.begin(), producer.group.anchors.end());
    members.insert(consumer.group.anchors.begin(), consumer.group.anchors.end());
    for (const ir::Value* anchor : members)
      if (!reads_in_step(*anchor, members, *space)) return false;
    if (space->kind == Kind::contraction) {
      std::set<const ir::Value*> operands;
      for (const ir::Value* operand : space->op->operands) add_base(operand, operands);
      for (const ir::Value* operand : operands)
        if (members.count(operand)) return false;
    }
    return !reaches_indirectly(a, b) && !reaches_indirectly(b, a);
  }

  /// Does the anchor read the other members where the loops are when they reach its own element?
  bool reads_in_step(const ir::Value& anchor, const std::set<const ir::Value*>& members, const Group& space) const {
    const auto reads = reads_.find(&anchor);
    if (reads == reads_.end()) return true;  // the contraction itself
    const OpAccess& access = accesses_.of(*anchor.definer);
    const Index f = access.result_index();
    const bool full = space.kind == Kind::rows && count_of(anchor) == space.rows * space.inner;
    for (const AnchorRead& read : reads->second) {
      if (!members.count(read.value)) continue;
      const bool of_full = space.kind == Kind::rows && count_of(*read.value) == space.rows * space.inner;
      Index expected = f;
      if (of_full && !full) {
        if (access.reduced_count != space.inner) return false;
        expected = f * space.inner + access.reduced_index();
      } else if (full && !of_full) {
        expected = kernel::floordiv(f, space.inner);
      }
      if (!(read.address == expected)) return false;
    }
    return true;
  }

  /// Is there a path from `from` to `to` through another group?
  bool reaches_indirectly(std::size_t from, std::size_t to) const {
    std::vector<std::size_t> others;
    for (std::size_t next : nodes_[from].consumers)
      if (next != to) others.push_back(next);
    return leads_to(others, to, nodes_.size(), [&](std::size_t i) -> const auto& { return nodes_[i].consumers; });
  }

  /// Moves everything of `from` to `to`.
  void merge(std::size_t from, std::size_t to) {
    Node &source = nodes_[from], &target = nodes_[to];
    Group space = *merged_space(source.group, target.group);
    target.group.kind = space.kind;
    target.group.rows = space.rows;
    target.group.inner = space.inner;
    target.group.op = space.op;
    target.group.first = std::min(source.group.first, target.group.first);
    target.group.anchors.insert(target.group.anchors.begin(), source.group.anchors.begin(), source.group.anchors.end());
    target.inputs.insert(source.inputs.begin(), source.inputs.end());
    for (const ir::Value* anchor : source.group.anchors) group_of_[anchor] = to;
    for (const ir::Value* anchor : target.group.anchors) target.inputs.erase(anchor);
    for (std::size_t producer : source.producers) relink(nodes_[producer].consumers, from, to);
    for (std::size_t consumer : source.consumers) relink(nodes_[consumer].producers, from, to);
    target.producers.insert(source.producers.begin(), source.producers.end());
    target.consumers.insert(source.consumers.begin(), source.consumers.end());
    for (std::set<std::size_t>* links : {&target.producers, &target.consumers}) {
      links->erase(from);
      links->erase(to);
    }
    source = Node{};
    source.alive = false;
  }

  static void relink(std::set<std::size_t>& links, std::size_t from, std::size_t to) {
    links.erase(from);
    links.insert(to);
  }

  /// Groups in an order of dependence, earliest first, with what each must store.
  Grouping finish() {
    std::unordered_map<const ir::Value*, std::size_t> order;
    for (const auto& op : region_.ops)
      for (const auto& result : op->results) order.emplace(result.get(), order.size());
    std::set<const ir::Value*> needed(region_.results.begin(), region_.results.end());
    for (const Node& node : nodes_) needed.insert(node.inputs.begin(), node.inputs.end());

    using Entry = std::pair<std::size_t, std::size_t>;  // first, node
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    std::vector<std::size_t> waiting(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      waiting[i] = nodes_[i].producers.size();
      if (nodes_[i].alive && waiting[i] == 0) ready.emplace(nodes_[i].group.first, i);
    }
    Grouping result;
    while (!ready.empty()) {
      Node& node = nodes_[ready.top().second];
      ready.pop();
      Group& g = node.group;
      std::sort(g.anchors.begin(), g.anchors.end(),
                [&](const ir::Value* a, const ir::Value* b) { return order.at(a) < order.at(b); });
      for (const ir::Value* anchor : g.anchors) {
        if (needed.count(anchor)) g.stored.push_back(anchor);
        result.group_of[anchor] = result.groups.size();
      }
      for (std::size_t consumer : node.consumers)
        if (--waiting[consumer] == 0) ready.emplace(nodes_[consumer].group.first, consumer);
      result.groups.push_back(std::move(g));
    }
    return result;
  }

  const ir::Region& region_;
  Accesses& accesses_;
  const GroupLimits limits_;
  std::unordered_set<const ir::Value*> anchors_;
  std::vector<Node> nodes_;
  std::unordered_map<const ir::Value*, std::size_t> group_of_;
  std::unordered_map<const ir::Value*, std::vector<AnchorRead>> reads_;
};

}  // namespace

bool is_leaf(const ir::Value& value) {
  return !value.definer || value.definer->def->name == "constant";
}

Grouping group(const ir::Region& region, Accesses& accesses, const GroupLimits& limits) {
  return Grouper(region, accesses, limits).run();
}

}  // namespace pullback::lower
