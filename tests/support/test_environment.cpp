// The compiler's environment variables, stage names and dump files.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <pullback/error.h>

#include "compiler/support/dump.h"
#include "compiler/support/environment.h"

using namespace pullback;
using Catch::Matchers::Contains;

namespace {

const char* const variables[] = {"PULLBACK_DUMP",    "PULLBACK_DUMP_DIR",  "PULLBACK_VERIFY",    "PULLBACK_TIME",
                                 "PULLBACK_CODEGEN", "PULLBACK_CACHE_DIR", "PULLBACK_CACHE_SIZE"};

// Sets variables for one test and clears them afterwards.
struct Variables {
  explicit Variables(std::initializer_list<std::pair<const char*, const char*>> values) {
    for (const char* name : variables) unsetenv(name);
    for (const auto& [name, value] : values) setenv(name, value, 1);
  }
  ~Variables() {
    for (const char* name : variables) unsetenv(name);
  }
};

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A folder that goes with its test.
struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pullback_dump_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    path = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("nothing is on by default") {
  const Variables none({});
  const Environment environment = read_environment();
  CHECK(environment.dump.empty());
  CHECK_FALSE(environment.verify);
  CHECK_FALSE(environment.time);
  CHECK_FALSE(DumpSink(environment).wants(Stage::kernel));
}

TEST_CASE("stages are chosen by name") {
  const Variables set({{"PULLBACK_DUMP", "grad,asm"}, {"PULLBACK_VERIFY", "1"}, {"PULLBACK_TIME", "0"}});
  const Environment environment = read_environment();
  CHECK(environment.dump == std::set<Stage>{Stage::gradient, Stage::assembly});
  CHECK(environment.verify);
  CHECK_FALSE(environment.time);
  CHECK(parse_stages("all").size() == all_stages().size());
  for (const Stage stage : all_stages()) CHECK(stage_from_name(name_of(stage)) == stage);
}

TEST_CASE("a folder alone means all stages") {
  const Variables set({{"PULLBACK_DUMP_DIR", "somewhere"}});
  CHECK(read_environment().dump.size() == all_stages().size());
}

TEST_CASE("values that make no sense are errors") {
  {
    const Variables set({{"PULLBACK_DUMP", "grad,kernels"}});
    CHECK_THROWS_WITH(read_environment(),
                      "PULLBACK_DUMP: unknown stage 'kernels': the stages are tensor, grad, step, "
                      "opt, schedule, kernel, llvm, asm, or all");
  }
  const Variables set({{"PULLBACK_VERIFY", "yes"}});
  CHECK_THROWS_WITH(read_environment(), "PULLBACK_VERIFY: 'yes' is neither 0 nor 1");
}

TEST_CASE("dumps become files, one for each stage, program and version") {
  const TemporaryFolder folder;
  const DumpSink sink({Stage::optimized, Stage::llvm}, (folder.path / "sub").string());
  sink.write(Stage::optimized, "mlp.step", "first\n");
  sink.write(Stage::optimized, "mlp.step", "second\n");
  sink.write(Stage::llvm, "a/b c", "code\n");
  sink.write(Stage::kernel, "mlp.step", "not asked for\n");
  CHECK(contents(folder.path / "sub/mlp.step.opt.ir") == "first\n");
  CHECK(contents(folder.path / "sub/mlp.step.opt.2.ir") == "second\n");
  CHECK(contents(folder.path / "sub/a_b_c.llvm.ll") == "code\n");
  const std::filesystem::directory_iterator begin(folder.path / "sub");
  CHECK(std::distance(begin, {}) == 3);
}

TEST_CASE("a folder that cannot be made is an error") {
  const TemporaryFolder folder;
  std::ofstream(folder.path / "file") << "x";
  const DumpSink sink({Stage::step}, (folder.path / "file").string());
  CHECK_THROWS_WITH(sink.write(Stage::step, "mlp", "text"), Contains("dump: cannot write"));
}

TEST_CASE("the timer reports stages in order") {
  StageTimer timer;
  CHECK(timer.measure("opt", [] { return 7; }) == 7);
  timer.measure("lower", [] {});
  REQUIRE(timer.times().size() == 2);
  CHECK(timer.times()[0].stage == "opt");
  CHECK_THAT(timer.report("mlp"), Contains("time mlp: opt") && Contains("time mlp: sum"));
}
