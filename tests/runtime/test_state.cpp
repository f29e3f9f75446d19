// State and its checkpoint files.
#include <pullback/error.h>
#include <pullback/state.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "runtime/bytes.h"
#include "tests/runtime/temporary_folder.h"

using namespace pullback;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

State sample_state() {
  State state;
  state.add("fc1.w", StateKind::parameter, Array::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}));
  state.add("fc1.w.m", StateKind::slot, Array::from(std::vector<double>{0.5, -0.0}, {2}));
  state.add("empty", StateKind::statistic, Array(f32, {0, 4}));
  state.add("step", StateKind::counter, Array::scalar(std::int64_t{17}));
  return state;
}

bool same_values(const State& a, const State& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto& x = a.entries()[i];
    const auto& y = b.entries()[i];
    if (x.name != y.name || x.kind != y.kind || x.value.type_string() != y.value.type_string()) return false;
    if (std::memcmp(x.value.raw(), y.value.raw(), x.value.bytes()) != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("state: get, set and their errors", "[state]") {
  State state = sample_state();
  void* storage = state.get("fc1.w").raw();
  state.set("fc1.w", Array::from(std::vector<float>{6, 5, 4, 3, 2, 1}, {2, 3}));
  CHECK(state.get("fc1.w").values<float>()[0] == 6.0f);
  CHECK(state.get("fc1.w").raw() == storage);
  CHECK_THROWS_WITH(state.get("fc1.v"), Contains("state: there is no 'fc1.v'; similar: fc1.w (test_state.cpp:"));
  CHECK_THROWS_WITH(state.get("zzzzzzz"), Contains("there is no 'zzzzzzz'; there are: fc1.w, fc1.w.m, empty, step"));
  CHECK_THROWS_WITH(state.set("fc1.w", Array(f32, {3, 2})),
                    Contains("state: 'fc1.w' is f32[2,3], the new value is f32[3,2] (test_state.cpp:"));
  Array gone = Array::scalar(std::int64_t{1});
  const Array kept = std::move(gone);
  CHECK_THROWS_WITH(state.set("step", gone), Contains("'step' is i64[], the new value is i64[]"));
  CHECK_THROWS_WITH(state.set("step", Array(i32, {})), Contains("'step' is i64[], the new value is i32[]"));
  CHECK_THROWS_WITH(state.add("step", StateKind::counter, Array(i64, {})), "state: there is already a 'step'");
}

TEST_CASE("state: clones are apart, copies go back in", "[state]") {
  State state = sample_state();
  const State copy = state.clone();
  state.get("fc1.w").values<float>()[0] = 100;
  CHECK(!same_values(state, copy));
  state.copy_from(copy);
  CHECK(same_values(state, copy));
  State other;
  other.add("step", StateKind::counter, Array::scalar(std::int64_t{1}));
  CHECK_THROWS_WITH(state.copy_from(other), Contains("missing: fc1.w, fc1.w.m, empty (test_state.cpp:"));
}

TEST_CASE("checkpoint: what is saved is read", "[checkpoint]") {
  const TemporaryFolder folder;
  const State state = sample_state();
  const std::string path = folder.file("a.ckpt");
  state.save(path);
  state.save(path);  // replaces
  CHECK(same_values(State::read(path), state));
  State other = sample_state();
  other.get("step").values<std::int64_t>()[0] = 0;
  other.load(path);
  CHECK(same_values(other, state));
  CHECK(folder.count() == 1);
}

TEST_CASE("checkpoint: every damaged byte and every cut is noticed", "[checkpoint]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.ckpt");
  sample_state().save(path);
  const std::string good = read_text(path);
  State state = sample_state();
  state.get("step").values<std::int64_t>()[0] = -1;
  const State before = state.clone();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    write_text(path, bad);
    CHECK_THROWS_AS(state.load(path), Error);
    write_text(path, good.substr(0, i));
    CHECK_THROWS_AS(state.load(path), Error);
  }
  write_text(path, good + "x");
  CHECK_THROWS_WITH(state.load(path), Contains("bytes after its end"));
  CHECK(same_values(state, before));
}

