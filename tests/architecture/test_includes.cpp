// Includes point down the list in docs/architecture.md, "Who includes whom". Tests run in the repository's root.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What the files of a layer may include besides their own layer and the public headers (which all may include).
const std::map<std::string, Names> allowed{
    {"include", {}},
    {"runtime", {}},
    {"compiler/support", {}},
    {"compiler/ir", {"compiler/support"}},
    {"compiler/ops", {"compiler/ir", "compiler/support"}},
    {"compiler/frontend", {"compiler/ops", "compiler/ir", "compiler/support"}},
    {"compiler/autodiff", {"compiler/ops", "compiler/ir", "compiler/support"}},
    {"compiler/passes", {"compiler/ops", "compiler/ir", "compiler/support"}},
    {"compiler/lower", {"compiler/ops", "compiler/ir", "compiler/support"}},
    {"compiler/codegen", {"compiler/ops", "compiler/ir", "compiler/support"}},
    {"compiler/driver",
     {"compiler/codegen", "compiler/lower", "compiler/passes", "compiler/autodiff", "compiler/frontend", "compiler/ops",
      "compiler/ir", "compiler/support", "runtime"}},
    {"compiler/tool",
     {"compiler/driver", "compiler/codegen", "compiler/lower", "compiler/passes", "compiler/autodiff",
      "compiler/frontend", "compiler/ops", "compiler/ir", "compiler/support", "runtime"}},
};

// Single headers that look like exceptions, each with its reason.
struct Exception {
  std::string layer, header, reason;
};
const std::vector<Exception> exceptions{
    {"compiler/ir", "compiler/ops/op_def.h", "an op's name and traits, for printing and rewriting"},
    {"compiler/ir", "compiler/ops/infer_context.h", "building and verifying run the ops' shape rules"},
    {"compiler/ir", "compiler/ops/registry.h", "the parser finds ops by name"},
    {"compiler/frontend", "runtime/user_line.h", "an array too large for memory names the parameter's line"},
    {"compiler/codegen", "runtime/abi.h", "the C symbols that generated code may call"},
    {"compiler/codegen", "runtime/code_image.h", "more of them, and the form in which code is handed to the runtime"},
};

std::string layer_of(const std::string& path) {
  std::string best;
  for (const auto& [layer, uses] : allowed)
    if (path.starts_with(layer + "/")) best = layer;
  return best;
}

std::vector<std::string> includes_of(const fs::path& path) {
  static const std::regex include(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::ifstream file(path);
  std::vector<std::string> result;
  for (std::string line; std::getline(file, line);)
    if (std::smatch match; std::regex_search(line, match, include)) result.push_back(match[1]);
  return result;
}

bool is_exception(const std::string& path, const std::string& layer, const std::string& header) {
  for (const Exception& e : exceptions)
    // The tensor IR's headers know no op: only its implementation asks.
    if (e.layer == layer && e.header == header && (layer != "compiler/ir" || path.ends_with(".cpp"))) return true;
  return false;
}

// "" or what is wrong with the include.
std::string complaint(const std::string& path, const std::string& header) {
  const std::string from = layer_of(path);
  if ((header.starts_with("llvm/") || header.starts_with("llvm-c/")) && from != "compiler/codegen")
    return "only compiler/codegen may include LLVM";
  if (from == "include" && header.find('/') != std::string::npos && !header.starts_with("pullback/"))
    return "public headers include the standard library only";
  if (!header.starts_with("compiler/") && !header.starts_with("runtime/")) return "";
  const std::string to = layer_of(header);
  if (to == from || allowed.at(from).count(to) || is_exception(path, from, header)) return "";
  return from + " may not include " + to;
}

template <class Visit>
void each_source(const Visit& visit) {
  for (const char* folder : {"include", "runtime", "compiler"})
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string extension = entry.path().extension().string();
      if (entry.is_regular_file() && (extension == ".h" || extension == ".cpp")) visit(entry.path());
    }
}

}  // namespace

TEST_CASE("every source file belongs to a layer") {
  int files = 0;
  each_source([&](const fs::path& path) {
    INFO(path.string());
    CHECK(layer_of(path.generic_string()) != "");
    ++files;
  });
  CHECK(files > 50);
}

TEST_CASE("includes point down") {
  each_source([](const fs::path& path) {
    if (layer_of(path.generic_string()).empty()) return;
    for (const std::string& header : includes_of(path)) {
      INFO(path.string() << " includes " << header);
      CHECK(complaint(path.generic_string(), header) == "");
    }
  });
}

TEST_CASE("a wrong include is found") {
  CHECK(complaint("compiler/ops/add.cpp", "compiler/passes/passes.h") ==
        "compiler/ops may not include compiler/passes");
  CHECK(complaint("compiler/ir/graph.h", "compiler/ops/op_def.h") == "compiler/ir may not include compiler/ops");
  CHECK(complaint("compiler/lower/lower.cpp", "llvm/IR/Module.h") == "only compiler/codegen may include LLVM");
  CHECK(complaint("include/pullback/graph.h", "compiler/ir/graph.h") ==
        "public headers include the standard library only");
  CHECK(complaint("runtime/fit.cpp", "compiler/ir/graph.h") == "runtime may not include compiler/ir");
}
