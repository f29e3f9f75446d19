#include "compiler/lower/draft.h"

#include <algorithm>

#include "compiler/ir/kernel/builder.h"

namespace pullback::lower {
namespace {

void add_once(std::vector<std::size_t>& list, std::size_t storage) {
  if (std::find(list.begin(), list.end(), storage) == list.end()) list.push_back(storage);
}

void collect(const Item& item, const Draft& draft, Footprint& result) {
  if (const auto* unit = std::get_if<Unit>(&item.action)) {
    std::size_t next = 0;
    for (const kernel::Buffer& buffer : unit->kernel.buffers) {
      if (buffer.access == kernel::Access::scratch) continue;
      const std::size_t storage = unit->storages[next++];
      if (buffer.access != kernel::Access::out) add_once(result.reads, storage);
      if (buffer.access != kernel::Access::in) add_once(result.writes, storage);
    }
  } else if (const auto* check = std::get_if<CheckItem>(&item.action)) {
    add_once(result.reads, check->predicate);
    for (std::size_t witness : draft.checks[check->check].witnesses) add_once(result.reads, witness);
  } else {
    const auto& branch = std::get<BranchItem>(item.action);
    add_once(result.reads, branch.predicate);
    for (const Item& inner : branch.then_items) collect(inner, draft, result);
    for (const Item& inner : branch.else_items) collect(inner, draft, result);
  }
}

}  // namespace

Footprint footprint(const Item& item, const Draft& draft) {
  Footprint result;
  collect(item, draft, result);
  return result;
}

Unit copy_unit(const Draft& draft, std::size_t from, std::size_t to, int vector_bytes) {
  const Storage& source = draft.storages[from];
  Unit unit;
  unit.kernel.name = "copy";
  kernel::Builder build(unit.kernel);
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
