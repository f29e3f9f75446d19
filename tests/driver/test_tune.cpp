// Schedules that are measured: the same bits whatever is chosen; kept on disk, found again, never trusted when damaged.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "compiler/driver/compare_runs.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/schedule_cache.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/lower/lower.h"
#include "compiler/support/target.h"
#include "tests/lower/forced_schedules.h"
#include "tests/lower/lower_testing.h"
#include "tests/runtime/temporary_folder.h"

namespace fs = std::filesystem;

namespace pullback::test {

namespace {

using lower::ContractionProblem;
using lower::ContractionSchedule;

// The cache is off in tests; here it is on, in a folder of its own.
struct TunedFolder {
  TemporaryFolder folder;
  TunedFolder() {
    setenv("PULLBACK_CACHE", "1", 1);
    setenv("PULLBACK_CACHE_DIR", folder.path().c_str(), 1);
  }
  ~TunedFolder() {
    setenv("PULLBACK_CACHE", "0", 1);
    unsetenv("PULLBACK_CACHE_DIR");
    unsetenv("PULLBACK_TUNE");
  }
  std::vector<fs::path> entries(const std::string& kind = ".tune") const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.path().extension() == kind) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
};

driver::ScheduleCache schedule_cache(const std::string& folder, int threads) {
  return {driver::CacheFolder(folder, 1 << 20), Target::host(), threads};
}

struct TunedRun {
  std::shared_ptr<const driver::Specialization> program;
  std::vector<std::string> bits;  // of the results
  bool compiled = false;          // not found on disk
};

TunedRun run_tuned(const std::shared_ptr<const ir::Function>& function, const CompileOptions& options) {
  std::mt19937 random(1);
  std::vector<ir::Literal> memory = testing::random_arguments(*function, random);
  TunedRun run{driver::compile(function, {}, options), {}, false};
  for (std::size_t i = memory.size(); i < run.program->slots.size(); ++i)
    memory.emplace_back(run.program->slots[i].dtype, run.program->slots[i].dims);
  std::vector<void*> slots;
  for (ir::Literal& literal : memory) slots.push_back(literal.bytes.data());
  run.program->run(slots);
  for (const ir::Literal& literal : memory)
    run.bits.emplace_back(reinterpret_cast<const char*>(literal.bytes.data()), literal.bytes.size());
  for (const StageTime& time : run.program->times) run.compiled |= time.stage == "lower";
  return run;
}

std::vector<ContractionProblem> problems_of(const ir::Function& optimized, int threads) {
  std::vector<ContractionProblem> problems;
  const auto note = [&](const ContractionProblem& problem) -> std::optional<ContractionSchedule> {
    problems.push_back(problem);
    return std::nullopt;
  };
  lower::lower(optimized, Target::host(),
               {.threads = threads == 1 ? lower::Threads::one : lower::Threads::where_worth, .schedules = note});
  return problems;
}

// Compiles with entries of other choices in the cache.
void check_choices(const std::string& text) {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(text);
  for (const int threads : {1, 2}) {
    const TunedRun expected = run_tuned(function, {.threads = threads});
    const auto problems = problems_of(*expected.program->forms().optimized(), threads);
    REQUIRE_FALSE(problems.empty());
    for (std::size_t choice = 0; choice < 12; ++choice) {
      const TunedFolder cached;
      driver::ScheduleCache cache = schedule_cache(cached.folder.path(), threads);
      std::string how;
      for (const ContractionProblem& problem : problems) {
        const auto all = testing::forced_schedules(problem);
        const ContractionSchedule& forced = all[choice * 997 % all.size()];
        cache.keep(problem, forced);
        how += lower::describe(problem) + ": " + lower::describe(forced) + "\n";
      }
      INFO(text << how);
      const TunedRun run = run_tuned(function, {.threads = threads, .tune = true});
      CHECK(run.bits == expected.bits);
      for (const auto& kernel : run.program->forms().module->kernels)
        CHECK(kernel->schedule.empty() == kernel->contraction.empty());
    }
  }
}

// Large enough to be worth a measurement.
const char* const kProduct = R"(func @f(%x: f32[90,100], %y: f32[100,80]) {
  %a: f32[90,80] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]}
  return a = %a
})";

}  // namespace

