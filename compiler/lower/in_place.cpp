#include "compiler/lower/in_place.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "compiler/ir/kernel/clone.h"

namespace pullback::lower {
namespace {

using kernel::Index;

/// Where a load or store stands: the loops and contractions around it, outermost first.
using Nest = std::vector<const void*>;

struct Place {
  Nest nest;
  Index index;
  int order = 0;                               ///< position in the kernel's text
  const kernel::LoopVar* innermost = nullptr;  ///< of the innermost loop around
};

/// Collects the loads of `in` and the stores to `out`; `excluded` tells of accesses that rule sharing out.
struct Collector {
  int in, out;
  std::vector<Place> loads, stores;
  bool excluded = false;
  Nest nest;
  const kernel::LoopVar* innermost = nullptr;
  int order = 0;

  void visit(const kernel::Block& block) {
    for (const kernel::Statement& statement : block.statements) {
      ++order;
      if (const auto* define = std::get_if<kernel::Define>(&statement)) {
        const kernel::Value& value = *define->value;
        if (value.opcode != kernel::Opcode::load) continue;
        if (value.buffer == in) loads.push_back({nest, value.index, order, innermost});
        if (value.buffer == out) excluded = true;
      } else if (const auto* store = std::get_if<kernel::Store>(&statement)) {
        if (store->buffer == out) stores.push_back({nest, store->index, order, innermost});
        if (store->buffer == in) excluded = true;
      } else if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
        within(loop->get(), (*loop)->variable, (*loop)->body);
      } else if (const auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
        visit((*branch)->then_block);
        visit((*branch)->else_block);
      } else {
        visit_contract(*std::get<std::unique_ptr<kernel::Contract>>(statement));
      }
    }
  }

  void visit_contract(const kernel::Contract& tile) {
    for (int used : {tile.a.buffer, tile.b.buffer, tile.copy.buffer, tile.start.buffer})
      if (used == in || used == out) excluded = true;
    within(&tile, tile.column, tile.epilogue);
  }

  void within(const void* owner, const kernel::LoopVar& variable, const kernel::Block& body) {
    const kernel::LoopVar* around = std::exchange(innermost, &variable);
    nest.push_back(owner);
    visit(body);
    nest.pop_back();
    innermost = around;
  }
};

bool same_iteration(const Place& load, const Place& store) {
  return load.nest == store.nest && load.index == store.index && load.order < store.order;
}

/// Does a loop read the whole row whose elements a later loop, in the same iteration of those around both, stores? Rows
/// are what the loop of the store runs over, all of it; no other iteration then stores to this row, since each element
/// is stored once.
bool row_read_before(const Place& load, const Place& store) {
  const std::size_t around = store.nest.size() - 1;
  if (store.nest.empty() || load.nest.size() <= around || load.order > store.order) return false;
  if (!std::equal(store.nest.begin(), store.nest.end() - 1, load.nest.begin())) return false;
  if (load.nest[around] == store.nest[around] || !store.innermost) return false;
  const kernel::LoopVar& along = *store.innermost;
  const Index row = kernel::floordiv(store.index, along.extent);
  return store.index.is_contiguous_in(along) && kernel::mod(store.index, along.extent) == Index(along) &&
         kernel::floordiv(load.index, along.extent) == row;
}

void for_each_block(kernel::Block& block, const std::function<void(kernel::Statement&)>& visit) {
  for (kernel::Statement& statement : block.statements) {
    visit(statement);
    if (auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) for_each_block((*loop)->body, visit);
    if (auto* tile = std::get_if<std::unique_ptr<kernel::Contract>>(&statement))
      for_each_block((*tile)->epilogue, visit);
    if (auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
      for_each_block((*branch)->then_block, visit);
      for_each_block((*branch)->else_block, visit);
    }
  }
}

}  // namespace

bool can_share(const kernel::Kernel& kernel, int in, int out) {
  const kernel::Buffer &source = kernel.buffers[static_cast<std::size_t>(in)],
                       &target = kernel.buffers[static_cast<std::size_t>(out)];
  if (source.dtype != target.dtype || source.elements != target.elements || source.access != kernel::Access::in ||
      target.access != kernel::Access::out)
    return false;
  Collector collector{in, out};
  collector.visit(kernel.body);
  if (collector.excluded) return false;
  // A kernel stores each element of a result once, but for partial sums of a contraction; those have no matching load.
  const auto matched = [](const Place& place, const std::vector<Place>& others, auto matches) {
    return std::any_of(others.begin(), others.end(), [&](const Place& other) { return matches(place, other); });
  };
  const auto load_first = [](const Place& load, const Place& store) {
    return same_iteration(load, store) || row_read_before(load, store);
  };
  const auto store_last = [](const Place& store, const Place& load) { return same_iteration(load, store); };
  return std::all_of(collector.loads.begin(), collector.loads.end(),
                     [&](const Place& p) { return matched(p, collector.stores, load_first); }) &&
         std::all_of(collector.stores.begin(), collector.stores.end(),
                     [&](const Place& p) { return matched(p, collector.loads, store_last); });
}

void share(kernel::Kernel& kernel, int in, int out) {
  const auto renumber = [&](int& buffer) {
    if (buffer == out) buffer = in;
    if (buffer > out) --buffer;
  };
  kernel.buffers[static_cast<std::size_t>(in)].access = kernel::Access::inout;
  for_each_block(kernel.body, [&](kernel::Statement& statement) {
    if (auto* define = std::get_if<kernel::Define>(&statement)) renumber(define->value->buffer);
    if (auto* store = std::get_if<kernel::Store>(&statement)) renumber(store->buffer);
    if (auto* tile = std::get_if<std::unique_ptr<kernel::Contract>>(&statement)) {
      for (int* buffer : {&(*tile)->a.buffer, &(*tile)->b.buffer, &(*tile)->copy.buffer, &(*tile)->start.buffer})
        renumber(*buffer);
      for (kernel::Contract::Fetch& fetch : (*tile)->fetches) renumber(fetch.buffer);
    }
  });
  kernel.buffers.erase(kernel.buffers.begin() + out);
}

bool InPlace::can_share(const Shared& kernel, int in, int out) {
  const auto [entry, fresh] = can_share_.try_emplace({kernel, in, out}, false);
  if (fresh) entry->second = lower::can_share(*kernel, in, out);
  return entry->second;
}

InPlace::Shared InPlace::share(const Shared& kernel, int in, int out) {
  Shared& result = shared_[{kernel, in, out}];
  if (!result) {
    result = kernel::clone(*kernel);
    lower::share(*result, in, out);
  }
  return result;
}

}  // namespace pullback::lower
