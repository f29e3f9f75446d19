// Where views move, and whether two buffers meet.
#include <algorithm>
#include <set>

#include "compiler/ir/schedule.h"

namespace pullback::schedule {

Reach reach_of(const Buffer& buffer, const std::vector<std::int64_t>& trips) {
  Reach reach;
  for (const Motion& motion : buffer.motions) {
    const std::int64_t last = std::max<std::int64_t>(0, trips[motion.loop] - 1);
    const std::int64_t farthest = motion.bytes * (motion.alternates ? std::min<std::int64_t>(last, 1) : last);
    (farthest < 0 ? reach.low : reach.high) += farthest;
  }
  return reach;
}

namespace {

void collect_trips(const std::vector<Step>& steps, std::vector<std::int64_t>& trips) {
  for (const Step& step : steps) {
    if (const auto* branch = std::get_if<Branch>(&step.action)) {
      collect_trips(branch->then_steps, trips);
      collect_trips(branch->else_steps, trips);
    }
    if (const auto* loop = std::get_if<Loop>(&step.action)) {
      if (loop->id < trips.size()) trips[loop->id] = loop->trips;
      collect_trips(loop->condition, trips);
      collect_trips(loop->body, trips);
    }
  }
}

}  // namespace

std::vector<std::int64_t> trips_of(const Module& module) {
  std::vector<std::int64_t> trips(module.loops);
  collect_trips(module.body, trips);
  return trips;
}

namespace {

/// The motions of one kind.
std::vector<Motion> motions_of(const Buffer& buffer, bool alternating) {
  std::vector<Motion> result;
  for (const Motion& motion : buffer.motions)
    if (motion.alternates == alternating) result.push_back(motion);
  return result;
}

/// Where the buffer begins when what moves stands still, and the loops with a bit in `odd` are in odd iterations.
std::int64_t place_of(const Buffer& buffer, const std::set<std::size_t>& loops, unsigned odd) {
  std::int64_t place = buffer.offset;
  for (const Motion& motion : motions_of(buffer, true))
    if (odd >> std::distance(loops.begin(), loops.find(motion.loop)) & 1U) place += motion.bytes;
  return place;
}

}  // namespace

bool overlap(const Buffer& x, const Buffer& y, const std::vector<std::int64_t>& trips) {
  if (x.placement != y.placement || x.elements == 0 || y.elements == 0) return false;
  if (x.placement == Placement::external && x.slot != y.slot) return false;
  const auto meet = [&](std::int64_t at_x, std::int64_t end_x, std::int64_t at_y, std::int64_t end_y) {
    return at_x < end_y + y.bytes() && at_y < end_x + x.bytes();
  };
  if (motions_of(x, false) != motions_of(y, false)) {
    const Reach rx = reach_of(x, trips), ry = reach_of(y, trips);
    return meet(x.offset + rx.low, x.offset + rx.high, y.offset + ry.low, y.offset + ry.high);
  }
  // They move together; what alternates is looked at in even and odd iterations.
  std::set<std::size_t> loops;
  for (const Buffer* buffer : {&x, &y})
    for (const Motion& motion : motions_of(*buffer, true)) loops.insert(motion.loop);
  for (unsigned odd = 0; odd < 1U << loops.size(); ++odd) {
    const std::int64_t at_x = place_of(x, loops, odd), at_y = place_of(y, loops, odd);
    if (meet(at_x, at_x, at_y, at_y)) return true;
  }
  return false;
}

}  // namespace pullback::schedule
