// The thread pool, executions on it, and executables, driven by hand-written kernels.
#include <pullback/error.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include <atomic>

#include "runtime/environment.h"
#include "runtime/executable.h"
#include "runtime/philox.h"
#include "runtime/thread_choice.h"
#include "runtime/thread_pool.h"

using namespace pullback;
using namespace pullback::runtime;
using Catch::Matchers::Contains;

namespace {

// buffers: 0 the counters to increase
void count_kernel(void* const* buffers, std::int64_t begin, std::int64_t end, void* scratch) {
  auto* counters = static_cast<std::int64_t*>(buffers[0]);
  auto* own = static_cast<std::int64_t*>(scratch);
  for (std::int64_t i = begin; i < end; ++i) {
    own[i % 8] = i;
    counters[i] += own[i % 8] + 1;
  }
}

void run_count(Execution& execution, std::vector<std::int64_t>& counters) {
  void* buffers[] = {counters.data()};
  execution.context()->parallel_for(execution.context(), count_kernel, buffers,
                                    static_cast<std::int64_t>(counters.size()));
}

bool counted(const std::vector<std::int64_t>& counters, std::int64_t times) {
  for (std::size_t i = 0; i < counters.size(); ++i)
    if (counters[i] != times * (static_cast<std::int64_t>(i) + 1)) return false;
  return true;
}

// A subnormal number survives only when it is not flushed to zero; 1 + 2^-24 is 1 only when rounding to nearest.
bool environment_is_default() {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = 0.5f;
  volatile float one = 1.0f;
  volatile float tiny = 0x1p-24f;
  return smallest * half != 0.0f && one + tiny == 1.0f;
}

void environment_kernel(void* const* buffers, std::int64_t begin, std::int64_t end, void*) {
  auto* good = static_cast<bool*>(buffers[0]);
  for (std::int64_t i = begin; i < end; ++i) good[i] = environment_is_default();
}

// slots: 0 arena, 1 constants (f32), 2 input f32[n], 3 state f32[n], 4 n: the state gains input * constant
std::int32_t axpy_entry(ExecutionContext* context, void* const* slots) {
  const auto kernel = [](void* const* buffers, std::int64_t begin, std::int64_t end, void*) {
    const float factor = *static_cast<const float*>(buffers[1]);
    const auto* x = static_cast<const float*>(buffers[2]);
    auto* state = static_cast<float*>(buffers[3]);
    for (std::int64_t i = begin; i < end; ++i) state[i] += factor * x[i];
  };
  context->parallel_for(context, kernel, slots, 1000);
  return 0;
}

// Fails its second check, whose witnesses stand in the arena.
std::int32_t failing_entry(ExecutionContext*, void* const* slots) {
  auto* arena = static_cast<std::byte*>(slots[0]);
  *reinterpret_cast<std::int64_t*>(arena) = 12345678901;
  *reinterpret_cast<float*>(arena + 64) = 0.5f;
  return 2;
}

std::int32_t strange_entry(ExecutionContext*, void* const*) {
  return 9;
}

}  // namespace

TEST_CASE("Philox gives its published numbers", "[philox]") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("PULLBACK_THREADS", "[environment]") {
  setenv("PULLBACK_THREADS", "3", 1);
  CHECK(thread_count() == 3);
  setenv("PULLBACK_THREADS", "3x", 1);
  CHECK_THROWS_WITH(thread_count(), "PULLBACK_THREADS: '3x' is not a number from 1 to 1024");
  setenv("PULLBACK_THREADS", "0", 1);
  CHECK_THROWS_WITH(thread_count(), Contains("'0' is not a number"));
  unsetenv("PULLBACK_THREADS");
  CHECK(thread_count() >= 1);
}

TEST_CASE("every index runs once, for any number of threads", "[pool]") {
  for (int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    for (std::size_t count : {0u, 1u, 2u, 3u, 7u, 1000u}) {
      std::vector<std::int64_t> counters(count);
      Execution execution(pool, 64);
      for (int i = 0; i < 20; ++i) run_count(execution, counters);
      CHECK(counted(counters, 20));
    }
  }
}

