// Compiled code on disk: found again, never trusted when damaged, bounded, and never in the way.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "compiler/driver/code_cache.h"
#include "tests/frontend/support.h"
#include "tests/runtime/temporary_folder.h"

namespace fs = std::filesystem;

namespace pullback::test {

namespace {

// The cache is off in tests; here it is on, in a folder of its own.
struct Cached {
  TemporaryFolder folder;
  explicit Cached(const char* mebibytes = "64") {
    setenv("PULLBACK_CACHE", "1", 1);
    setenv("PULLBACK_CACHE_DIR", folder.path().c_str(), 1);
    setenv("PULLBACK_CACHE_SIZE", mebibytes, 1);
  }
  ~Cached() {
    setenv("PULLBACK_CACHE", "0", 1);
    unsetenv("PULLBACK_CACHE_DIR");
    unsetenv("PULLBACK_CACHE_SIZE");
  }
  fs::path only_file() const {
    REQUIRE(folder.count() == 1);
    return fs::directory_iterator(folder.path())->path();
  }
};

struct Run {
  float result = 0;
  bool compiled = false;  // not found in the cache
};

// rem() makes the code call the runtime.
Run run(float scale = 3) {
  Graph g("cached");
  const Tensor x = g.input("x", f32, {5});
  Program program = g.compile({sum(exp(x % 0.75) * scale)});
  Array values(f32, {5});
  for (std::size_t i = 0; i < 5; ++i) values.values<float>()[i] = 0.3F * static_cast<float>(i);
  Run run;
  run.result = static_cast<float>(program.step({{x, values}})[0].item());
  for (const StageTime& time : program.compile_times()) run.compiled |= time.stage == "codegen";
  return run;
}

runtime::StoredProgram program_of(std::size_t bytes) {
  runtime::StoredProgram program;
  program.code.bytes.resize(bytes, std::byte{0xC3});
  return program;
}

}  // namespace

TEST_CASE("code is compiled once and found afterwards, with the same bits") {
  const Cached cached;
  const Run first = run(), second = run(), other = run(4);
  CHECK(first.compiled);
  CHECK_FALSE(second.compiled);
  CHECK(second.result == first.result);
  CHECK(other.compiled);
  CHECK(cached.folder.count() == 2);
}

TEST_CASE("a program whose code was found shows its forms and explains its checks as one that was compiled") {
  const Cached cached;
  const auto make = [] {
    Graph g("cached");
    const Tensor x = g.input("x", f32, {2});
    check(min(x) >= 0.0, "the least is {}", {min(x)});
    return g.compile({x * x});
  };
  const Array good = Array::from(std::vector<float>{1, 2}, {2}), bad = Array::from(std::vector<float>{1, -2}, {2});
  std::string forms[2], message[2];
  std::int64_t calls[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    Program program = make();
    CHECK(program.step({{"x", good}})[0].values<float>()[1] == 4.0F);
    for (const StageTime& time : program.compile_times()) CHECK((i == 0 || time.stage == "cache"));
    for (const Stage stage : {Stage::optimized, Stage::schedule, Stage::kernel}) forms[i] += program.dump(stage);
    calls[i] = program.cost().kernel_calls;
    try {
      program.step({{"x", bad}});
    } catch (const Error& error) {
      message[i] = error.what();
    }
  }
  CHECK(forms[0] == forms[1]);
  CHECK(calls[0] == calls[1]);
  CHECK(message[0].find("the least is -2") == 0);
  CHECK(message[0] == message[1]);
}

TEST_CASE("options that change the code have code of their own") {
  const Cached cached;
  for (const DType precision : {f32, bf16})
    for (const int threads : {1, 2})
      for (const bool again : {false, true}) {
        Graph g("cached");
        const Tensor x = g.input("x", f32, {dim("n"), 4});
        Program program = g.compile({matmul(x, transpose(x))}, {.threads = threads, .precision = precision});
        for (const std::int64_t n : {2, 3}) {
          program.step({{x, Array(f32, {n, 4})}});
          CHECK(program.compile_times().front().stage == "cache");
          CHECK((program.compile_times().size() == 1) == again);
        }
      }
  CHECK(cached.folder.count() == 8);
}

TEST_CASE("damaged code is compiled anew and replaced") {
  const Cached cached;
  const float expected = run().result;
  const fs::path file = cached.only_file();
  const std::string good = read_text(file);
  std::string flipped = good;
  flipped[flipped.size() / 2] ^= 1;
  for (const std::string& bad : {std::string(), good.substr(0, 20), good.substr(0, good.size() - 1), flipped}) {
    write_text(file, bad);
    const Run again = run();
    CHECK(again.compiled);
    CHECK(again.result == expected);
    CHECK(read_text(file) == good);
  }
}

TEST_CASE("a folder that cannot be used is no error") {
  const Cached cached;
  write_text(cached.folder.file("occupied"), "");
  setenv("PULLBACK_CACHE_DIR", cached.folder.file("occupied").c_str(), 1);
  CHECK(run().compiled);
  CHECK(run().compiled);
  setenv("PULLBACK_CACHE", "0", 1);
  setenv("PULLBACK_CACHE_DIR", cached.folder.file("unused").c_str(), 1);
  CHECK(run().compiled);
  CHECK_FALSE(fs::exists(cached.folder.file("unused")));
}

TEST_CASE("what was not used for longest makes room") {
  const TemporaryFolder folder;
  const driver::CodeCache cache(folder.path(), 2500);
  cache.keep("a", program_of(1000));
  cache.keep("b", program_of(1000));
  for (const auto& entry : fs::directory_iterator(folder.path()))  // both were used long ago, then "a" again
    fs::last_write_time(entry, fs::file_time_type::clock::now() - std::chrono::hours(1));
  CHECK(cache.find("a"));
  cache.keep("c", program_of(1000));
  CHECK(cache.find("a"));
  CHECK_FALSE(cache.find("b"));
  CHECK(cache.find("c"));
  cache.keep("d", program_of(5000));  // larger than all there may be
  CHECK_FALSE(cache.find("d"));
  CHECK(cache.find("c"));
}

TEST_CASE("many may read and write at once") {
  const TemporaryFolder folder;
  const driver::CodeCache cache(folder.path(), 1 << 20);
  std::vector<std::future<bool>> users;
  for (std::size_t user = 0; user < 4; ++user)
    users.push_back(std::async(std::launch::async, [&] {
      bool whole = true;
      for (std::size_t i = 0; i < 50; ++i) {
        cache.keep(std::to_string(i % 5), program_of(1000 + i % 5));
        const auto found = cache.find(std::to_string(i % 5));
        whole &= found && found->code.bytes.size() == 1000 + i % 5;
      }
      return whole;
    }));
  for (auto& user : users) CHECK(user.get());
  CHECK(folder.count() == 5);
}

TEST_CASE("what killed processes left is removed once it is old") {
  const TemporaryFolder folder;
  const driver::CodeCache cache(folder.path(), 1 << 20);
  const fs::path old = folder.file("a.code.1-0.tmp"), fresh = folder.file("b.code.2-0.tmp");
  for (const fs::path& path : {old, fresh}) write_text(path, "half");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  cache.keep("a", program_of(10));
  CHECK_FALSE(fs::exists(old));
  CHECK(fs::exists(fresh));
}

TEST_CASE("a folder that others may write to is not used") {
  const TemporaryFolder folder;
  const driver::CodeCache cache(folder.path(), 1 << 20);
  cache.keep("a", program_of(10));
  REQUIRE(cache.find("a"));
  fs::permissions(folder.path(), fs::perms::group_write, fs::perm_options::add);
  CHECK_FALSE(cache.find("a"));
  cache.keep("b", program_of(10));
  fs::permissions(folder.path(), fs::perms::group_write, fs::perm_options::remove);
  CHECK(cache.find("a"));
  CHECK_FALSE(cache.find("b"));
}

TEST_CASE("code of another program under the same name is not used") {
  const TemporaryFolder folder;
  const driver::CodeCache cache(folder.path(), 1 << 20);
  cache.keep("one", program_of(10));
  const fs::path first = fs::directory_iterator(folder.path())->path();
  cache.keep("two", program_of(20));
  for (const auto& entry : fs::directory_iterator(folder.path()))
    if (entry.path() != first) fs::copy_file(first, entry.path(), fs::copy_options::overwrite_existing);
  CHECK(cache.find("one"));
  CHECK_FALSE(cache.find("two"));
}

TEST_CASE("an image that needs what the runtime lacks is refused") {
  runtime::CodeImage image = program_of(64).code;
  image.imports.push_back({"system", 8});
  CHECK_THROWS_WITH(runtime::load(image), Catch::Contains("unknown symbol system"));
  image.imports.front().offset = 60;  // the slot would lie across the end
  const auto bytes = runtime::serialize(image);
  CHECK_THROWS_WITH(runtime::parse_image("x.code", bytes), Catch::Contains("x.code: the file is damaged"));
}

}  // namespace pullback::test
