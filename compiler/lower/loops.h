// The loops of kernels without contractions: which axes are joined, which is the vector's, what runs in parallel.
#pragma once

#include "compiler/lower/contraction_schedule.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"

namespace pullback::lower {

struct LoopOptions {
  int vector_bytes = 32;
  int vector_registers = 16;
  bool parallel = true;
  std::int64_t second_level = 512 << 10;  ///< bytes of a core's second level of cache
  bool has_bf16_dot = false;              ///< sums of two products of bf16 in one instruction
  const ScheduleSource* schedules = nullptr;
};

/// Computes all `values` where the loops stand, then stores them: a store must not come between loads that may turn out
/// to be the same memory. `elements` are the indices of one or several elements in a tensor of sizes `dims`; each value
/// has as many elements.
void store_at(Emitter& emitter, const std::vector<const ir::Value*>& values, const std::vector<ops::Indices>& elements,
              const std::vector<std::int64_t>& dims);

/// Writes the kernel of an elementwise group: every anchor at each position.
void write_elementwise(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options);

/// Tells an emitter from where the slab's loops read what has no storage.
using PrepareSlab = std::function<void(Emitter& emitter, const kernel::Index& slab)>;

/// A part of a dimension: `size` indices from `start` on; size 0: all of it.
struct Band {
  std::size_t dimension = 0;
  std::int64_t size = 0;
  kernel::Index start;
};

/// Writes those elements of an elementwise group that have the index `slab` in the first dimension, or only those in a
/// band of them, by loops within a kernel that `emitter` is writing. With a band all have the same dimensions.
void write_slab(const Group& group, Emitter& emitter, const kernel::Index& slab, const Band& band, Placement& placement,
                const LoopOptions& options, const PrepareSlab& prepare);

/// Writes the kernel of a rows group: for each row the reductions over it, then what is computed along it and folded
/// over rows (rows.cpp).
void write_rows(const Group& group, Unit& unit, Placement& placement, const LoopOptions& options);

}  // namespace pullback::lower
