#include "compiler/frontend/raw_difference.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ir/graph.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::detail {

namespace {

class Detector {
 public:
  explicit Detector(const std::vector<Tensor>& trained) {
    for (const Tensor& tensor : trained) trained_.insert(tensor.value());
  }

  /// The difference that `loss` is, or null.
  const ir::Op* difference(const ir::Value* loss) {
    for (const ir::Value* value = loss; value->definer; value = next(*value->definer)) {
      const ir::Op& op = *value->definer;
      if (op.def == &ops::op_sub) {
        const bool left = depends(op.operand(0)), right = depends(op.operand(1));
        return left != right && linear(op.operand(left ? 0 : 1)) ? &op : nullptr;
      }
      if (!next(op)) return nullptr;
    }
    return nullptr;
  }

 private:
  // The one operand that the op passes on, summed, moved or multiplied by what is not trained; null for other ops.
  const ir::Value* next(const ir::Op& op) {
    if (op.def->traits.is_linear && op.operands.size() == 1) return op.operand(0);
    const bool product = op.def == &ops::op_mul, quotient = op.def == &ops::op_div;
    if ((product || quotient) && !depends(op.operand(1))) return op.operand(0);
    return product && !depends(op.operand(0)) ? op.operand(1) : nullptr;
  }

  // Whether training changes the value.
  bool depends(const ir::Value* value) {
    if (trained_.contains(value)) return true;
    if (!value->definer || value->definer->def == &ops::op_stop_gradient) return false;
    const auto [entry, first] = depends_.emplace(value, false);
    if (!first) return entry->second;
    bool any = false;
    for (const ir::Value* operand : value->definer->operands) any = any || depends(operand);
    return depends_[value] = any;
  }

  // Whether the value is linear in a trained tensor, everything else held fixed: then it has every sign.
  bool linear(const ir::Value* value) {
    if (trained_.contains(value)) return true;
    if (!value->definer || !depends(value)) return false;
    const auto [entry, first] = linear_.emplace(value, false);
    if (!first) return entry->second;
    const ir::Op& op = *value->definer;
    bool result = false;
    if (op.def == &ops::op_div) {
      result = linear(op.operand(0));
    } else if (op.def == &ops::op_mul || op.def == &ops::op_dot_general || op.def->traits.is_linear) {
      for (const ir::Value* operand : op.operands) result = result || linear(operand);
    }
    return linear_[value] = result;
  }

  std::unordered_set<const ir::Value*> trained_;
  std::unordered_map<const ir::Value*, bool> depends_, linear_;
};

std::string name_or(const ir::Value& value, const char* fallback) {
  return value.name.empty() ? fallback : value.name;
}

}  // namespace

std::optional<std::string> raw_difference_warning(const Tensor& loss, const std::vector<Tensor>& trained) {
  const ir::Op* difference = Detector(trained).difference(loss.value());
  if (!difference) return {};
  const std::string line = difference->location->line.to_string();
  return fmt::format(
      "the loss is a signed difference, {} - {}{}: it has no minimum, for it falls without bound as the prediction "
      "moves "
      "away from the target to one side, and its gradient does not tell how far off the prediction is. Use mse() or "
      "l1(), or square the difference",
      name_or(*difference->operand(0), "prediction"), name_or(*difference->operand(1), "target"),
      line.empty() ? "" : " (" + line + ")");
}

}  // namespace pullback::detail