TEST_CASE("a busy pool runs the second execution serially", "[pool]") {
  ThreadPool pool(2);
  Execution first(pool, 64);
  CHECK(first.has_pool());
  Execution second(pool, 64);
  CHECK(!second.has_pool());
  CHECK(first.context()->scratch != second.context()->scratch);
  std::vector<std::int64_t> counters(100);
  run_count(second, counters);
  CHECK(counted(counters, 1));
}

TEST_CASE("executions from several threads at once", "[pool]") {
  ThreadPool pool(2);
  std::vector<std::vector<std::int64_t>> counters(3, std::vector<std::int64_t>(64));
  std::vector<std::thread> users;
  for (auto& own : counters)
    users.emplace_back([&pool, &own] {
      for (int i = 0; i < 200; ++i) {
        Execution execution(pool, 64);
        run_count(execution, own);
      }
    });
  for (auto& user : users) user.join();
  for (auto& own : counters) CHECK(counted(own, 200));
}

TEST_CASE("a thread takes over what others have not begun", "[pool]") {
  // Index 0 ends when all others are done: nobody may be bound to work that lies behind it.
  ThreadPool pool(2);
  Execution execution(pool, 0);
  std::atomic<int> done{0};
  void* buffers[] = {&done};
  const auto kernel = [](void* const* b, std::int64_t begin, std::int64_t end, void*) {
    auto& others = *static_cast<std::atomic<int>*>(b[0]);
    for (std::int64_t i = begin; i < end; ++i) {
      if (i > 0) ++others;
      while (i == 0 && others < 7) std::this_thread::yield();
    }
  };
  for (int round = 0; round < 20; ++round) {
    done = 0;
    execution.context()->parallel_for(execution.context(), kernel, buffers, 8);
    CHECK(done == 7);
  }
}

