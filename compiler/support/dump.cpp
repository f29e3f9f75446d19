#include "compiler/support/dump.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/support/environment.h"

namespace pullback {

namespace {

struct StageInfo {
  Stage stage;
  std::string_view name;
  std::string_view extension;
};

constexpr StageInfo stage_table[] = {
    {Stage::tensor, "tensor", "ir"}, {Stage::gradient, "grad", "ir"},      {Stage::step, "step", "ir"},
    {Stage::optimized, "opt", "ir"}, {Stage::schedule, "schedule", "txt"}, {Stage::kernel, "kernel", "txt"},
    {Stage::llvm, "llvm", "ll"},     {Stage::assembly, "asm", "s"},
};

const StageInfo& info(Stage stage) {
  return stage_table[static_cast<std::size_t>(stage)];
}

// A program's name may hold anything; its file's name may not.
std::string file_stem(const std::string& program) {
  std::string stem = program.empty() ? "program" : program;
  for (char& c : stem)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_') c = '_';
  if (stem[0] == '.') stem[0] = '_';
  return stem;
}

// How often this process has written each file: the second version of a program must not hide the first.
std::string numbered_path(const std::string& folder, const std::string& stem, std::string_view extension) {
  static std::mutex mutex;
  static std::map<std::string, int> written;
  const std::string path = (std::filesystem::path(folder) / stem).string();
  const std::lock_guard lock(mutex);
  const int version = ++written[path];
  return version == 1 ? fmt::format("{}.{}", path, extension) : fmt::format("{}.{}.{}", path, version, extension);
}

// Through a temporary file, so that a reader never meets half of one.
void write_file(const std::string& path, const std::string& text) {
  std::error_code failure;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failure);
  const std::string partial = path + ".partial";
  bool complete = false;
  {
    std::ofstream file(partial, std::ios::binary);
    file << text;
    file.close();
    complete = file.good();
  }
  if (complete) std::filesystem::rename(partial, path, failure);
  if (!complete || failure) {
    std::filesystem::remove(partial, failure);
    throw Error("dump: cannot write " + path);
  }
}

}  // namespace

const std::vector<Stage>& all_stages() {
  static const std::vector<Stage> stages = [] {
    std::vector<Stage> all;
    for (const StageInfo& entry : stage_table) all.push_back(entry.stage);
    return all;
  }();
  return stages;
}

std::string_view name_of(Stage stage) {
  return info(stage).name;
}

Stage stage_from_name(std::string_view name) {
  for (const StageInfo& entry : stage_table)
    if (entry.name == name) return entry.stage;
  std::string known;
  for (const StageInfo& entry : stage_table) known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  throw Error(fmt::format("unknown stage '{}': the stages are {}, or all", name, known));
}

std::set<Stage> parse_stages(std::string_view names) {
  std::set<Stage> result;
  if (names == "all") return {all_stages().begin(), all_stages().end()};
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    result.insert(stage_from_name(names.substr(0, comma)));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return result;
}

DumpSink::DumpSink(const Environment& environment) : DumpSink(environment.dump, environment.dump_dir) {}

void DumpSink::write(Stage stage, const std::string& program, const std::string& text) const {
  if (!wants(stage)) return;
  if (folder_.empty()) {
    fmt::print(stderr, "=== {}: {} ===\n{}{}", name_of(stage), program, text, text.ends_with('\n') ? "" : "\n");
    return;
  }
  const std::string stem = fmt::format("{}.{}", file_stem(program), name_of(stage));
  write_file(numbered_path(folder_, stem, info(stage).extension), text);
}

StageTimer::Running::~Running() {
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  owner.times_.push_back({stage, elapsed.count()});
}

std::string StageTimer::report(const std::string& program) const {
  std::string text;
  double total = 0;
  for (const StageTime& entry : times_) {
    text += fmt::format("time {}: {:<10} {:9.2f} ms\n", program, entry.stage, entry.milliseconds);
    total += entry.milliseconds;
  }
  return text + fmt::format("time {}: {:<10} {:9.2f} ms\n", program, "sum", total);
}

}  // namespace pullback
