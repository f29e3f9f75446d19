#include "runtime/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <system_error>

#include "runtime/environment.h"
#include "runtime/memory.h"

namespace pullback::runtime {

// Generated code reads these fields by their offsets.
static_assert(offsetof(ExecutionContext, parallel_for) == 0 && offsetof(ExecutionContext, scratch) == 8);

namespace {

void pause() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

// Returns once `value` is no longer `old`. The next kernel of a step follows within microseconds, so it spins for a
// while before it lets the system put the thread to sleep.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr auto patience = std::chrono::microseconds(50);
  const auto give_up = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    try {
      worker->thread = std::thread(&ThreadPool::work, this, std::ref(*worker));
    } catch (const std::system_error&) {
      break;  // fewer threads give the same results
    }
    workers_.push_back(std::move(worker));
  }
}

ThreadPool::~ThreadPool() {
  for (auto& worker : workers_) {
    worker->kernel = nullptr;
    worker->ticket.fetch_add(1);
    worker->ticket.notify_one();
  }
  for (auto& worker : workers_) worker->thread.join();
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool pool(thread_count());
  return pool;
}

void ThreadPool::work(Worker& worker) {
  const FloatEnvironment float_environment;
  for (std::uint32_t seen = 0;; ++seen) {
    wait_for_change(worker.ticket, seen);
    if (!worker.kernel) return;
    worker.kernel(worker.buffers, worker.begin, worker.end, worker.scratch.get());
    if (running_.fetch_sub(1) == 1) running_.notify_one();
  }
}

void ThreadPool::parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch) {
  const std::int64_t pieces = std::min<std::int64_t>(threads(), count);
  if (pieces <= 1) {
    if (count > 0) kernel(buffers, 0, count, scratch);
    return;
  }
  // The first `longer` pieces are one longer than the rest.
  const std::int64_t length = count / pieces;
  const std::int64_t longer = count % pieces;
  const auto begin_of = [&](std::int64_t piece) { return piece * length + std::min(piece, longer); };
  running_.store(static_cast<std::uint32_t>(pieces - 1), std::memory_order_relaxed);
  for (std::int64_t piece = 1; piece < pieces; ++piece) {
    Worker& worker = *workers_[static_cast<std::size_t>(piece - 1)];
    worker.kernel = kernel;
    worker.buffers = buffers;
    worker.begin = begin_of(piece);
    worker.end = begin_of(piece + 1);
    worker.ticket.fetch_add(1);
    worker.ticket.notify_one();
  }
  kernel(buffers, 0, begin_of(1), scratch);
  for (std::uint32_t left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire))
    wait_for_change(running_, left);
}

void ThreadPool::grow_scratch(std::size_t bytes) {
  if (scratch_ && bytes <= scratch_bytes_) return;
  auto own = allocate_zeroed(bytes);
  std::vector<std::shared_ptr<std::byte>> others;
  for (std::size_t i = 0; i < workers_.size(); ++i) others.push_back(allocate_zeroed(bytes));
  // Nothing throws from here on: all have the new size or none.
  scratch_ = std::move(own);
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->scratch = std::move(others[i]);
  scratch_bytes_ = bytes;
}

Execution::Execution(ThreadPool& pool, std::size_t scratch_bytes) {
  context_.parallel_for = &Execution::parallel_for;
  if (!pool.busy_.exchange(true, std::memory_order_acquire)) {
    try {
      pool.grow_scratch(scratch_bytes);
    } catch (...) {
      pool.busy_.store(false, std::memory_order_release);
      throw;
    }
    context_.pool = &pool;
    context_.scratch = pool.scratch_.get();
  } else {
    own_scratch_ = allocate_zeroed(scratch_bytes);
    context_.scratch = own_scratch_.get();
  }
}

Execution::~Execution() {
  if (context_.pool) context_.pool->busy_.store(false, std::memory_order_release);
}

void Execution::parallel_for(ExecutionContext* context, KernelFunction kernel, void* const* buffers,
                             std::int64_t count) {
  auto& own = *static_cast<Context*>(context);
  if (own.pool) {
    own.pool->parallel_for(kernel, buffers, count, own.scratch);
  } else if (count > 0) {
    kernel(buffers, 0, count, own.scratch);
  }
}

}  // namespace pullback::runtime
