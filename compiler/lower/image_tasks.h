// The outermost loop of a convolution's kernel that goes image by image.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"

namespace pullback::lower {

/// Parts that a few threads share evenly.
inline constexpr std::int64_t kFewestTasks = 12;

/// The group of those values of `group` that are, or are not, behind the convolution.
Group part_of(const Group& group, bool behind);

/// The outermost loop where a kernel goes image by image, or a few small ones at a time: with what reads them behind
/// them, or because several phases make up the result.
class ImageTasks {
 public:
  /// Of a convolution that has an image_loop().
  ImageTasks(const Group& group, Emitter& emitter, Placement& placement, const LoopOptions& options,
             const ContractionShape& shape);

  const Loop& loop() const { return loop_; }
  std::int64_t together() const { return together_; }
  std::int64_t tasks() const { return loop_.size / together_; }

  /// Images that are `positions` of a loop in all phases, of which each makes up `elements` of the result, one behind
  /// the other (0: they are not), are cut into bands of a few of them, if what is behind can follow band by band: in
  /// the first level of the cache then, which the image would leave. To be called once, before begin().
  void cut_into_bands(std::int64_t positions, std::int64_t elements);
  std::int64_t bands() const { return bands_; }

  void begin(const kernel::Index& task) { first_ = task * together_; }
  void begin_band(const kernel::Index& band) { band_ = band; }
  /// Keeps the element of the convolution's result at `indices` for what is behind.
  void keep(const ops::Indices& indices);
  /// What is behind the images of this task.
  void run_behind();

 private:
  std::int64_t image_size(const ir::Value& value) const { return count_of(value) / loop_.size; }
  std::int64_t image_bytes(const ir::Value& value) const {
    return image_size(value) * static_cast<std::int64_t>(size_of(value.type.dtype));
  }

  bool has_rows(std::int64_t elements) const;
  std::int64_t bands_of(std::int64_t positions, std::int64_t elements) const;
  /// Where in the layout what is kept of `value` begins.
  kernel::Index first_kept(const ir::Value& value) const;

  const Group& group_;
  const Group convolution_;
  std::optional<Group> behind_;
  Emitter& emitter_;
  Placement& placement_;
  const LoopOptions& options_;
  Loop loop_;
  std::int64_t together_ = 1;
  kernel::Index first_;  ///< of the task
  std::int64_t bands_ = 1;
  kernel::Index band_;
  std::vector<std::pair<const ir::Value*, int>> kept_;  ///< what is read behind, and its scratch memory
};

}  // namespace pullback::lower
