#include "compiler/lower/image_tasks.h"

#include <algorithm>

#include "compiler/ir/layout.h"

namespace pullback::lower {

using kernel::Index;
using ops::Indices;

namespace {

/// What images that are computed together may take, until what is behind them reads them.
constexpr std::int64_t kTogetherBytes = 64 * 1024;
/// What a band of an image may take: a good part of the first level. And the fewest vectors of its pixels, of which the
/// last may be partial.
constexpr std::int64_t kBandBytes = 32 * 1024, kFewestVectors = 3;
/// The rows of an image.
constexpr std::size_t kBandDimension = 2;

}  // namespace

Group part_of(const Group& group, bool behind) {
  const auto is_other = [&](const ir::Value* v) {
    return (std::find(group.behind.begin(), group.behind.end(), v) != group.behind.end()) != behind;
  };
  Group part = group;
  std::erase_if(part.anchors, is_other);
  std::erase_if(part.stored, is_other);
  if (!behind) return part;
  part.kind = Group::Kind::elementwise;
  part.op = nullptr;
  part.rows = count_of(*part.anchors.front());
  return part;
}

ImageTasks::ImageTasks(const Group& group, Emitter& emitter, Placement& placement, const LoopOptions& options,
                       const ContractionShape& shape)
    : group_(group),
      convolution_(part_of(group, false)),
      emitter_(emitter),
      placement_(placement),
      options_(options),
      loop_(*image_loop(shape)) {
  if (!group.behind.empty()) behind_ = part_of(group, true);
  std::int64_t bytes = 0;
  for (const ir::Value* value : group.passed) bytes += image_bytes(*value);
  if (!behind_) bytes = image_bytes(*group.op->result());
  together_ = std::clamp<std::int64_t>(std::min(kTogetherBytes / bytes, loop_.size / kFewestTasks), 1, loop_.size);
  while (loop_.size % together_ != 0) --together_;
}

void ImageTasks::cut_into_bands(std::int64_t positions, std::int64_t elements) {
  if (positions > 0 && group_.behind_in_step && together_ == 1 && has_rows(elements))
    bands_ = bands_of(positions, elements);
  for (const ir::Value* value : group_.passed)
    if (std::find(convolution_.stored.begin(), convolution_.stored.end(), value) == convolution_.stored.end())
      kept_.emplace_back(value,
                         emitter_.build().buffer("image", value->type.dtype, image_size(*value) / bands_ * together_,
                                                 kernel::Access::scratch));
}

/// Do so many elements make up rows of the image, in memory, too, and in all that is read behind?
bool ImageTasks::has_rows(std::int64_t elements) const {
  const ir::Value& result = *group_.op->result();
  const ir::Integers layout = ir::layout_of(result);
  if (layout.size() <= kBandDimension || layout[1] != static_cast<std::int64_t>(kBandDimension)) return false;
  return elements % (image_size(result) / dims_of(result)[kBandDimension]) == 0 &&
         std::all_of(group_.passed.begin(), group_.passed.end(), [&](const ir::Value* value) {
           return dims_of(*value) == dims_of(result) && ir::layout_of(*value) == layout;
         });
}

std::int64_t ImageTasks::bands_of(std::int64_t positions, std::int64_t elements) const {
  const ir::Value& result = *group_.op->result();
  const auto size = static_cast<std::int64_t>(size_of(result.type.dtype));
  const std::int64_t channels = dims_of(result)[1], lanes = options_.vector_bytes / size;
  std::int64_t bands = 1;
  if (elements * positions != image_size(result) || image_bytes(result) <= kBandBytes) return bands;
  // Whole vectors of pixels, for those that bring them into another order.
  for (std::int64_t count = 1; count < positions && count * elements * size <= kBandBytes; ++count) {
    const std::int64_t pixels = count * elements / channels;
    if (positions % count != 0 || pixels < kFewestVectors * lanes) continue;
    bands = positions / count;
    if (pixels % lanes == 0) break;
  }
  return bands;
}

Index ImageTasks::first_kept(const ir::Value& value) const {
  return first_ * image_size(value) + band_ * (image_size(value) / bands_);
}

void ImageTasks::keep(const Indices& indices) {
  const Index at = kernel::flatten(indices, dims_of(*convolution_.op->result()));
  for (const auto& [value, scratch] : kept_) {
    const Indices own = kernel::unflatten(at, dims_of(*value));
    kernel::Value* element = emitter_.element(value, own);
    emitter_.build().store(scratch, emitter_.address(*value, own) - first_kept(*value), element);
  }
}

void ImageTasks::run_behind() {
  if (!behind_) return;
  const auto prepare = [&](Emitter& emitter, const Index& image) {
    for (const ir::Value* value : convolution_.passed) {
      const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const auto& k) { return k.first == value; });
      if (kept == kept_.end()) {
        emitter.settle(value);
      } else if (&emitter == &emitter_) {
        emitter.keep_in_layout(value, kept->second, first_kept(*value));
      } else {  // a trial
        const int scratch =
            emitter.build().buffer("image", value->type.dtype, image_size(*value), kernel::Access::scratch);
        emitter.keep_in_layout(value, scratch, image * image_size(*value));
      }
    }
  };
  Band band;
  if (bands_ > 1) {
    const std::int64_t rows = dims_of(*convolution_.op->result())[kBandDimension] / bands_;
    band = {kBandDimension, rows, band_ * rows};
  }
  const auto image = [&](const Index& i) {
    emitter_.scoped([&] { write_slab(*behind_, emitter_, first_ + i, band, placement_, options_, prepare); });
  };
  if (together_ == 1)
    image(Index(0));
  else
    emitter_.build().serial_loop("n", together_, image);
}

}  // namespace pullback::lower
