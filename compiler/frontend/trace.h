// The recording of a graph: where the functions of the DSL put their ops.
//
// A Trace has one function. While a branch or a block is traced, ops go to its region, and a tensor of an outer region
// that is used there is captured: it becomes an argument of the region and an operand of the op that owns it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <pullback/graph.h>
#include <pullback/tensor.h>

#include "compiler/frontend/first_values.h"
#include "compiler/ir/builder.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/known_ops.h"
#include "compiler/ops/build.h"

namespace pullback::detail {

inline constexpr const char* kRandomKey = "rng.key";    ///< u32[2] of the state: the seed's halves
inline constexpr const char* kRandomStep = "rng.step";  ///< i64 scalar of the state: steps that drew numbers

/// What replaces a tensor of the state at the end of a training step.
struct StateUpdate {
  ir::Value* value = nullptr;
  /// Made only in steps whose outputs depend on this tensor; null: in all. A layer's statistics follow its result.
  ir::Value* along = nullptr;
  ir::Value* previous = nullptr;  ///< with `along`: what `value` was computed from, which stands when it is not made
};

/// A tensor of the state as the graph declares it.
struct StateTensor {
  ir::Value* value = nullptr;
  bool trainable = false;
  bool frozen = false;               ///< a parameter that training steps neither differentiate nor update
  std::vector<StateUpdate> updates;  ///< each goes on from the one before

  ir::Value* latest() const { return updates.empty() ? value : updates.back().value; }
};

/// What the Trainer of some name keeps in the state: a second one of that name goes on from there.
struct TrainerRecord {
  std::string optimizer;
  std::map<std::string, double> initial;  ///< entries, with what their elements were asked to be at first
};

class Trace : public std::enable_shared_from_this<Trace> {
 public:
  /// Records into a new function.
  explicit Trace(std::string name);
  /// Records into the region of `builder`, which outlives the trace, with its location's role.
  explicit Trace(ir::Builder& builder);

  /// From now on an op that equals an earlier one is that one. For what writes the same thousands of times; a user's
  /// graph keeps the ops that the user wrote.
  void reuse_equal_ops() { known_ = std::make_unique<ir::KnownOps>(); }

  /// The function that is recorded. Not for a trace into a builder's region.
  ir::Function& function() { return *function_; }

  /// Appends the op `name` at the user's line and returns its results.
  std::vector<Tensor> create_all(std::string_view name, const std::vector<Tensor>& operands, ir::Attributes attributes,
                                 const SourceLine& line, std::vector<std::unique_ptr<ir::Region>> regions = {});
  /// The first result.
  Tensor create(std::string_view name, const std::vector<Tensor>& operands, ir::Attributes attributes,
                const SourceLine& line) {
    return create_all(name, operands, std::move(attributes), line).front();
  }
  /// Appends an op of one result that reads values of the region that is traced.
  ir::Value* append(const ops::OpDef& def, std::vector<ir::Value*> operands, ir::Attributes attributes,
                    const SourceLine& line);
  /// Appends what `write` makes of the operands, with the typed constructors of ops/build.h.
  using Writer = std::function<ops::Value(ir::Builder& builder, const std::vector<ops::Value>& operands)>;
  Tensor emit(std::string_view op, const std::vector<Tensor>& operands, const SourceLine& line, const Writer& write);
  /// The same for several values at once.
  using ListWriter =
      std::function<std::vector<ir::Value*>(ir::Builder& builder, const std::vector<ir::Value*>& operands)>;
  std::vector<Tensor> emit_all(std::string_view op, const std::vector<Tensor>& operands, const SourceLine& line,
                               const ListWriter& write);
  Tensor wrap(ir::Value* value) { return {shared_from_this(), value}; }

  /// Adds an argument of the function. Throws Error when the name is taken or no identifier.
  Tensor add_argument(const std::string& name, ir::Type type, ir::ArgumentRole role, const SourceLine& line);

  /// `tensor` as a value of the region that is traced. Throws Error when it is undefined, of another graph, or of a
  /// region that has ended.
  ir::Value* import(const Tensor& tensor, std::string_view op, const SourceLine& line);

