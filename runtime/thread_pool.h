// A fork-join pool: the calling thread and its workers run one kernel at a time, split statically.
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

  // What a worker is to do is written before `ticket` is bumped and stays until it has counted itself off `running_`.
  struct alignas(64) Worker {
    std::atomic<std::uint32_t> ticket{0};
    KernelFunction kernel = nullptr;  // null: end the thread
    void* const* buffers = nullptr;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::shared_ptr<std::byte> scratch;
    std::thread thread;
  };

  void work(Worker& worker);
  void parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch);
  void grow_scratch(std::size_t bytes);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::shared_ptr<std::byte> scratch_;  // of the calling thread
  std::size_t scratch_bytes_ = 0;
  std::atomic<bool> busy_{false};                      // an Execution has the pool
  alignas(64) std::atomic<std::uint32_t> running_{0};  // workers that have not finished the current kernel
};

/// One run of a compiled step on a pool: what generated code receives as its ExecutionContext. A run that finds the
/// pool busy (nested in a kernel, or from another thread) does all its work on the calling thread, with the same bits.
class Execution {
 public:
  /// Gives each thread at least `scratch_bytes` of scratch. Throws Error when there is not enough memory.
  Execution(ThreadPool& pool, std::size_t scratch_bytes);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  ExecutionContext* context() { return &context_; }
  bool has_pool() const { return context_.pool != nullptr; }

 private:
  struct Context : ExecutionContext {
    ThreadPool* pool = nullptr;  // null: serial
  };
  static void parallel_for(ExecutionContext* context, KernelFunction kernel, void* const* buffers, std::int64_t count);

  Context context_;
  std::shared_ptr<std::byte> own_scratch_;  // when serial
  FloatEnvironment float_environment_;
};

}  // namespace pullback::runtime