TEST_CASE("an execution that does not share runs on the calling thread", "[pool]") {
  ThreadPool pool(3);
  Execution execution(pool, 64, false);
  std::vector<std::thread::id> seen(100);
  void* buffers[] = {seen.data()};
  const auto kernel = [](void* const* b, std::int64_t begin, std::int64_t end, void*) {
    for (std::int64_t i = begin; i < end; ++i) static_cast<std::thread::id*>(b[0])[i] = std::this_thread::get_id();
  };
  CHECK_FALSE(execution.could_share());
  execution.context()->parallel_for(execution.context(), kernel, buffers, 1);
  CHECK_FALSE(execution.could_share());
  execution.context()->parallel_for(execution.context(), kernel, buffers, 100);
  CHECK(execution.could_share());
  CHECK(std::set<std::thread::id>(seen.begin(), seen.end()) == std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST_CASE("a worker that has gone to sleep wakes up for its chunks", "[pool]") {
  ThreadPool pool(3);
  Execution execution(pool, 64);
  std::vector<std::int64_t> counters(64);
  for (int round = 0; round < 60; ++round) {
    // About as long as a worker spins, so that it is met awake, asleep and in between.
    std::this_thread::sleep_for(std::chrono::microseconds(3 * round));
    run_count(execution, counters);
  }
  CHECK(counted(counters, 60));
}

TEST_CASE("a caller that has gone to sleep hears of the last chunk", "[pool]") {
  ThreadPool pool(2);
  Execution execution(pool, 0);
  std::atomic<int> ended{0};
  void* buffers[] = {&ended};
  const auto kernel = [](void* const* b, std::int64_t begin, std::int64_t end, void*) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (i == 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++*static_cast<std::atomic<int>*>(b[0]);
    }
  };
  for (int round = 1; round <= 20; ++round) {
    execution.context()->parallel_for(execution.context(), kernel, buffers, 2);
    REQUIRE(ended == 2 * round);
  }
}

// Where indices wait for each other, so that each has a thread of its own.
struct Meeting {
  std::atomic<int> begun{0};
  int expected = 0;
  void arrive() {
    ++begun;
    while (begun < expected) std::this_thread::yield();
  }
};

TEST_CASE("scratch is aligned, each thread's own, and grows", "[pool]") {
  ThreadPool pool(3);
  for (std::size_t bytes : {0u, 100u, 100000u, 50u}) {
    Execution execution(pool, bytes);
    std::vector<void*> seen(3);
    Meeting meeting{{0}, 3};
    void* buffers[] = {seen.data(), &meeting};
    const auto kernel = [](void* const* b, std::int64_t begin, std::int64_t end, void* scratch) {
      for (std::int64_t i = begin; i < end; ++i) {
        static_cast<Meeting*>(b[1])->arrive();
        static_cast<void**>(b[0])[i] = scratch;
      }
    };
    execution.context()->parallel_for(execution.context(), kernel, buffers, 3);
    CHECK(std::set<void*>(seen.begin(), seen.end()).size() == 3);
    for (void* scratch : seen) CHECK(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  }
}

TEST_CASE("kernels see the default floating-point environment, the caller keeps its own", "[pool]") {
#if defined(__SSE2__)
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040 | 0x4000);  // flush to zero, round up
  {
    ThreadPool pool(3);
    Execution execution(pool, 0);
    bool good[3] = {};
    Meeting meeting{{0}, 3};
    void* buffers[] = {good, &meeting};
    const auto kernel = [](void* const* b, std::int64_t begin, std::int64_t end, void* scratch) {
      static_cast<Meeting*>(b[1])->arrive();
      environment_kernel(b, begin, end, scratch);
    };
    execution.context()->parallel_for(execution.context(), kernel, buffers, 3);
    CHECK((good[0] && good[1] && good[2]));
  }
  const bool kept = (_mm_getcsr() & 0xC040) == 0xC040;
  _mm_setcsr(before);
  CHECK(kept);
#endif
}

TEST_CASE("an idle pool uses no processor time", "[pool]") {
  ThreadPool pool(3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 0.02);
}

// `runs` runs of a step that takes so many microseconds with threads and without: how many had threads, and how long
// all took.
struct Runs {
  std::int64_t shared = 0;
  double microseconds = 0;
};
Runs run_steps(ThreadChoice& choice, std::int64_t shared_time, std::int64_t alone_time, std::int64_t runs) {
  Runs sum;
  for (std::int64_t i = 0; i < runs; ++i) {
    const bool shared = choice.is_shared();
    const std::chrono::microseconds time(shared ? shared_time : alone_time);
    sum.shared += shared ? 1 : 0;
    sum.microseconds += static_cast<double>(time.count());
    choice.ran(choice.is_timed() ? ThreadChoice::Duration(time) : ThreadChoice::Duration::zero());
  }
  return sum;
}

TEST_CASE("a step has threads as long as they make it faster", "[threads]") {
  ThreadChoice choice;
  CHECK(run_steps(choice, 100, 180, 20000).microseconds < 1.02 * 20000 * 100);
  // The cores are far from each other now. That is noticed within a tenth of a second.
  CHECK(run_steps(choice, 300, 180, 20000).microseconds < 20000 * 180 + 1e5);
  const Runs far = run_steps(choice, 300, 180, 20000);
  CHECK(far.microseconds < 1.02 * 20000 * 180);
  CHECK(far.shared > 0);  // it goes on trying
  run_steps(choice, 100, 180, 20000);
  CHECK(run_steps(choice, 100, 180, 20000).microseconds < 1.02 * 20000 * 100);
}

TEST_CASE("a run that was interrupted changes nothing", "[threads]") {
  ThreadChoice choice;
  for (int i = 0; i < 1000; ++i) {
    const std::chrono::microseconds time(i % 7 == 5 ? 5000 : choice.is_shared() ? 100 : 180);
    choice.ran(time);
    if (!choice.is_timed()) CHECK(choice.is_shared());
  }
}

TEST_CASE("a run that stood still for long does not put off the next trial", "[threads]") {
  ThreadChoice choice;
  for (bool stood_still = false; !stood_still;) {
    stood_still = choice.is_timed() && !choice.is_shared();
    choice.ran(stood_still ? std::chrono::seconds(30) : std::chrono::microseconds(100));
  }
  run_steps(choice, 300, 100, 10000);
  CHECK(run_steps(choice, 300, 100, 10000).microseconds < 1.02 * 10000 * 100);
}

TEST_CASE("trials of long steps cost little from the first on", "[threads]") {
  ThreadChoice choice;
  CHECK(run_steps(choice, 2000, 3700, 50).microseconds < 50 * 2000 + 2 * 1700 + 1);
  CHECK(run_steps(choice, 2000, 3700, 2000).microseconds < 1.02 * 2000 * 2000);
  ThreadChoice longer;
  CHECK(run_steps(longer, 20000, 37000, 500).shared == 500);
}

TEST_CASE("threads that make no difference are kept", "[threads]") {
  ThreadChoice choice;
  run_steps(choice, 100, 98, 100);
  CHECK(run_steps(choice, 100, 98, 400).shared > 380);
}

TEST_CASE("a step without measurable time is none to choose for", "[threads]") {
  ThreadChoice choice;
  for (int i = 0; i < 1000; ++i) choice.ran();
  CHECK(choice.is_shared());
}

/// Calls of a kernel that takes long when it is called for a part only.
std::atomic<int> calls_for_parts{0};

std::int32_t slow_in_parts_entry(ExecutionContext* context, void* const* bases) {
  const auto kernel = [](void* const*, std::int64_t begin, std::int64_t end, void*) {
    if (end - begin == 8) return;
    ++calls_for_parts;
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < until) {
    }
  };
  context->parallel_for(context, kernel, bases, 8);
  return 0;
}

