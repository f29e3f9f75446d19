// The command-line tool as its users meet it: output, messages, exit codes. It lies beside this test's binary.
#include <catch2/catch.hpp>

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

namespace fs = std::filesystem;

struct Ran {
  int code = -1;
  std::string out, err;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A folder with the test's input, in which the tool's output lands too.
class Tool {
 public:
  Tool() {
    std::string pattern = (fs::temp_directory_path() / "pullback_tool_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    folder_ = pattern;
  }
  ~Tool() { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  /// `out`: where standard output goes.
  Ran run(const std::string& arguments) const { return run(arguments, (folder_ / "out").string()); }
  Ran run(const std::string& arguments, const std::string& out) const {
    const fs::path binary = fs::read_symlink("/proc/self/exe").parent_path() / "pullback";
    const std::string err = (folder_ / "err").string();
    const int status = std::system((binary.string() + " " + arguments + " >" + out + " 2>" + err).c_str());
    CHECK(WIFEXITED(status));  // no crash
    return {WEXITSTATUS(status), fs::is_regular_file(out) ? contents(out) : "", contents(err)};
  }

 private:
  fs::path folder_;
};

const char* const square = R"(func @square(%x: f32[n], state %w: f32[n]) {
  %p: f32[n] = mul(%x, %w)                                              loc("model.cpp":3)
  %q: f32[n] = mul(%p, %p)                                              loc("model.cpp":4)
  %loss: f32[] = reduce_sum(%q) {axes = [0]}                            loc("model.cpp":5)
  return loss = %loss
}
)";

}  // namespace

TEST_CASE("check accepts what is right and names line and column of what is not") {
  const Tool tool;
  const Ran right = tool.run("check " + tool.write("square.ir", square));
  CHECK(right.code == 0);
  CHECK(right.out == "stage tensor: @square is well-formed: 2 arguments, 3 ops, 1 results\n");
  const std::string wrong_file = tool.write("wrong.ir", "func @f(%x: f32[2]) {\n  return %y\n}\n");
  const Ran wrong = tool.run("check " + wrong_file);
  CHECK(wrong.code == 1);
  CHECK(wrong.err == "pullback: error: " + wrong_file + ":2:10: %y is not defined\n");
  CHECK(tool.run("check - <" + wrong_file).err == "pullback: error: <stdin>:2:10: %y is not defined\n");
  CHECK_THAT(tool.run("check nowhere.ir").err, Contains("nowhere.ir: cannot open the file: No such file or directory"));
  CHECK_THAT(tool.run("check " + tool.write("empty.ir", "")).err, Contains("there is no function in it"));
}

TEST_CASE("what can't be read or written is no bug of the tool") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  const Ran folder = tool.run("check /");
  CHECK(folder.code == 1);
  CHECK(folder.err == "pullback: error: /: cannot read the file: Is a directory\n");
  CHECK(tool.run("check - </").err == "pullback: error: <stdin>: cannot be read: Is a directory\n");
  CHECK_THAT(tool.run("check " + tool.write("empty.ir", "")).err, Contains("empty.ir: there is no function in it"));
  CHECK_THAT(tool.run("check " + tool.write("binary.ir", std::string("\x7f"
                                                                     "ELF\0\1",
                                                                     6)))
                 .err,
             Contains("binary.ir:1:1: expected 'func' or 'resource'"));
  const std::string deep = "func @f(%x: f32[" + std::string(100000, '(') + "]) { return %x }";
  CHECK(tool.run("check " + tool.write("deep.ir", deep)).err.size() < 300);
  for (const std::string& command : {"check " + file, "opt " + file, std::string("ops --markdown")}) {
    const Ran full = tool.run(command, "/dev/full");
    CHECK(full.code == 1);
    CHECK_THAT(full.err, Contains("No space left on device"));
  }
  const Ran large = tool.run("run " + file + " --bind n=1000000000000");
  CHECK(large.code == 1);
  CHECK_THAT(large.err, Contains("out of memory"));
}

