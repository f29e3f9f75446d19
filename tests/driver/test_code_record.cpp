// A record of what compiled steps are made of: what makes a step slower shows here, without a clock. For each network
// of the benchmarks and each target: kernels, calls of kernels, KiB of arena and of machine code, and thousands of
// vector instructions a step, counted from the kernels' loops (a fused multiply-add, a load or an addition is one; a
// math function as many as it holds). PULLBACK_UPDATE_GOLDEN=1 writes the record anew.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "compiler/codegen/api.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/driver/program_impl.h"
#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/pipeline.h"
#include "tests/bench/workloads.h"
#include "tests/oracle/golden.h"

namespace pullback::test {

namespace {

constexpr const char* kRecord = "tests/driver/golden/code_record.txt";

class InstructionCount {
 public:
  explicit InstructionCount(const Target& target) : target_(target) {}

  double of(const kernel::Block& block) const {
    double count = 0;
    for (const kernel::Statement& statement : block.statements) {
      if (const auto* define = std::get_if<kernel::Define>(&statement)) {
        const auto* function = define->value->function;
        count += function ? of(function->body) : 1;
      } else if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
        count += of(**loop);
      } else if (const auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
        count += std::max(of((*branch)->then_block), of((*branch)->else_block));
      } else if (const auto* contract = std::get_if<std::unique_ptr<kernel::Contract>>(&statement)) {
        count += of(**contract);
      } else {
        count += 1;
      }
    }
    return count;
  }

 private:
  double of(const kernel::Loop& loop) const {
    const std::int64_t width = loop.kind == kernel::LoopKind::vector ? loop.width : 1;
    return of(loop.body) * static_cast<double>((loop.variable.extent + width - 1) / width);
  }

  double of(const kernel::Contract& tile) const {
    const std::int64_t lanes = target_.lanes(tile.accumulator->dtype), vectors = (tile.columns + lanes - 1) / lanes;
    double depth = static_cast<double>(tile.depth);
    for (const kernel::Contract::Around& around : tile.around) depth *= static_cast<double>(around.extent);
    const std::int64_t copied = tile.copy.buffer >= 0 ? vectors : 0;
    const double step = static_cast<double>(tile.rows * vectors + tile.rows + vectors + copied);
    return depth * step + static_cast<double>(tile.rows * vectors) * of(tile.epilogue);
  }

  const Target& target_;
};

double instructions(const std::vector<schedule::Step>& steps, const schedule::Module& module, const Target& target) {
  double count = 0;
  for (const schedule::Step& step : steps) {
    if (const auto* call = std::get_if<schedule::KernelCall>(&step.action))
      count += InstructionCount(target).of(module.kernels[call->kernel]->body);
    if (const auto* branch = std::get_if<schedule::Branch>(&step.action))
      count += instructions(branch->then_steps, module, target) + instructions(branch->else_steps, module, target);
    if (const auto* loop = std::get_if<schedule::Loop>(&step.action))
      count += static_cast<double>(loop->trips) * instructions(loop->body, module, target);
  }
  return count;
}

using Numbers = std::map<std::string, double>;

Numbers measure(const ir::Function& function, const std::string& target_name) {
  const Target target = Target::parse(target_name);
  const auto specialized = passes::specialize(function, {});
  passes::optimize(*specialized);
  const schedule::Module module = lower::lower(*specialized, target);
  const codegen::Compiled code = driver::generate_code(module, {.target = target, .want_image = true});
  return {{"kernels", static_cast<double>(module.kernels.size())},
          {"calls", static_cast<double>(schedule::calls_of(module).size())},
          {"arena", static_cast<double>(module.arena_bytes >> 10)},
          {"code", static_cast<double>(code.image.bytes.size() >> 10)},
          {"instructions", std::ceil(instructions(module.body, module, target) / 1000)}};
}

constexpr const char* kColumns[] = {"kernels", "calls", "arena", "code", "instructions"};

std::string line_of(const std::string& workload, const std::string& target, const Numbers& numbers) {
  std::string line = fmt::format("{:14} {:10}", workload, target);
  for (const char* column : kColumns) line += fmt::format(" {:>12.0f}", numbers.at(column));
  return line + "\n";
}

std::map<std::string, Numbers> parse(const std::string& text) {
  std::map<std::string, Numbers> record;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string workload, target;
    words >> workload >> target;
    for (const char* column : kColumns) words >> record[workload + " " + target][column];
  }
  return record;
}

}  // namespace

TEST_CASE("compiled steps are made of no more than the record says", "[record]") {
  std::string text = fmt::format("{:14} {:10}", "workload", "target");
  for (const char* column : kColumns) text += fmt::format(" {:>12}", column);
  text += "\n";
  std::map<std::string, Numbers> measured;
  for (const bench::Workload& workload : bench::workloads()) {
    if (workload.name == "gpt24_b8") continue;  // as gpt_b8, many times
    const bench::Network network = workload.make();
    const Program program = bench::training(network, {});
    for (const char* target : {"x86-64-v3", "x86-64-v4"}) {
      const Numbers numbers = measure(*program.impl()->source->whole(), target);
      measured[workload.name + " " + target] = numbers;
      text += line_of(workload.name, target, numbers);
    }
  }
  // More is a step back, much less a record that is not kept. Small numbers may move by one.
  const std::map<std::string, Numbers> record = parse(testing::golden(kRecord, text));
  for (const auto& [name, numbers] : measured) {
    REQUIRE(record.count(name) == 1);
    for (const auto& [column, number] : numbers) {
      INFO(name << " " << column);
      CHECK(number <= 1.02 * record.at(name).at(column) + 1);
      CHECK(number >= 0.9 * record.at(name).at(column) - 1);
    }
  }
}

}  // namespace pullback::test
