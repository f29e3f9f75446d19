// What the handles of one module share: its place among other modules, what it declares, and its tensors in each graph.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <pullback/graph.h>

#include "compiler/frontend/trace.h"

namespace pullback::detail {

struct ModuleNode;

/// A parameter or statistic as it is declared.
struct ModuleSlot {
  std::string name;
  std::optional<Shape> shape;  ///< nothing: tied before its own shape was known
  Initializer initializer;
  std::optional<DType> dtype;
  bool trainable = true;
  bool frozen = false;
  std::optional<std::int64_t> zero_row;  ///< this row of a table is 0 at first
  // When it is another module's parameter:
  std::shared_ptr<ModuleNode> owner;
  std::string owner_name;
  bool transposed = false;
};

/// A module in one graph.
struct ModuleMeeting {
  std::weak_ptr<Trace> trace;
  std::string name;            ///< in full, "" for an unnamed root
  std::optional<DType> dtype;  ///< of the first floating tensor that it was called with
  std::map<std::string, ir::Value*> values;
  std::string result;  ///< the type of what the last call returned
};

struct ModuleNode : std::enable_shared_from_this<ModuleNode> {
  std::string name;               ///< within the parent
  std::string type, description;  ///< "" for a user's own module
  bool pinned = false;            ///< ops within a call carry the line of the call
  std::weak_ptr<ModuleNode> parent;
  std::vector<std::pair<std::string, std::shared_ptr<ModuleNode>>> parts;
  std::vector<ModuleSlot> slots;
  bool frozen = false;           ///< what is declared from now on is
  std::optional<bool> training;  ///< the mode, when it is not the program's
  std::optional<DType> dtype;
  std::vector<ModuleMeeting> meetings;  ///< the last one met last

  /// The module in this graph; it gets its full name here.
  ModuleMeeting& meet(Trace& trace);
  /// The graph met last, or null.
  std::shared_ptr<Trace> last() const;
  /// Null when it has not met this graph.
  const ModuleMeeting* meeting(const std::shared_ptr<Trace>& trace) const;

  ModuleSlot* find_slot(const std::string& slot_name);
  /// The declared tensor in this graph, made there if need be.
  Tensor tensor(const std::string& slot_name, Trace& trace, const SourceLine& line);
  /// In the graph met last, else made of the names so far.
  std::string full_name() const;
  /// "Linear encoder.fc1".
  std::string label() const;

 private:
  void make(const ModuleSlot& slot, ModuleMeeting& met, Trace& trace) const;
};

}  // namespace pullback::detail