TEST_CASE("a code generator that cannot be opened is an error of the program that needs it") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  setenv("PULLBACK_CODEGEN", "/no/such/library.so", 1);
  setenv("PULLBACK_CACHE", "0", 1);
  const Ran checked = tool.run("check " + file), ran = tool.run("run " + file + " --bind n=4");
  unsetenv("PULLBACK_CODEGEN");
  unsetenv("PULLBACK_CACHE");
  CHECK(checked.code == 0);
  CHECK(ran.code == 1);
  CHECK_THAT(ran.err, Contains("the code generator cannot be loaded") && Contains("/no/such/library.so"));
}

TEST_CASE("sizes are bound once, by the names that there are") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  CHECK_THAT(tool.run("run " + file + " --bind m=2,n=2").err,
             Contains("--bind m=2: @square has no size m: there are n"));
  CHECK_THAT(tool.run("opt " + file + " --bind n=2 --bind n=3").err, Contains("--bind n=3: n is given twice"));
  CHECK_THAT(tool.run("opt --bind n=4 " + file).out, Contains("%x: f32[4]"));
}

TEST_CASE("wrong command lines exit with 2") {
  const Tool tool;
  CHECK(tool.run("").code == 2);
  CHECK(tool.run("compile").code == 2);
  CHECK_THAT(tool.run("compile").err, Contains("compile (the commands are check, grad, opt, run, ops)"));
  CHECK(tool.run("run x.ir --limit -5").code == 2);
  CHECK(tool.run("run x.ir --seed -1").code == 2);
  CHECK(tool.run("check").code == 2);
  CHECK(tool.run("opt").code == 2);
  CHECK(tool.run("run x.ir --threads 0").code == 2);
  CHECK(tool.run("--help").code == 0);
  CHECK_THAT(tool.run("--help").out, Contains("grad") && Contains("opt") && Contains("run"));
}

TEST_CASE("grad prints a gradient that can be read again") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  const Ran ran = tool.run("grad " + file);
  CHECK(ran.code == 0);
  CHECK_THAT(ran.out, StartsWith("// stage grad\n") && Contains("d.w = %"));
  CHECK(tool.run("check " + tool.write("grad.ir", ran.out)).code == 0);
  CHECK_THAT(tool.run("grad " + file + " --wrt x,w").out, Contains("d.x = %") && Contains("d.w = %"));
  CHECK_THAT(tool.run("grad --no-locations " + file).out, !Contains("loc("));
  const Ran unknown = tool.run("grad " + file + " --wrt v");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err, Contains("v"));
  CHECK(tool.run("grad " + file + " --loss accuracy").code == 1);
}

TEST_CASE("functions are chosen by name") {
  const Tool tool;
  const std::string file =
      tool.write("two.ir", "func @f(%x: f32[]) { return loss = %x }\nfunc @g(%x: f32[]) { return loss = %x }\n");
  CHECK_THAT(tool.run("grad " + file).err, Contains("choose with --function: @f, @g"));
  CHECK(tool.run("grad " + file + " --function g").code == 0);
  CHECK_THAT(tool.run("grad " + file + " -f h").err, Contains("there is no function @h: there are @f, @g"));
}

TEST_CASE("opt runs the passes that are asked for") {
  const Tool tool;
  const std::string file = tool.write("f.ir", R"(func @f(%x: f32[n]) {
  %a: f32[n] = exp(%x)
  %b: f32[n] = exp(%x)
  %unused: f32[n] = tanh(%x)
  %c: f32[n] = add(%a, %b)
  return c = %c
}
)");
  const Ran ran = tool.run("opt " + file + " --passes dce,cse,cse");
  CHECK(ran.code == 0);
  CHECK(ran.out == R"(// stage opt: dce, cse, cse (unchanged)
func @f(%x: f32[n]) {
  %a: f32[n] = exp(%x)
  %c: f32[n] = add(%a, %a)
  return c = %c
}
)");
  CHECK_THAT(tool.run("opt " + file + " --bind n=4").out, Contains("%x: f32[4]"));
  CHECK_THAT(tool.run("opt " + file + " --bind n").err, Contains("--bind n: expected a symbol and its size"));
  CHECK_THAT(tool.run("opt " + file + " --passes magic").err, Contains("there is no pass 'magic'") && Contains("dce"));
  CHECK_THAT(tool.run("opt --list").out, Contains("simplify"));
}