  /// A nested region under construction, and what it captured: `captures[i]` is its argument `first_capture + i`.
  struct Frame {
    explicit Frame(Trace& trace) : id(++trace.frame_count_) {}
    std::size_t id;
    std::unique_ptr<ir::Region> region = std::make_unique<ir::Region>();
    std::vector<ir::Value*> captures;
    std::size_t first_capture = 0;
    ir::Value* counter = nullptr;  ///< of a loop's body: the iteration's number, an i64 argument
  };
  void begin_region(Frame& frame);
  void end_region();
  /// Makes `outer` an argument of the frame, which need not be open any more.
  ir::Value* capture(Frame& frame, ir::Value* outer);

  /// The iteration numbers of the loops that are being traced, outermost first.
  std::vector<Tensor> loop_counters();

  /// The line that ops get: the pinned one, when a function of the DSL that is made of others is being traced.
  SourceLine line(const SourceLocation& where) const { return pinned_ > 0 ? pin_ : SourceLine(where); }
  /// Prefixes `name` with the open scopes: "encoder.fc1.w".
  std::string scoped(const std::string& name) const { return scope_.empty() ? name : scope_ + "." + name; }

  const std::string& scope() const { return scope_; }

  const std::string& name() const { return name_; }

  // What a Graph declares beside its ops.
  std::vector<StateTensor> state_tensors;
  /// For who adds to it: values may still be missing.
  std::shared_ptr<State> growing_state;
  FirstValues first_values;
  /// For who may read it. Waits for all values.
  const std::shared_ptr<State>& state() {
    first_values.finish();
    return growing_state;
  }
  std::uint64_t seed = 0;
  std::map<std::string, TrainerRecord> trainers;  ///< by name
  /// A bool scalar: true in training steps. An argument that extraction replaces by a constant, or the constant
  /// `forced_training`.
  Tensor training_flag();
  /// The mode of the module that is called, when it has one of its own.
  std::optional<bool> forced_training;
  /// The declaration of a parameter or variable; null when `value` is none.
  StateTensor* find_state(const ir::Value* value);
  /// Are ops recorded into a nested region?
  bool in_region() const { return !frames_.empty(); }

  ir::Value* training = nullptr;
  ir::Value* random_key = nullptr;
  ir::Value* random_step = nullptr;  ///< the counter of random numbers, advanced by each step that reads it
  std::int64_t random_streams = 0;   ///< how many independent streams were given out

 private:
  friend class Pin;
  friend class ScopeGuard;

  ir::Builder builder_at(const SourceLine& line);
  ir::Value* settle(ir::Value* value);
  Tensor adopt(ir::Value* value) { return wrap(settle(value)); }
  std::size_t frame_of(const ir::Value* value, std::string_view op, const SourceLine& line) const;

  std::string name_;
  std::unique_ptr<ir::Function> function_;  // null when recording into another's region
  ir::Region* root_;
  std::unique_ptr<ir::KnownOps> known_;  // of the root; null when equal ops are not reused
  std::string role_, origin_;            // of ops that no user wrote: "update" and "adam"
  std::vector<Frame*> frames_;           // open nested regions, outermost first
  std::size_t frame_count_ = 0;
  std::unordered_map<const ir::Value*, std::size_t> home_;  // frames of values in nested regions
  std::string scope_;
  ir::LocationRef location_;  ///< of the last op
  SourceLine pin_;
  int pinned_ = 0;
};

/// While it lives, ops of the tensor's trace carry the line `where`, however deep the functions that make them. The
/// outermost pin wins.
class Pin {
 public:
  Pin(const Tensor& tensor, const SourceLocation& where) : Pin(tensor.trace().get(), where) {}
  Pin(Trace* trace, const SourceLocation& where);
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  Trace* trace_;
};

/// While it lives, names of parameters and locations of ops are within the layer `name`: within the open scopes, or
/// (`whole`) as the whole name says.
class ScopeGuard {
 public:
  ScopeGuard(Trace& trace, const std::string& name, bool whole = false);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Trace& trace_;
  std::string previous_;
};

}  // namespace pullback::detail
