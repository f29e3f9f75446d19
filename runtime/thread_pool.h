// A fork-join pool: the calling thread and its workers run one kernel at a time. Each has chunks of its own, always the
// same; a thread that has none left takes over what others have not begun, so that nobody waits for one that is late.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
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

  // A kernel in parallel, numbered: 0 is none. What a late worker takes over is checked against the number.
  struct Job {
    std::uint32_t number = 0;
    std::uint32_t chunks = 0;
    KernelFunction kernel = nullptr;
    void* const* buffers = nullptr;
    std::int64_t count = 0;
  };

  // The chunks of a job that belong to one thread and have not been taken. Their owner takes them from the front,
  // others from the back.
  class Chunks {
   public:
    void deal(std::uint32_t job, std::uint32_t first, std::uint32_t end);
    /// -1 when none is left of this job.
    std::int64_t take(std::uint32_t job, bool from_front);

   private:
    std::atomic<std::uint64_t> left_{0};  // the job's number, first, end; the first ones of their job by bits
  };

  // What the calling thread tells a worker lies in one cache line, and what a worker answers in another: a line that
  // changes its core takes as long as hundreds of instructions, and most of all between cores that share no cache.
  struct Worker {
    alignas(64) std::atomic<std::uint32_t> ticket{0};  // the number of the job to do, written last
    std::atomic<std::uint32_t> chunk_count{0};         // from here on the job, read before one of its chunks is taken
    std::atomic<KernelFunction> kernel{nullptr};
    std::atomic<void* const*> buffers{nullptr};
    std::atomic<std::int64_t> count{0};
    Chunks chunks;
    std::atomic<bool> ends{false};

    alignas(64) std::atomic<std::uint64_t> done{0};  // a job's number, and below it how many of its chunks are done
    std::atomic<bool> sleeps{false};

    alignas(64) std::shared_ptr<std::byte> scratch;
    std::thread thread;
  };

  using Workers = std::span<const std::unique_ptr<Worker>>;

  void work(Worker& worker, std::size_t position);
  /// With several threads and at least two iterations.
  void parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch);
  /// Takes chunks of `job` until none is left, first those of the thread in `position`; `done` hears of each.
  template <typename Done>
  void run_chunks(const Job& job, std::size_t position, void* scratch, const Done& done);
  void hand_out(const Job& job, Workers workers);
  static void wake(Workers workers);
  /// Returns when the workers have done `chunks` of the job together.
  void wait_for(const Job& job, Workers workers, std::uint32_t chunks);
  void grow_scratch(std::size_t bytes);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::uint32_t last_job_ = 0;
  std::shared_ptr<std::byte> scratch_;  // of the calling thread
  std::size_t scratch_bytes_ = 0;
  std::atomic<bool> busy_{false};  // an Execution has the pool
  alignas(64) Chunks chunks_;      // of the calling thread
  alignas(64) std::atomic<std::uint32_t> caller_sleeps_{0};
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