TEST_CASE("run executes on given numbers, compiled and evaluated alike") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  const std::string inputs = " --bind n=3 --input w=2 --input x=" + tool.write("x.csv", "1,2,3\n");
  const Ran compiled = tool.run("run " + file + inputs);
  CHECK(compiled.err == "");
  CHECK(compiled.code == 0);
  CHECK(compiled.out == "// stage run: @square compiled for host\nloss: f32[] = 56.0\n");
  CHECK_THAT(tool.run("run " + file + inputs + " --evaluate").out, Contains("loss: f32[] = 56.0\n"));
  CHECK_THAT(tool.run("run " + file + inputs + " --target v2").out, Contains("loss: f32[] = 56.0\n"));
}

TEST_CASE("run prints the states that a function replaces") {
  const Tool tool;
  const std::string file = tool.write("count.ir", R"(func @count(state %n: i64[], state %kept: f32[2]) {
  %one: i64[] = constant() {value = dense<i64[]: 1>}
  %next: i64[] = add(%n, %one)
  return before = %n, state n = %next
}
)");
  CHECK(tool.run("run " + file + " --input n=41").out ==
        "// stage run: @count compiled for host\nstate n: i64[] = 42\nbefore: i64[] = 41\n");
  CHECK_THAT(tool.run("run " + file + " --input n=41 --evaluate").out,
             Contains("state n: i64[] = 42\nbefore: i64[] = 41\n"));
}

TEST_CASE("run draws what is not given, the same for the same seed") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  const std::string first = tool.run("run " + file + " --bind n=5 --evaluate").out;
  CHECK(first == tool.run("run " + file + " --bind n=5 --evaluate").out);
  CHECK(first != tool.run("run " + file + " --bind n=5 --evaluate --seed 1").out);
}

TEST_CASE("run dumps stages and says what it lacks") {
  const Tool tool;
  const std::string file = tool.write("square.ir", square);
  CHECK_THAT(tool.run("run " + file + " --bind n=3 --dump tensor,kernel").err,
             Contains("=== tensor: square ===") && Contains("=== kernel: square ==="));
  CHECK_THAT(tool.run("run " + file + " --bind n=3 --dump machine").err, Contains("unknown stage 'machine'"));
  CHECK_THAT(tool.run("run " + file).err, Contains("the size n is not known: give it with --bind n=4"));
  CHECK_THAT(tool.run("run " + file + " --bind n=3 --input y=1").err, Contains("@square has no argument y"));
  CHECK_THAT(tool.run("run " + file + " --bind n=3 --input x=one").err, Contains("'one' is neither a .csv file"));
  CHECK_THAT(tool.run("run " + file + " --bind n=3 --input x=" + tool.write("x.csv", "1,2\n")).err,
             Contains("the file has 2 numbers, the argument 3 elements"));
  CHECK(tool.run("run " + file + " --bind n=3 --target z80").code == 1);
}

TEST_CASE("the ops in docs/ir.md are those of the registry") {
  const Tool tool;
  const std::string page = contents("docs/ir.md");
  const std::string begin = "<!-- pullback ops --markdown -->\n\n", end = "<!-- end of ops -->";
  const std::size_t first = page.find(begin), last = page.find(end);
  REQUIRE(first != std::string::npos);
  REQUIRE(last != std::string::npos);
  INFO("regenerate with sh docs/update.sh");
  CHECK(page.substr(first + begin.size(), last - first - begin.size()) == tool.run("ops --markdown").out);
}
