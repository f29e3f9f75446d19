#include "compiler/driver/reference.h"

#include <cstring>

#include "compiler/ir/graph.h"
#include "compiler/ops/evaluate.h"
#include "compiler/support/dump.h"

namespace pullback::driver {

namespace {

// As lowering does: the arguments in order, then the results that update no state.
std::vector<runtime::ExternalSlot> slots_of(const ir::Function& function) {
  std::vector<runtime::ExternalSlot> slots;
  for (std::size_t i = 0; i < function.roles.size(); ++i) {
    const ir::Value& argument = *function.body.arguments[i];
    slots.push_back({argument.name,
                     function.roles[i] == ir::ArgumentRole::state ? runtime::SlotRole::state : runtime::SlotRole::input,
                     argument.type.dtype, ir::static_dims(argument.type.shape)});
  }
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    if (function.results[i].updates >= 0) continue;
    const ir::Type& type = function.body.results[i]->type;
    slots.push_back({function.results[i].name, runtime::SlotRole::output, type.dtype, ir::static_dims(type.shape)});
  }
  return slots;
}

void copy(void* to, const ir::Literal& from) {
  if (!from.bytes.empty()) std::memcpy(to, from.bytes.data(), from.bytes.size());
}

// Evaluation ends, checks included, before anything is written.
void run(const ir::Function& function, std::span<void* const> external) {
  std::vector<ir::Literal> arguments;
  for (std::size_t i = 0; i < function.roles.size(); ++i) {
    const ir::Type& type = function.body.arguments[i]->type;
    ir::Literal literal(type.dtype, ir::static_dims(type.shape));
    if (!literal.bytes.empty()) std::memcpy(literal.bytes.data(), external[i], literal.bytes.size());
    arguments.push_back(std::move(literal));
  }
  const std::vector<ir::Literal> results = ops::evaluate(function, arguments);
  std::size_t output = arguments.size();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::ptrdiff_t updates = function.results[i].updates;
    copy(external[updates >= 0 ? static_cast<std::size_t>(updates) : output++], results[i]);
  }
}

}  // namespace

std::shared_ptr<const Specialization> evaluated(std::shared_ptr<const ir::Function> specialized,
                                                const StageTimer& timer) {
  auto result = std::make_shared<Specialization>();
  result->slots = slots_of(*specialized);
  result->run = [specialized](std::span<void* const> external) { driver::run(*specialized, external); };
  const auto forms =
      std::make_shared<const Forms>(Forms{[specialized = std::move(specialized)] { return specialized; }, nullptr});
  result->forms = [forms]() -> const Forms& { return *forms; };
  result->times = timer.times();
  return result;
}

}  // namespace pullback::driver
