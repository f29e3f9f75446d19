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

ThreadPool::ThreadPool(int threads) : chunks_(static_cast<std::size_t>(std::max(threads, 1))) {
  for (int i = 1; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    try {
      worker->thread = std::thread(&ThreadPool::work, this, std::ref(*worker), static_cast<std::size_t>(i));
    } catch (const std::system_error&) {
      break;  // fewer threads give the same results
    }
    workers_.push_back(std::move(worker));
  }
}

ThreadPool::~ThreadPool() {
  for (auto& worker : workers_) {
    worker->ends = true;
    worker->ticket.fetch_add(1);
    worker->ticket.notify_one();
  }
  for (auto& worker : workers_) worker->thread.join();
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool pool(thread_count());
  return pool;
}

void ThreadPool::work(Worker& worker, std::size_t position) {
  const FloatEnvironment float_environment;
  for (std::uint32_t seen = 0;;) {
    wait_for_change(worker.ticket, seen);
    seen = worker.ticket.load(std::memory_order_acquire);
    if (worker.ends) return;
    if (!enter()) continue;
    run_chunks(position, worker.scratch.get());
    if (gate_.fetch_sub(1) == (kClosed | 1)) gate_.notify_one();
  }
}

bool ThreadPool::enter() {
  std::uint32_t inside = gate_.load(std::memory_order_acquire);
  while ((inside & kClosed) == 0)
    if (gate_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire)) return true;
  return false;
}

namespace {

constexpr std::uint64_t kFirst = 0xffffffff;  // the low half

std::uint64_t pack(std::uint64_t first, std::uint64_t end) {
  return first | (end << 32);
}

/// Takes a chunk, or returns -1 when none is left.
std::int64_t take(std::atomic<std::uint64_t>& left, bool from_front) {
  std::uint64_t now = left.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t first = now & kFirst, end = now >> 32;
    if (first >= end) return -1;
    const std::uint64_t next = from_front ? pack(first + 1, end) : pack(first, end - 1);
    if (left.compare_exchange_weak(now, next, std::memory_order_relaxed))
      return static_cast<std::int64_t>(from_front ? first : end - 1);
  }
}

/// Where piece `i` of `pieces` about equal ones of 0..count begins. The larger ones are spread evenly, so that threads
/// with neighbouring pieces have equal shares, too.
std::int64_t begin_of(std::int64_t i, std::int64_t pieces, std::int64_t count) {
  return i * (count / pieces) + i * (count % pieces) / pieces;
}

}  // namespace

// A thread's own chunks first, the same in every step, whose data its caches may still hold; then what others have not
// begun.
void ThreadPool::run_chunks(std::size_t position, void* scratch) {
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    std::atomic<std::uint64_t>& left = chunks_[(position + i) % chunks_.size()].left;
    for (std::int64_t chunk = take(left, i == 0); chunk >= 0; chunk = take(left, i == 0))
      job_.kernel(job_.buffers, begin_of(chunk, job_.chunks, job_.count), begin_of(chunk + 1, job_.chunks, job_.count),
                  scratch);
  }
}

void ThreadPool::parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch) {
  constexpr std::int64_t kChunksOfThread = 4;
  const std::int64_t all = threads(), used = std::min(all, count);
  job_ = {kernel, buffers, count, std::min(count, all * kChunksOfThread)};
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(chunks_.size()); ++i) {
    const bool works = i < used;
    const auto first = works ? begin_of(i, used, job_.chunks) : 0, end = works ? begin_of(i + 1, used, job_.chunks) : 0;
    chunks_[static_cast<std::size_t>(i)].left.store(
        pack(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(end)), std::memory_order_relaxed);
  }
  gate_.store(0, std::memory_order_release);
  for (std::int64_t i = 1; i < used; ++i) {
    Worker& worker = *workers_[static_cast<std::size_t>(i - 1)];
    worker.ticket.fetch_add(1);
    worker.ticket.notify_one();
  }
  run_chunks(0, scratch);
  gate_.fetch_or(kClosed);
  for (std::uint32_t inside = gate_.load(std::memory_order_acquire); inside != kClosed;
       inside = gate_.load(std::memory_order_acquire))
    wait_for_change(gate_, inside);
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

Execution::Execution(ThreadPool& pool, std::size_t scratch_bytes, bool shares) {
  context_.parallel_for = &Execution::parallel_for;
  context_.shares = shares;
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
  const bool could_share = own.pool && own.pool->threads() > 1 && count > 1;
  own.could_share = own.could_share || could_share;
  if (could_share && own.shares) {
    own.pool->parallel_for(kernel, buffers, count, own.scratch);
  } else if (count > 0) {
    kernel(buffers, 0, count, own.scratch);
  }
}

}  // namespace pullback::runtime
