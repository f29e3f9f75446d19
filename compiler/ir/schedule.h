// The schedule: what a step does, as kernel calls over views of buffers, in order. The plan has decided where each
// buffer lives and which kernel runs when; generated code and the schedule's interpreter only follow it.
//
// A Module has one list of buffers. A buffer lies in the arena (memory that keeps nothing between two runs), in the
// constants (never written), or is an external slot that the caller binds: an input (never written), a state (read and
// replaced in place), or an output (written, read only after that). Arena buffers may overlap where no two of them hold
// a needed value at the same time. A view is a part of such memory, which may move while a loop runs. All checks run
// before the first step that writes a state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <pullback/dtype.h>
#include <pullback/error.h>

namespace pullback::kernel {
struct Kernel;
}

namespace pullback::schedule {

/// Arena and constants are allocated, and their buffers placed, at multiples of this many bytes.
inline constexpr std::int64_t kAlignment = 64;

enum class Placement : std::uint8_t { arena, constant, external };

/// How a view moves while a loop runs: by `bytes` in each iteration (slices of a stacked tensor), or forth by `bytes`
/// in every second one and back again (a carry that is read in one place and written in another).
struct Motion {
  std::size_t loop = 0;  ///< Loop::id; the view is used inside of that loop only
  std::int64_t bytes = 0;
  bool alternates = false;
  bool operator==(const Motion&) const = default;
};

struct Buffer {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements = 0;  ///< 0: the buffer has no bytes, and no step touches it
  Placement placement = Placement::arena;
  std::int64_t offset = 0;           ///< bytes from the start of the arena, the constants or the slot
  std::size_t slot = 0;              ///< external: index into Module::slots
  bool is_view = false;              ///< a part of another buffer's memory; others are whole slots, or aligned
  std::vector<Motion> motions = {};  ///< of a view, one for each loop that moves it

  std::int64_t bytes() const { return elements * static_cast<std::int64_t>(size_of(dtype)); }
};

enum class SlotRole : std::uint8_t { input, state, output };

/// A buffer that the caller binds. A state that the function updates is one slot, replaced in place.
struct Slot {
  std::string name;
  SlotRole role = SlotRole::input;
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;
  bool written = false;  ///< a state that the step replaces; true for outputs
};

/// Runs kernels[kernel]; arguments[i] indexes Module::buffers and is what the kernel's i-th parameter that is not
/// scratch is bound to. An element is never read through one argument after it was written through another.
struct KernelCall {
  std::size_t kernel = 0;
  std::vector<std::size_t> arguments;
  std::string what;               ///< the ops it computes, for dumps: "dot_general+add+maximum"
  std::vector<SourceLine> lines;  ///< the user's lines it comes from, without repetition
};

/// Stops the run with the check's message when the bool[] buffer `predicate` holds false.
struct Check {
  std::size_t predicate = 0;
  std::size_t check = 0;  ///< index into Module::checks
};

struct Step;

/// Runs one of two lists of steps, chosen by the bool[] buffer `predicate`.
struct Branch {
  std::size_t predicate = 0;
  std::vector<Step> then_steps, else_steps;
};

/// Runs `body` `trips` times; or, when `predicate` is a bool[] buffer, runs `condition` before each iteration and stops
/// when the predicate holds false.
struct Loop {
  std::size_t id = 0;
  std::int64_t trips = 0;
  std::ptrdiff_t predicate = -1;
  std::vector<Step> condition, body;
};

struct Step {
  std::variant<KernelCall, Check, Branch, Loop> action;
};

/// What a failed check tells the user: each {} of the message stands for the next witness (a one-element buffer).
struct CheckInfo {
  std::string message;
  SourceLine line;
  std::vector<std::size_t> witnesses;  ///< indices into Module::buffers
};

struct Module {
  std::string name;
  std::vector<Slot> slots;  ///< bound after the arena and the constants, in this order
  std::vector<Buffer> buffers;
  std::vector<std::shared_ptr<const kernel::Kernel>> kernels;  ///< no two are equal
  std::vector<Step> body;
  std::vector<CheckInfo> checks;
  std::size_t loops = 0;             ///< ids are below this
  std::vector<std::byte> constants;  ///< contents of the constant buffers
  std::int64_t arena_bytes = 0;
  std::int64_t live_bytes = 0;  ///< the most that is needed at the same time: the arena can't be smaller in this order
  std::int64_t scratch_bytes = 0;  ///< the most that one kernel needs, per thread
};

struct PrintOptions {
  bool offsets = true;   ///< where buffers lie; false keeps golden dumps stable under a change of the plan
  bool kernels = false;  ///< append the text of each kernel
};

/// The kernel calls in the order of the text: of branches both sides, of loops the condition, then the body. Pointers
/// into the module.
std::vector<const KernelCall*> calls_of(const Module& module);

/// Deterministic text, one line for each buffer and step.
std::string print(const Module& module, const PrintOptions& options = {});

/// The least and the most that motions add to the buffer's offset.
struct Reach {
  std::int64_t low = 0, high = 0;
};
/// `trips` are those of each loop, by id.
Reach reach_of(const Buffer& buffer, const std::vector<std::int64_t>& trips);
/// The trips of each loop of the module, by id; 0 for those with a predicate, which move nothing.
std::vector<std::int64_t> trips_of(const Module& module);

/// May the two buffers share memory in one iteration of the loops that move them? Different slots never do.
bool overlap(const Buffer& x, const Buffer& y, const std::vector<std::int64_t>& trips);

/// Checks what the top of this file promises: indices, sizes and dtypes of arguments against the kernels' parameters,
/// that inputs and constants are not written, that checks precede writes to states, bounds of arena and constants.
/// Throws InternalError that names `stage` and prints the module.
void verify(const Module& module, const std::string& stage);

}  // namespace pullback::schedule
