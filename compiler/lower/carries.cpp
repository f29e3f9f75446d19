#include "compiler/lower/carries.h"

#include "compiler/lower/in_place.h"
#include "compiler/lower/order.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/scan.h"

namespace pullback::lower {
namespace {

/// Can the kernel that writes the new value write it over the old one, after everyone else has read that?
bool replace_in_place(Draft& draft, const std::vector<Item>& body, const Carry& carry, Dependences& dependences) {
  const std::ptrdiff_t position = dependences.writer(carry.after);
  if (position < 0) return false;
  const auto writer = static_cast<std::size_t>(position);
  const auto* unit = std::get_if<Unit>(&body[writer].action);
  if (!unit) return false;
  const int in = parameter_of(*unit, carry.before), out = parameter_of(*unit, carry.after);
  if (in >= 0 && !can_share(*unit->kernel, in, out)) return false;
  std::vector<std::size_t> readers = dependences.readers(carry.before);
  std::erase(readers, writer);
  if (!dependences.try_order(readers, writer)) return false;
  draft.storages[carry.after].alias = static_cast<std::ptrdiff_t>(carry.before);
  return true;
}

/// Even iterations read the first place and write the second, odd ones the other way round. Returns the storage that
/// holds the initial value.
std::size_t alternate(Draft& draft, const LoopItem& loop, Carry& carry) {
  const Storage first = draft.storages[carry.before];
  const auto size = static_cast<std::int64_t>(size_of(first.dtype));
  const std::int64_t bytes = first.elements * size;
  const std::int64_t apart = (bytes + schedule::kAlignment - 1) / schedule::kAlignment * schedule::kAlignment;
  const std::size_t pair = draft.add_storage({first.name + ".pair", first.dtype, (apart + bytes) / size});
  const auto place = [&](std::size_t storage, std::int64_t offset, std::int64_t motion) {
    draft.storages[storage].base = static_cast<std::ptrdiff_t>(pair);
    draft.storages[storage].offset = offset;
    draft.storages[storage].motion = schedule::Motion{loop.id, motion, true};
  };
  place(carry.before, 0, apart);
  place(carry.after, apart, -apart);
  carry.last = draft.add_view(first.name + ".last", pair, first.elements, loop.trips % 2 * apart);
  return draft.add_view(first.name + ".first", pair, first.elements, 0);
}

/// Brings the initial value to `start`: computed there when nobody else reads it, else copied.
void begin(Draft& draft, Carry& carry, std::size_t start, int vector_bytes, std::vector<Item>& items) {
  Storage &initial = draft.storages[carry.initial], &place = draft.storages[start];
  if (!carry.initial_is_free) {
    items.push_back({copy_unit(draft, carry.initial, start, vector_bytes), items.size()});
  } else if (place.base >= 0) {
    initial.base = place.base;
    initial.offset = place.offset;
  } else {
    place.alias = static_cast<std::ptrdiff_t>(carry.initial);
    carry.last = carry.initial;
  }
}

}  // namespace

History add_history(Draft& draft, const Storage& value, const LoopItem& loop, bool reverse) {
  const std::int64_t bytes = value.elements * static_cast<std::int64_t>(size_of(value.dtype));
  const std::size_t all = draft.add_storage({value.name + ".history", value.dtype, (loop.trips + 1) * value.elements});
  const auto part = [&](const char* what, std::int64_t values, std::int64_t from) {
    return draft.add_view(value.name + what, all, values * value.elements, from * bytes);
  };
  const auto moving = [&](const char* what, std::int64_t from) {
    const std::size_t view = part(what, 1, from);
    draft.storages[view].motion = schedule::Motion{loop.id, reverse ? -bytes : bytes, false};
    return view;
  };
  const std::int64_t trips = loop.trips;
  if (reverse)
    return {part(".first", 1, trips),   part(".last", 1, 0),        moving("", trips),
            moving(".next", trips - 1), part(".befores", trips, 1), part(".afters", trips, 0)};
  return {part(".first", 1, 0), part(".last", 1, trips),    moving("", 0),
          moving(".next", 1),   part(".befores", trips, 0), part(".afters", trips, 1)};
}

std::optional<StackedCarry> stacked_carry(const ir::Op& scan, std::size_t i) {
  const ops::ScanLayout layout(scan);
  const ir::Region& body = *scan.regions.front();
  if (i < layout.carries) return std::nullopt;
  for (std::size_t carry = 0; carry < layout.carries; ++carry) {
    const ir::Value *before = body.arguments[carry].get(), *after = body.results[carry];
    if (body.results[i] == before) return StackedCarry{carry, false};
    if (body.results[i] == after && after->definer) return StackedCarry{carry, true};
  }
  return std::nullopt;
}

void append_loop(Draft& draft, LoopItem loop, std::vector<Carry>& carries, int vector_bytes, std::vector<Item>& items) {
  Dependences dependences(draft, loop.body);
  std::vector<bool> in_place;
  for (const Carry& carry : carries)
    in_place.push_back(!carry.has_history && replace_in_place(draft, loop.body, carry, dependences));
  loop.body = dependences.sorted(draft, std::move(loop.body));
  for (std::size_t i = 0; i < carries.size(); ++i) {
    Carry& carry = carries[i];
    if (carry.has_history) {
      if (draft.storages[carry.before].elements > 0) begin(draft, carry, carry.first, vector_bytes, items);
      continue;
    }
    std::size_t start = carry.last = carry.before;
    if (draft.storages[carry.before].elements == 0) continue;
    if (!in_place[i] && loop.predicate < 0)
      start = alternate(draft, loop, carry);
    else if (!in_place[i])  // how often it runs is not known: where the last value would be neither
      loop.body.push_back({copy_unit(draft, carry.after, carry.before, vector_bytes), loop.body.size()});
    begin(draft, carry, start, vector_bytes, items);
  }
  items.push_back({std::move(loop), items.size()});
}

}  // namespace pullback::lower
