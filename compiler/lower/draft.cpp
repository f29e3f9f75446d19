#include "compiler/lower/draft.h"

#include <algorithm>

#include "compiler/ir/kernel/builder.h"

namespace pullback::lower {
namespace {

void add_once(std::vector<std::size_t>& list, std::size_t storage) {
  if (std::find(list.begin(), list.end(), storage) == list.end()) list.push_back(storage);
}

/// The storage that stands for this one among the items around a loop (or anywhere, for loop = -1): parts that move
/// with the loop are the whole.
std::size_t seen_from_outside(std::size_t storage, const Draft& draft, std::ptrdiff_t loop) {
  for (;;) {
    const Storage& s = draft.storages[storage];
    if (s.alias >= 0)
      storage = static_cast<std::size_t>(s.alias);
    else if (s.base >= 0 && (!s.motion || static_cast<std::ptrdiff_t>(s.motion->loop) == loop))
      storage = static_cast<std::size_t>(s.base);
    else
      return storage;
  }
}

void collect(const Item& item, const Draft& draft, Footprint& result) {
  const auto read = [&](std::size_t storage) { add_once(result.reads, seen_from_outside(storage, draft, -1)); };
  if (const auto* unit = std::get_if<Unit>(&item.action)) {
    std::size_t next = 0;
    for (const kernel::Buffer& buffer : unit->kernel->buffers) {
      if (buffer.access == kernel::Access::scratch) continue;
      const std::size_t storage = unit->storages[next++];
      if (buffer.access != kernel::Access::out) read(storage);
      if (buffer.access != kernel::Access::in) add_once(result.writes, seen_from_outside(storage, draft, -1));
    }
  } else if (const auto* check = std::get_if<CheckItem>(&item.action)) {
    read(check->predicate);
    for (std::size_t witness : draft.checks[check->check].witnesses) read(witness);
  } else if (const auto* branch = std::get_if<BranchItem>(&item.action)) {
    read(branch->predicate);
    for (const Item& inner : branch->then_items) collect(inner, draft, result);
    for (const Item& inner : branch->else_items) collect(inner, draft, result);
  } else {
    const auto& loop = std::get<LoopItem>(item.action);
    Footprint inside;
    for (const Item& inner : loop.condition) collect(inner, draft, inside);
    for (const Item& inner : loop.body) collect(inner, draft, inside);
    const auto id = static_cast<std::ptrdiff_t>(loop.id);
    for (std::size_t storage : inside.reads) add_once(result.reads, seen_from_outside(storage, draft, id));
    for (std::size_t storage : inside.writes) add_once(result.writes, seen_from_outside(storage, draft, id));
  }
}

}  // namespace

bool has_check(const Item& item) {
  const auto any = [](const std::vector<Item>& items) { return std::any_of(items.begin(), items.end(), has_check); };
  if (const auto* branch = std::get_if<BranchItem>(&item.action))
    return any(branch->then_items) || any(branch->else_items);
  if (const auto* loop = std::get_if<LoopItem>(&item.action)) return any(loop->condition) || any(loop->body);
  return std::holds_alternative<CheckItem>(item.action);
}

Footprint footprint(const Item& item, const Draft& draft) {
  Footprint result;
  collect(item, draft, result);
  return result;
}

Unit copy_unit(const Draft& draft, std::size_t from, std::size_t to, int vector_bytes) {
  const Storage& source = draft.storages[from];
  Unit unit;
  unit.kernel->name = "copy";
  kernel::Builder build(*unit.kernel);
  const int in = build.buffer("source", source.dtype, source.elements, kernel::Access::in);
  const int out = build.buffer("copy", source.dtype, source.elements, kernel::Access::out);
  const int width = std::max(1, vector_bytes / static_cast<int>(size_of(source.dtype)));
  build.vector_loop("i", source.elements, width, 1,
                    [&](const kernel::Index& i) { build.store(out, i, build.load(in, i)); });
  unit.storages = {from, to};
  unit.what = "copy " + source.name;
  return unit;
}

}  // namespace pullback::lower