TEST_CASE("checkpoint: a table that lies about sizes allocates nothing", "[checkpoint]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.ckpt");
  State state;
  state.add("w", StateKind::parameter, Array(f32, {3}));
  state.save(path);
  const std::string good = read_text(path);
  constexpr std::size_t preamble = 16;
  std::uint32_t table = 0;
  std::memcpy(&table, good.data() + 12, sizeof table);
  const std::size_t dim = good.find(std::string("f32\x01\0\0\0", 7)) + 7;
  for (const std::int64_t lie : {std::int64_t{1} << 40, std::int64_t{-3}, std::numeric_limits<std::int64_t>::max()}) {
    std::string bad = good;
    std::memcpy(bad.data() + dim, &lie, sizeof lie);
    const std::uint32_t crc = runtime::crc_of(std::as_bytes(std::span(bad)).first(preamble + table));
    std::memcpy(bad.data() + preamble + table, &crc, sizeof crc);
    write_text(path, bad);
    CHECK_THROWS_WITH(state.load(path), Contains(fmt::format("a.ckpt: the file is damaged: 'w' is f32[{}]", lie)));
  }
}

TEST_CASE("checkpoint: foreign, newer, missing and unfitting files", "[checkpoint]") {
  const TemporaryFolder folder;
  State state = sample_state();
  const std::string path = folder.file("a.ckpt");
  write_text(path, "");
  CHECK_THROWS_WITH(state.load(path), Contains("a.ckpt: the file is empty"));
  write_text(path, "#!/bin/sh\necho hello\n");
  CHECK_THROWS_WITH(state.load(path), Contains("not a checkpoint of Pullback"));
  state.save(path);
  std::string newer = read_text(path);
  newer[8] = 2;
  write_text(path, newer);
  CHECK_THROWS_WITH(state.load(path), Contains("written by a newer Pullback: format 2, this one reads up to 1"));
  CHECK_THROWS_WITH(state.load(folder.file("none.ckpt")), Contains("cannot open the file: No such file"));
  CHECK_THROWS_WITH(state.load(folder.path()), Contains("cannot read the file: Is a directory"));

  State smaller;
  smaller.add("fc1.w", StateKind::parameter, Array(f32, {2, 4}));
  smaller.add("other", StateKind::parameter, Array(f32, {1}));
  smaller.save(path);
  CHECK_THROWS_WITH(state.load(path), Contains("'fc1.w' is f32[2,4], expected f32[2,3]"));
  State renamed;
  renamed.add("other", StateKind::parameter, Array(f32, {1}));
  renamed.save(path);
  CHECK_THROWS_WITH(state.load(path), Contains("missing: fc1.w, fc1.w.m, empty, step; unknown: other"));
}

TEST_CASE("checkpoint: a failed write leaves the old file and nothing else", "[checkpoint]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.ckpt");
  State state = sample_state();
  state.save(path);
  const std::string good = read_text(path);

  CHECK_THROWS_WITH(state.save(folder.file("no/such/a.ckpt")), Contains("cannot create the file: No such file"));
  CHECK_THROWS_WITH(state.save(folder.path()), Contains("it is a folder"));
  CHECK_THROWS_WITH(state.save("/dev/full"), Contains("/dev/full: cannot write: No space left on device"));

  State large;
  large.add("w", StateKind::parameter, Array(f32, {1 << 16}));
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 4096;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    large.save(path);
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK_THAT(message, Contains("a.ckpt: cannot write: File too large"));
  CHECK(read_text(path) == good);
  CHECK(folder.count() == 1);
}

TEST_CASE("checkpoint: a link's target is replaced, the link stays", "[checkpoint]") {
  const TemporaryFolder folder;
  write_text(folder.file("target"), "old");
  fs::create_symlink("target", folder.file("link"));
  sample_state().save(folder.file("link"));
  CHECK(fs::is_symlink(folder.file("link")));
  CHECK(same_values(State::read(folder.file("target")), sample_state()));
}
