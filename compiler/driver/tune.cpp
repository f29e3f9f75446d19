// The search goes from what the rules choose in a few steps: operands exchanged or copied, then tiles, then blocks. In
// each step the program is lowered as often as some contraction has candidates, each time with one candidate of every
// contraction. What was found is compared with the rules' choice once more at the end, so that a lucky measurement
// among many decides nothing.
#include "compiler/driver/tune.h"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "compiler/driver/compare_runs.h"
#include "compiler/driver/kernel_run.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/support/target.h"

namespace pullback::driver {

namespace {

using lower::ContractionProblem;
using lower::ContractionSchedule;

/// What is worth a search: so much work in one run, and such a share of all contractions' work in a step.
constexpr double kLeastFlop = 5e5, kLeastShare = 0.01;
/// Measured for about so long, in each step of the search of each contraction.
constexpr double kSeconds = 0.4;

/// How often each call runs in a step of the program; of branches both sides count.
void count_calls(const std::vector<schedule::Step>& steps, double times,
                 const std::function<void(const schedule::KernelCall&, double)>& visit) {
  for (const schedule::Step& step : steps) {
    if (const auto* call = std::get_if<schedule::KernelCall>(&step.action)) visit(*call, times);
    if (const auto* branch = std::get_if<schedule::Branch>(&step.action)) {
      count_calls(branch->then_steps, times, visit);
      count_calls(branch->else_steps, times, visit);
    }
    if (const auto* loop = std::get_if<schedule::Loop>(&step.action))
      count_calls(loop->body, times * static_cast<double>(std::max<std::int64_t>(1, loop->trips)), visit);
  }
}

class Tuner {
 public:
  Tuner(const ir::Function& function, const Target& target, const TuneOptions& options, ScheduleCache& known)
      : function_(function), target_(target), options_(options), known_(known) {}

  void run() {
    find_subjects();
    if (subjects_.empty()) return;
    for (const auto variation : {lower::Variation::operands, lower::Variation::tile, lower::Variation::blocks}) {
      for (auto& [name, subject] : subjects_) {
        subject.candidates = lower::vary(subject.problem, subject.best, variation);
        subject.candidates.insert(subject.candidates.begin(), subject.best);
      }
      contest();
    }
    // Once more against the rules.
    for (auto& [name, subject] : subjects_) {
      subject.candidates = {subject.by_rule};
      if (!(subject.best == subject.by_rule)) subject.candidates.push_back(subject.best);
    }
    contest();
    for (auto& [name, subject] : subjects_) known_.keep(subject.problem, subject.best);
  }

 private:
  struct Subject {
    ContractionProblem problem;
    ContractionSchedule by_rule, best;
    std::vector<ContractionSchedule> candidates;   ///< the best so far is the first
    std::vector<std::unique_ptr<KernelRun>> runs;  ///< of the candidates, in order
  };

  schedule::Module lowered(lower::ScheduleSource source) const {
    lower::Options lowering = options_.lowering;
    lowering.schedules = std::move(source);
    lowering.memory_limit = 0;  // it would lower many times, and gives the same contractions
    return lower::lower(function_, target_, lowering);
  }

  void find_subjects() {
    std::map<std::string, ContractionProblem> problems;
    const schedule::Module module = lowered([&](const ContractionProblem& problem) {
      problems.emplace(lower::describe(problem), problem);
      return known_.find(problem);
    });
    std::map<std::string, double> work;
    double all = 0;
    count_calls(module.body, 1, [&](const schedule::KernelCall& call, double times) {
      const auto problem = problems.find(module.kernels[call.kernel]->contraction);
      if (problem == problems.end()) return;
      work[problem->first] += times * problem->second.flop();
      all += times * problem->second.flop();
    });
    for (const auto& [name, flop] : work) {
      const ContractionProblem& problem = problems.at(name);
      if (known_.find(problem) || problem.flop() < kLeastFlop || flop < kLeastShare * all) continue;
      const ContractionSchedule rule = lower::choose_schedule(problem);
      subjects_.emplace(name, Subject{problem, rule, rule, {}, {}});
    }
  }

  /// Compares the candidates of every subject; the fastest is its best, the first unless another is clearly faster.
  void contest() {
    compile_candidates();
    for (auto& [name, subject] : subjects_) {
      if (subject.runs.size() > 1) {
        TestMemory memory;
        for (const auto& run : subject.runs) run->bind(memory);
        const Comparison comparison =
            compare_runs(subject.runs.size(), kSeconds,
                         [&](std::size_t candidate, int repeat) { return subject.runs[candidate]->measure(repeat); });
        log(name, subject, comparison);
        subject.best = subject.candidates[comparison.fastest];
      } else if (!subject.candidates.empty()) {
        subject.best = subject.candidates.front();
      }
      subject.runs.clear();
    }
  }

  void compile_candidates() {
    for (std::size_t i = 0;; ++i) {
      const auto has = [&](const Subject& subject) {
        return subject.candidates.size() > 1 && i < subject.candidates.size();
      };
      if (std::none_of(subjects_.begin(), subjects_.end(), [&](const auto& entry) { return has(entry.second); }))
        return;
      const schedule::Module module =
          lowered([&](const ContractionProblem& problem) -> std::optional<ContractionSchedule> {
            const auto subject = subjects_.find(lower::describe(problem));
            if (subject == subjects_.end()) return known_.find(problem);
            return has(subject->second) ? subject->second.candidates[i] : subject->second.best;
          });
      std::map<std::string, const schedule::KernelCall*> calls;
      for (const schedule::KernelCall* call : schedule::calls_of(module))
        calls.emplace(module.kernels[call->kernel]->contraction, call);
      for (auto& [name, subject] : subjects_) {
        if (!has(subject)) continue;
        const auto call = calls.find(name);
        if (call == calls.end())  // another problem's kernel is the same: leave it at what there is
          subject.candidates.resize(i);
        else
          subject.runs.push_back(std::make_unique<KernelRun>(module, *call->second, target_, options_.pool));
      }
    }
  }

  void log(const std::string& name, const Subject& subject, const Comparison& comparison) const {
    options_.log(fmt::format("tune {}: {}\n", function_.name, name));
    for (std::size_t i = 0; i < subject.candidates.size(); ++i)
      options_.log(fmt::format("{} {:10.1f} us  {}\n", i == comparison.fastest ? "*" : " ", comparison.medians[i],
                               lower::describe(subject.candidates[i])));
  }

  const ir::Function& function_;
  const Target& target_;
  const TuneOptions& options_;
  ScheduleCache& known_;
  std::map<std::string, Subject> subjects_;  ///< by the descriptions of their problems
};

}  // namespace

void tune(const ir::Function& function, const Target& target, const TuneOptions& options, ScheduleCache& known) {
  Tuner(function, target, options, known).run();
}

}  // namespace pullback::driver
