#include "runtime/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
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

void prefetch(const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#endif
}

// Does it come true soon? The next kernel of a step follows within microseconds, so a thread spins for a while before
// it lets the system put it to sleep.
template <typename Condition>
bool comes_soon(const Condition& condition) {
  constexpr auto patience = std::chrono::microseconds(50);
  const auto give_up = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 32; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  return false;
}

// A job's chunks are counted in 16 bits.
constexpr int kMostThreads = 4096;
constexpr std::int64_t kChunksOfThread = 4;

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < std::min(threads, kMostThreads); ++i) {
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

namespace {

constexpr std::uint64_t chunks_of(std::uint32_t job, std::uint64_t first, std::uint64_t end) {
  return std::uint64_t{job} << 32 | first << 16 | end;
}

/// Where piece `i` of `pieces` about equal ones of 0..count begins. The larger ones are spread evenly, so that threads
/// with neighbouring pieces have equal shares, too.
std::int64_t begin_of(std::int64_t i, std::int64_t pieces, std::int64_t count) {
  return i * (count / pieces) + i * (count % pieces) / pieces;
}

}  // namespace

void ThreadPool::Chunks::deal(std::uint32_t job, std::uint32_t first, std::uint32_t end) {
  left_.store(chunks_of(job, first, end), std::memory_order_release);
}

std::int64_t ThreadPool::Chunks::take(std::uint32_t job, bool from_front) {
  constexpr std::uint64_t kChunk = 0xffff;
  std::uint64_t now = left_.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t first = now >> 16 & kChunk, end = now & kChunk;
    if (now >> 32 != job || first >= end) return -1;
    const std::uint64_t next = from_front ? chunks_of(job, first + 1, end) : chunks_of(job, first, end - 1);
    if (left_.compare_exchange_weak(now, next, std::memory_order_acquire, std::memory_order_relaxed))
      return static_cast<std::int64_t>(from_front ? first : end - 1);
  }
}

void ThreadPool::work(Worker& worker, std::size_t position) {
  const FloatEnvironment float_environment;
  Job job;
  const auto has_work = [&] { return worker.ticket.load(std::memory_order_acquire) != job.number; };
  for (;;) {
    if (!comes_soon(has_work)) {
      worker.sleeps = true;
      while (!has_work()) worker.ticket.wait(job.number);
      worker.sleeps = false;
    }
    // The caller may be at a later job already, and these a mixture of two: then all chunks of the one with this
    // number have been taken.
    job.number = worker.ticket.load(std::memory_order_acquire);
    job.chunks = worker.chunk_count.load(std::memory_order_relaxed);
    job.kernel = worker.kernel.load(std::memory_order_relaxed);
    job.buffers = worker.buffers.load(std::memory_order_relaxed);
    job.count = worker.count.load(std::memory_order_relaxed);
    prefetch(job.buffers);
    if (worker.ends) return;
    std::uint64_t done = chunks_of(job.number, 0, 0);
    run_chunks(job, position, worker.scratch.get(), [&] {
      worker.done.store(++done);
      if (caller_sleeps_.load() == 0) return;
      caller_sleeps_.store(0);
      caller_sleeps_.notify_one();
    });
  }
}

// A thread's own chunks first, the same in every step, whose data its caches may still hold; then what others have not
// begun.
template <typename Done>
void ThreadPool::run_chunks(const Job& job, std::size_t position, void* scratch, const Done& done) {
  const std::size_t threads = workers_.size() + 1;
  for (std::size_t i = 0; i < threads; ++i) {
    const std::size_t owner = (position + i) % threads;
    Chunks& chunks = owner == 0 ? chunks_ : workers_[owner - 1]->chunks;
    for (std::int64_t chunk = chunks.take(job.number, i == 0); chunk >= 0; chunk = chunks.take(job.number, i == 0)) {
      job.kernel(job.buffers, begin_of(chunk, job.chunks, job.count), begin_of(chunk + 1, job.chunks, job.count),
                 scratch);
      done();
    }
  }
}

void ThreadPool::parallel_for(KernelFunction kernel, void* const* buffers, std::int64_t count, void* scratch) {
  const std::int64_t used = std::min<std::int64_t>(threads(), count);
  const auto chunks = static_cast<std::uint32_t>(std::min(count, threads() * kChunksOfThread));
  if (++last_job_ == 0) ++last_job_;
  const Job job{last_job_, chunks, kernel, buffers, count};
  const auto workers = std::span(workers_).first(static_cast<std::size_t>(used - 1));
  hand_out(job, workers);
  // The first chunk is the caller's without asking. Asking would wait until the workers' lines have been written, which
  // the processor does beside it.
  kernel(buffers, 0, begin_of(1, chunks, count), scratch);
  std::uint32_t own = 1;
  // A worker may have gone to sleep without seeing its ticket, and unseen: the fence parts what is written from what is
  // read, as its own does.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  wake(workers);
  run_chunks(job, 0, scratch, [&] { ++own; });
  wait_for(job, workers, chunks - own);
}

void ThreadPool::hand_out(const Job& job, Workers workers) {
  const auto threads = static_cast<std::int64_t>(workers.size()) + 1;
  const auto begin = [&](std::int64_t thread) {
    return static_cast<std::uint32_t>(begin_of(thread, threads, job.chunks));
  };
  chunks_.deal(job.number, 1, begin(1));
  std::int64_t thread = 1;
  for (const auto& worker : workers) {
    worker->chunk_count.store(job.chunks, std::memory_order_relaxed);
    worker->kernel.store(job.kernel, std::memory_order_relaxed);
    worker->buffers.store(job.buffers, std::memory_order_relaxed);
    worker->count.store(job.count, std::memory_order_relaxed);
    worker->chunks.deal(job.number, begin(thread), begin(thread + 1));
    worker->ticket.store(job.number, std::memory_order_release);
    ++thread;
  }
  wake(workers);
}

void ThreadPool::wake(Workers workers) {
  for (const auto& worker : workers)
    if (worker->sleeps.load()) worker->ticket.notify_one();
}

void ThreadPool::wait_for(const Job& job, Workers workers, std::uint32_t chunks) {
  const auto is_done = [&] {
    std::uint64_t done = 0;
    for (const auto& worker : workers) {
      const std::uint64_t now = worker->done.load();
      if (now >> 32 == job.number) done += now & 0xffffffff;
    }
    return done == chunks;
  };
  if (comes_soon(is_done)) return;
  for (;;) {
    caller_sleeps_.store(1);
    if (is_done()) break;
    caller_sleeps_.wait(1);
  }
  caller_sleeps_.store(0);
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