TEST_CASE("machine code of any schedule gives the same bits", "[tune]") {
  check_choices(R"(func @f(%x: f32[67,131], %y: f32[131,75], %b: f32[67,75]) {
    %a: f32[67,75] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]}
    %r: f32[67,75] = add(%a, %b)
    %t: f32[67,75] = tanh(%r)
    return a = %a, t = %t
  })");
  check_choices(R"(func @f(%u: f64[131,37], %y: f64[75,131]) {
    %x: f64[131,37] = exp(%u)
    %a: f64[37,75] = dot_general(%x, %y) {contract = [0]x[1], batch = []x[]}
    return a = %a
  })");
  check_choices(R"(func @f(%x: bf16[5,67,41], %y: bf16[5,41,50]) {
    %a: bf16[5,67,50] = dot_general(%x, %y) {contract = [2]x[1], batch = [0]x[0]}
    return a = %a
  })");
  check_choices(R"(func @f(%x: f32[300,210], %y: f32[300,190], state %w: f32[210,190]) {
    %a: f32[210,190] = dot_general(%x, %y) {contract = [0]x[0], batch = []x[]}
    %v: f32[210,190] = sub(%w, %a)
    return state w = %v
  })");
}

TEST_CASE("what was measured is kept, found again, and changes no bit", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const auto expected = run_tuned(function, {.threads = 1}).bits;
  const TunedFolder cached;
  const TunedRun first = run_tuned(function, {.threads = 1, .tune = true});
  CHECK(first.bits == expected);
  REQUIRE(cached.entries().size() == 1);
  const auto problems = problems_of(*first.program->forms().optimized(), 1);
  REQUIRE(problems.size() == 1);
  const auto kept = schedule_cache(cached.folder.path(), 1).find(problems[0]);
  REQUIRE(kept);
  CHECK(lower::is_valid(problems[0], *kept));
  CHECK_FALSE(schedule_cache(cached.folder.path(), 2).find(problems[0]));  // other threads, another measurement
  // Whatever is known is not measured again: another choice stays.
  ContractionSchedule other = testing::forced_schedules(problems[0])[3];
  schedule_cache(cached.folder.path(), 1).keep(problems[0], other);
  for (const fs::path& code : cached.entries(".code")) fs::remove(code);
  setenv("PULLBACK_TUNE", "1", 1);
  const TunedRun second = run_tuned(function, {.threads = 1});
  CHECK(second.program->forms().module->kernels[0]->schedule == lower::describe(other));
  CHECK(second.bits == expected);
}

TEST_CASE("code that was tuned is never taken for code that was not", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const CompileOptions plain{.threads = 1}, tuned{.threads = 1, .tune = true};
  const auto problem = problems_of(*run_tuned(function, plain).program->forms().optimized(), 1)[0];
  const auto schedule_of = [](const TunedRun& run) { return run.program->forms().module->kernels[0]->schedule; };
  for (const bool tuned_first : {true, false}) {
    const TunedFolder cached;
    const ContractionSchedule forced = testing::forced_schedules(problem)[3];
    schedule_cache(cached.folder.path(), 1).keep(problem, forced);
    for (const bool again : {false, true})
      for (const bool is_tuned : {tuned_first, !tuned_first}) {
        const TunedRun run = run_tuned(function, is_tuned ? tuned : plain);
        CHECK(run.compiled != again);
        CHECK(schedule_of(run) == (is_tuned ? lower::describe(forced) : ""));
      }
  }
}

