// A compiled piece of a graph: one step at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <pullback/array.h>
#include <pullback/tensor.h>

namespace pullback {

class Function;
class State;

/// The forms a program takes on its way to machine code; each can be printed.
enum class Stage : std::uint8_t { tensor, gradient, step, optimized, schedule, kernel, llvm, assembly };

struct CompileOptions {
  /// How steps are executed. The reference evaluator is slow and plain: the oracle of tests.
  enum class Executor : std::uint8_t { compiled, reference };
  Executor executor = Executor::compiled;
  std::string target = "host";  ///< or x86-64-v2, x86-64-v3, x86-64-v4, x86-64-v4+avx512bf16
  /// Up to 1024; 0: PULLBACK_THREADS, else one for each core. A step whose kernels have too little work to gain from
  /// threads runs on one, whatever is asked for, and so does one of up to 10 ms that turns out to be slower with
  /// threads, as long as it is. Never changes a result.
  int threads = 0;
  /// bf16 or f16: products of matrices and convolutions, forward and backward, read and give 16 bits and are summed in
  /// f32; parameters, optimizer and everything between stay f32. f64 graphs are not touched.
  DType precision = DType::f32;
  /// Convolutions of f32 with 3x3 kernels and many channels, and their gradients, by Winograd's method where that is
  /// faster: 16 products for 2x2 results rather than 36. It rounds a little more (see docs/architecture.md), and an
  /// element that is infinite or NaN makes NaN of results up to one element beyond those whose windows hold it. false:
  /// each element of the result is one sum of all its products.
  bool winograd = true;
  /// The most bytes that values between kernels, and large scratch memory of kernels, may take at any moment of a step
  /// (parameters, optimizer slots, inputs and results are not counted); where they would take more, some are computed
  /// again instead of being kept, which changes no result. 0: no limit. Compiling throws Error when it can't be done,
  /// naming the smallest number that can; without `winograd`, convolutions with many channels may need less.
  std::int64_t memory_limit = 0;
  /// Measure each kernel: see Program::profile(). Costs some nanoseconds a kernel. PULLBACK_PROFILE=1 asks for it, too,
  /// and prints the table to standard error when the program is gone.
  bool profile = false;
  /// Measure how products of matrices are best cut on this machine, as far as that was not done before, and keep the
  /// results in the cache on disk, where later compilations find them. Takes seconds; never changes a result.
  /// PULLBACK_TUNE=1 asks for it, too.
  bool tune = false;
  int max_specializations = 8;  ///< compiled versions kept, one for each set of sizes; the oldest goes first
};

/// An input's value: {x, array} or {"x", array}.
struct Feed {
  Feed(const Tensor& input, Array array) : name(input.name()), value(std::move(array)) {}
  Feed(std::string input, Array array) : name(std::move(input)), value(std::move(array)) {}
  Feed(const char* input, Array array) : name(input), value(std::move(array)) {}
  std::string name;
  Array value;
};

/// What a step computed: named arrays in the order in which the outputs were asked for.
class Outputs {
 public:
  Outputs() = default;
  explicit Outputs(std::vector<std::pair<std::string, Array>> entries) : entries_(std::move(entries)) {}
  std::size_t size() const { return entries_.size(); }
  // They throw Error when there is no such output.
  const Array& operator[](std::size_t i) const;
  const Array& operator[](int i) const { return (*this)[static_cast<std::size_t>(i)]; }
  const Array& operator[](const std::string& name) const;
  const Array& operator[](const char* name) const { return (*this)[std::string(name)]; }
  const std::vector<std::pair<std::string, Array>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Array>> entries_;
};

/// Time spent in one stage of a compilation.
struct StageTime {
  std::string stage;
  double milliseconds = 0;
};

/// What one step does, counted from its optimized graph and its plan.
struct StepCost {
  double flop = 0;                 ///< two for each product of matrix products and convolutions; loops count all trips
  double flop_in_bounds = 0;       ///< without the products with padding
  std::int64_t arena_bytes = 0;    ///< for values between kernels and large scratch, the peak of the step
  std::int64_t live_bytes = 0;     ///< the most of it that is needed at the same time
  std::int64_t scratch_bytes = 0;  ///< for each thread
  std::int64_t state_bytes = 0;    ///< parameters and what else the step keeps, as far as it reads or writes them
  std::int64_t input_bytes = 0, output_bytes = 0;
  std::int64_t kernel_calls = 0;  ///< loops count all trips
};

/// A program with its buffers bound once: step() only runs it. Keeps program, inputs and outputs alive. Copies share
/// everything, and moving copies.
class BoundStep {
 public:
  BoundStep(const BoundStep&) = default;
  BoundStep& operator=(const BoundStep&) = default;

  /// Reads the bound input arrays, updates the state, writes the outputs. Throws Error when a check fails; the state
  /// is then as before.
  void step();
  /// Overwritten by each step.
  const Outputs& outputs() const;

  struct Impl;
  explicit BoundStep(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<Impl> impl_;
};

/// A function, compiled for the sizes it meets. Copies share everything, and moving copies.
class Program {
 public:
  Program() = default;
  Program(const Program&) = default;
  Program& operator=(const Program&) = default;

  /// Runs one step. Throws Error when an input is missing, unknown, or has the wrong dtype or shape, when a size is
  /// 0, or when a check fails; the state is then as before.
  Outputs step(const std::vector<Feed>& inputs = {}, SourceLocation where = SourceLocation::current());
  /// Compiles for the sizes of `inputs` and binds their memory, which later steps read again.
  BoundStep bind(const std::vector<Feed>& inputs = {}, SourceLocation where = SourceLocation::current());

  const std::string& name() const;
  std::vector<std::string> input_names() const;
  std::vector<std::string> result_names() const;
  /// Parameters, optimizer slots and counters.
  State& state();
  const State& state() const;
  /// A copy of a parameter's values, by full name or tensor. Throws Error for an unknown name.
  Array get(const std::string& parameter, SourceLocation where = SourceLocation::current()) const;
  Array get(const Tensor& parameter, SourceLocation where = SourceLocation::current()) const {
    return get(parameter.name(), where);
  }
  /// Replaces a parameter's values; dtype and dims must agree, else Error.
  void set(const std::string& parameter, const Array& value, SourceLocation where = SourceLocation::current());
  void set(const Tensor& parameter, const Array& value, SourceLocation where = SourceLocation::current()) {
    set(parameter.name(), value, where);
  }

  /// The text of a stage. Stages from `optimized` on show the specialization used last; Error when there is none yet
  /// and the program has symbolic sizes.
  std::string dump(Stage stage) const;
  /// Of the specialization compiled last.
  std::vector<StageTime> compile_times() const;
  /// Of the specialization compiled last. Throws Error when there is none yet and the program has symbolic sizes, and
  /// with the reference executor.
  StepCost cost() const;
  /// A table of the kernels of the specialization run last: calls, microseconds a step and what they compute, the
  /// slowest first. Throws Error unless it was compiled with CompileOptions::profile and has run.
  std::string profile() const;
  /// Why it was compiled, each time: "batch = 128".
  std::vector<std::string> compilations() const;

  struct Impl;
  explicit Program(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace pullback
