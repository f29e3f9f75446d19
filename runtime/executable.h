// One specialization of a program as machine code, ready to run: its arena, constants and buffers bound to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <pullback/array.h>
#include <pullback/dtype.h>
#include <pullback/error.h>

#include "runtime/abi.h"
#include "runtime/pages_ahead.h"
#include "runtime/thread_choice.h"

namespace pullback::runtime {

class ThreadPool;

/// What a slot's memory means to the step: read, read and replaced in place, written.
enum class SlotRole : std::uint8_t { input, state, output };

/// A buffer that the caller of a step provides. State is updated in place, so that it has one pointer.
struct ExternalSlot {
  std::string name;
  SlotRole role = SlotRole::input;
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;
};

/// A value that explains why a check failed: where it lies, as the step's entry addresses memory.
struct Witness {
  DType dtype = DType::i64;
  std::size_t base = 0;    ///< 0 the arena, 1 the constants, then the external slots in order
  std::size_t offset = 0;  ///< bytes
};

/// Something that a step verifies before it writes state. In `message` each {} stands for one witness, in order.
struct Check {
  std::string message;
  SourceLine where;
  std::vector<Witness> witnesses;
};

/// What running a step takes besides its code: plain data.
struct ExecutableLayout {
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;  ///< of each thread
  Array constants{u8, {0}};       ///< u8[n]: all constants in one block, 64-byte aligned
  std::vector<ExternalSlot> slots;
  std::vector<Check> checks;
  std::size_t profiled_calls = 0;  ///< kernel calls whose time the code counts; 0: it does not
};

/// The memory of values between kernels, zeros at first.
class Arena {
 public:
  /// Throws Error when there is no memory.
  explicit Arena(std::size_t bytes);

  std::byte* data() const { return memory_.get(); }
  /// From now on pages come in the background, if there are many: those that take long, when there is other work.
  void touch_slow_ahead();
  /// All of them, as the arena is about to be used. Called again it does nothing.
  void touch_ahead();

 private:
  std::size_t bytes_;
  std::shared_ptr<std::byte> memory_;
  PagesAhead pages_;
  bool is_touched_ = false;
};

/// What a code generator hands over.
struct ExecutableImage : ExecutableLayout {
  EntryFunction entry = nullptr;
  std::shared_ptr<void> code;  ///< keeps the machine code of `entry` alive
};

/// Where the time of all runs so far went.
struct Profile {
  std::vector<CallProfile> calls;
  double seconds = 0;
  std::int64_t steps = 0;
};

/// Runs a compiled step. Owns its arena. Runs of the same Executable exclude each other.
class Executable {
 public:
  /// Uses ThreadPool::shared() and an arena of its own unless told otherwise. Throws Error when there is no memory for
  /// that. A run has no threads where they are measured to be slower, unless it `always_shares`.
  explicit Executable(ExecutableImage image, ThreadPool* pool = nullptr, std::unique_ptr<Arena> arena = nullptr,
                      bool always_shares = false);
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const std::vector<ExternalSlot>& slots() const { return image_.slots; }
  std::size_t arena_bytes() const { return image_.arena_bytes; }
  /// Empty unless the code was compiled to count.
  const Profile& profile() const { return profile_; }

  /// Runs the step once. `external` holds one pointer per slot, in order, aligned for its elements; it may be null
  /// where the slot has no elements. Throws Error when a check of the step fails: no state was written then.
  void run(std::span<void* const> external);

 private:
  std::int32_t run_entry();
  [[noreturn]] void fail(std::int32_t status) const;

  ExecutableImage image_;
  ThreadPool& pool_;
  std::unique_ptr<Arena> arena_;
  std::vector<void*> bases_;  // what the entry receives: arena, constants, external slots
  const bool always_shares_;
  ThreadChoice choice_;
  Profile profile_;
  std::mutex running_;
};

}  // namespace pullback::runtime