TEST_CASE("a damaged schedule is as good as none, and measured anew", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const TunedFolder cached;
  const auto expected = run_tuned(function, {.threads = 1}).bits;
  const auto problem = problems_of(*run_tuned(function, {.threads = 1}).program->forms().optimized(), 1)[0];
  schedule_cache(cached.folder.path(), 1).keep(problem, lower::choose_schedule(problem));
  REQUIRE(cached.entries().size() == 1);
  const fs::path file = cached.entries()[0];
  const std::string good = read_text(file);
  std::string flipped = good;
  flipped[flipped.size() - 12] ^= 1;
  for (const std::string& bad : {std::string(), good.substr(0, 20), good.substr(0, good.size() - 1), flipped}) {
    write_text(file, bad);
    CHECK_FALSE(schedule_cache(cached.folder.path(), 1).find(problem));
    const TunedRun run = run_tuned(function, {.threads = 1, .tune = true});
    CHECK(run.bits == expected);
    CHECK(schedule_cache(cached.folder.path(), 1).find(problem));
    for (const fs::path& code : cached.entries(".code")) fs::remove(code);
  }
}

TEST_CASE("a schedule that does not fit is not used", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const auto problem = problems_of(*run_tuned(function, {.threads = 1}).program->forms().optimized(), 1)[0];
  const TemporaryFolder folder;
  ContractionSchedule wrong = lower::choose_schedule(problem);
  wrong.tile = {20, 20};
  schedule_cache(folder.path(), 1).keep(problem, wrong);
  CHECK_FALSE(schedule_cache(folder.path(), 1).find(problem));
}

TEST_CASE("a folder that cannot be written keeps no schedule, and is no error", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const auto expected = run_tuned(function, {.threads = 1}).bits;
  const TunedFolder cached;
  write_text(cached.folder.file("occupied"), "");
  setenv("PULLBACK_CACHE_DIR", cached.folder.file("occupied").c_str(), 1);
  const TunedRun run = run_tuned(function, {.threads = 1, .tune = true});
  CHECK(run.bits == expected);
  CHECK(cached.entries().empty());
}

TEST_CASE("schedules make room for each other, as code does", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  ContractionProblem problem = problems_of(*run_tuned(function, {.threads = 1}).program->forms().optimized(), 1)[0];
  const TunedFolder cached;
  constexpr std::uint64_t kLimit = 4096;
  const auto cache = [&] {
    return driver::ScheduleCache(driver::CacheFolder(cached.folder.path(), kLimit), Target::host(), 1);
  };
  for (int i = 0; i < 40; ++i) {
    problem.loops.m.front().size = 90 + i;
    cache().keep(problem, lower::choose_schedule(problem));
  }
  CHECK(cache().find(problem));
  std::uint64_t bytes = 0;
  for (const fs::path& entry : cached.entries()) bytes += fs::file_size(entry);
  CHECK(bytes > kLimit / 2);
  CHECK(bytes <= kLimit);
}

TEST_CASE("many may tune at once", "[tune]") {
  const std::shared_ptr<const ir::Function> function = testing::parse_function(kProduct);
  const auto expected = run_tuned(function, {.threads = 1}).bits;
  const TunedFolder cached;
  std::vector<TunedRun> runs(3);
  std::vector<std::thread> threads;
  for (TunedRun& run : runs) threads.emplace_back([&] { run = run_tuned(function, {.threads = 1, .tune = true}); });
  for (std::thread& thread : threads) thread.join();
  for (const TunedRun& run : runs) CHECK(run.bits == expected);
  CHECK(cached.entries().size() == 1);
}

TEST_CASE("noise decides nothing, a clear gain does", "[tune]") {
  std::mt19937 random(1);
  const auto noisy = [&](std::vector<double> microseconds) {
    return driver::compare_runs(microseconds.size(), 0.01, [&, microseconds](std::size_t i, int) {
      return microseconds[i] * std::uniform_real_distribution<double>(0.97, 1.06)(random);
    });
  };
  CHECK(noisy({1000, 1000, 999, 1001}).fastest == 0);
  CHECK(noisy({1000, 1200, 800, 900}).fastest == 2);
  CHECK(noisy({1000}).fastest == 0);
  CHECK(noisy({1000, 1200}).medians[1] > 1150);
}

}  // namespace pullback::test
