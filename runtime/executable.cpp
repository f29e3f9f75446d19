#include "runtime/executable.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "runtime/memory.h"
#include "runtime/thread_pool.h"

namespace pullback::runtime {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kInternalSlots = 2;  // the arena and the constants
/// An arena of this size on gets its pages in the background.
constexpr std::size_t kLargeArena = std::size_t{8} << 20;

bool is_empty(const ExternalSlot& slot) {
  for (const std::int64_t dim : slot.dims)
    if (dim == 0) return true;
  return false;
}

// The value as a user would write it.
std::string format_witness(DType dtype, std::byte* data) {
  const Array value = Array::view(dtype, {}, data);
  switch (dtype) {
    case DType::boolean:
      return value.item() != 0 ? "true" : "false";
    case DType::i64:
      return fmt::format("{}", value.values<std::int64_t>()[0]);
    default:
      return fmt::format("{:.9g}", value.item());
  }
}

}  // namespace

Arena::Arena(std::size_t bytes) : bytes_(bytes), memory_(allocate_zeroed(bytes)) {}

void Arena::touch_slow_ahead() {
  if (!is_touched_ && bytes_ >= kLargeArena) pages_.touch_slow(data(), data() + bytes_);
}

void Arena::touch_ahead() {
  if (!std::exchange(is_touched_, true) && bytes_ >= kLargeArena) pages_.touch(data(), data() + bytes_);
}

Executable::Executable(ExecutableImage image, ThreadPool* pool, std::unique_ptr<Arena> arena, bool always_shares)
    : image_(std::move(image)),
      pool_(pool ? *pool : ThreadPool::shared()),
      arena_(arena ? std::move(arena) : std::make_unique<Arena>(image_.arena_bytes)),
      always_shares_(always_shares) {
  if (!image_.entry) throw InternalError("executable: no entry");
  bases_.resize(kInternalSlots + image_.slots.size());
  bases_[0] = arena_->data();
  bases_[1] = image_.constants.raw();
  if (image_.profiled_calls == 0) return;
  profile_.calls.resize(image_.profiled_calls);
  bases_.push_back(profile_.calls.data());
}

std::int32_t Executable::run_entry() {
  Execution execution(pool_, image_.scratch_bytes, always_shares_ || choice_.is_shared());
  const bool counts = image_.profiled_calls != 0, is_timed = choice_.is_timed() || counts;
  const Clock::time_point start = is_timed ? Clock::now() : Clock::time_point();
  const std::int32_t status = image_.entry(execution.context(), bases_.data());
  const Clock::duration time = is_timed ? Clock::now() - start : Clock::duration::zero();
  if (execution.could_share() && !always_shares_) choice_.ran(time);
  if (counts) {
    profile_.seconds += std::chrono::duration<double>(time).count();
    ++profile_.steps;
  }
  return status;
}

void Executable::run(std::span<void* const> external) {
  const std::lock_guard lock(running_);
  if (external.size() != image_.slots.size())
    throw InternalError(fmt::format("executable: {} buffers given for {} slots", external.size(), image_.slots.size()));
  for (std::size_t i = 0; i < external.size(); ++i) {
    void* base = external[i];
    if (!base) {
      if (!is_empty(image_.slots[i]))
        throw InternalError(fmt::format("executable: no buffer for '{}'", image_.slots[i].name));
      base = arena_->data();
    }
    bases_[kInternalSlots + i] = base;
  }
  arena_->touch_ahead();
  const std::int32_t status = run_entry();
  if (status != 0) fail(status);
}

void Executable::fail(std::int32_t status) const {
  if (status < 0 || static_cast<std::size_t>(status) > image_.checks.size())
    throw InternalError(fmt::format("executable: status {} with {} checks", status, image_.checks.size()));
  const Check& check = image_.checks[static_cast<std::size_t>(status - 1)];
  std::string message = check.message;
  std::size_t from = 0;
  for (const Witness& witness : check.witnesses) {
    const std::size_t hole = message.find("{}", from);
    if (hole == std::string::npos) break;
    const std::string text =
        format_witness(witness.dtype, static_cast<std::byte*>(bases_[witness.base]) + witness.offset);
    message.replace(hole, 2, text);
    from = hole + text.size();
  }
  throw Error(message, check.where);
}

}  // namespace pullback::runtime