TEST_CASE("an executable leaves out threads that make it slower, unless it always shares", "[executable][threads]") {
  ThreadPool pool(2);
  ExecutableImage image;
  image.entry = slow_in_parts_entry;
  const auto parts_of = [](Executable& executable, int runs) {
    calls_for_parts = 0;
    for (int i = 0; i < runs; ++i) executable.run({});
    return calls_for_parts.load();
  };
  Executable choosing(image, &pool), sharing(image, &pool, nullptr, true);
  CHECK(parts_of(choosing, 20) >= 8 * 8);
  CHECK(parts_of(choosing, 30) == 0);
  CHECK(parts_of(sharing, 50) == 50 * 8);
}

TEST_CASE("an executable updates its state in place", "[executable]") {
  ThreadPool pool(2);
  const float factor = 2.0f;
  ExecutableImage image;
  image.entry = axpy_entry;
  image.constants = Array(u8, {sizeof factor});
  std::memcpy(image.constants.raw(), &factor, sizeof factor);
  image.slots = {
      {"x", SlotRole::input, f32, {1000}}, {"w", SlotRole::state, f32, {1000}}, {"y", SlotRole::output, f32, {0}}};
  Executable executable(std::move(image), &pool);
  std::vector<float> x(1000, 3.0f);
  std::vector<float> w(1000, 1.0f);
  void* buffers[] = {x.data(), w.data(), nullptr};
  executable.run(buffers);
  executable.run(buffers);
  CHECK(std::all_of(w.begin(), w.end(), [](float v) { return v == 13.0f; }));

  void* missing[] = {x.data(), nullptr, nullptr};
  CHECK_THROWS_AS(executable.run(missing), InternalError);
  CHECK_THROWS_AS(executable.run(std::span<void* const>(buffers, 2)), InternalError);
}

TEST_CASE("a failed check becomes an error with its witnesses", "[executable]") {
  ThreadPool pool(1);
  ExecutableImage image;
  image.entry = failing_entry;
  image.arena_bytes = 128;
  image.checks = {{"other", {}, {}},
                  {"gather: index {} is not in 0..{}", {"model.cpp", 7}, {{i64, 0, 0}, {f32, 0, 64}}}};
  Executable executable(image, &pool);
  CHECK_THROWS_WITH(executable.run({}), "gather: index 12345678901 is not in 0..0.5 (model.cpp:7)");

  image.entry = strange_entry;
  Executable strange(image, &pool);
  CHECK_THROWS_AS(strange.run({}), InternalError);
}
