// A fork-join pool: the calling thread and its workers run one kernel at a time. Each has chunks of its own, always the
// same; a thread that has none left takes over what others have not begun, so that nobody waits for one that is late.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/abi.h"
#include "runtime/float_environment.h"

namespace pullback::runtime {

class Execution;

/// Threads that wait for kernels: they spin briefly after each, then sleep. One execution has the pool at a time.
class ThreadPool {
 public:
  /// `threads` counts the calling thread: `threads - 1` workers are started, or fewer when the system refuses more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// The process's pool, with thread_count() threads, started when first used.
  static ThreadPool& shared();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

 private:
  friend class Execution;

  struct alignas(64) Worker {
    std::atomic<std::uint32_t> ticket{0};  // bumped when there is something to do
    std::atomic<bool> ends{false};         // read by a worker that is still on its way from an earlier ticket, too
    std::shared_ptr<std::byte> scratch;
    std::thread thread;
  };
  // The chunks that belong to one thread and have not been taken: first in the low half, behind the last in the high
  // half. Their owner takes them from the front, others from the back.
  struct alignas(64) Chunks {
    std::atomic<std::uint64_t> left{0};
  };
  // A kernel in parallel. Written before the gate opens; stays until the gate is closed and all who entered have left.
  struct Job {
    KernelFunction kernel = nullptr;
    void* const* buffers = nullptr;
    std::int64_t count = 0, chunks = 0;
  };

  void work(Worker& worker, std::size_t position);
  /// With several threads and at least two iterations.
  void parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch);
  bool enter();
  void run_chunks(std::size_t position, void* scratch);
  void grow_scratch(std::size_t bytes);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Chunks> chunks_;  // of the calling thread, then of each worker
  Job job_;
  std::shared_ptr<std::byte> scratch_;  // of the calling thread
  std::size_t scratch_bytes_ = 0;
  std::atomic<bool> busy_{false};  // an Execution has the pool
  // Workers that run chunks of the job; with kClosed nobody may enter. A worker that wakes up late finds the gate
  // closed and is waited for by nobody.
  static constexpr std::uint32_t kClosed = std::uint32_t{1} << 31;
  alignas(64) std::atomic<std::uint32_t> gate_{kClosed};
};

/// One run of a compiled step on a pool: what generated code receives as its ExecutionContext. A run that finds the
/// pool busy (nested in a kernel, or from another thread) does all its work on the calling thread, with the same bits.
class Execution {
 public:
  /// Gives each thread at least `scratch_bytes` of scratch. Unless it `shares`, all runs on the calling thread. Throws
  /// Error when there is not enough memory.
  Execution(ThreadPool& pool, std::size_t scratch_bytes, bool shares = true);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  ExecutionContext* context() { return &context_; }
  bool has_pool() const { return context_.pool != nullptr; }
  /// Was there a kernel in parts, and several threads that it could have had?
  bool could_share() const { return context_.could_share; }

 private:
  struct Context : ExecutionContext {
    ThreadPool* pool = nullptr;  // null: serial
    bool shares = false, could_share = false;
  };
  static void parallel_for(ExecutionContext* context, KernelFunction kernel, void* const* buffers, std::int64_t count);

  Context context_;
  std::shared_ptr<std::byte> own_scratch_;  // when serial
  FloatEnvironment float_environment_;
};

}  // namespace pullback::runtime
