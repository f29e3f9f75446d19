#include "compiler/lower/survey.h"

#include <algorithm>

namespace pullback::lower {
namespace {

class Surveyor {
 public:
  Surveyor(const kernel::Kernel& kernel, Survey& result) : kernel_(kernel), result_(result) {}

  void block(const kernel::Block& body, double times) {
    for (const kernel::Statement& statement : body.statements) {
      if (const auto* define = std::get_if<kernel::Define>(&statement)) value(*define->value, times);
      if (const auto* store = std::get_if<kernel::Store>(&statement)) memory(store->buffer, store->index, times);
      if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
        const kernel::LoopVar* outer = vector_;
        if ((*loop)->kind == kernel::LoopKind::vector) vector_ = &(*loop)->variable;
        block((*loop)->body, times * static_cast<double>((*loop)->variable.extent));
        vector_ = outer;
      }
      if (const auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
        const double before = result_.work;
        block((*branch)->then_block, times);
        const double then_work = result_.work - before;
        result_.work = before;
        block((*branch)->else_block, times);
        result_.work = std::max(result_.work, before + then_work);
      }
      if (const auto* tile = std::get_if<std::unique_ptr<kernel::Contract>>(&statement)) contract(**tile, times);
    }
  }

 private:
  void contract(const kernel::Contract& tile, double times) {
    const double elements = times * static_cast<double>(tile.rows * tile.columns);
    double steps = static_cast<double>(tile.depth);
    for (const kernel::Contract::Around& loop : tile.around) steps *= static_cast<double>(loop.extent);
    result_.work += elements * steps;
    block(tile.epilogue, elements);
  }

  void memory(int buffer, const kernel::Index& address, double times) {
    result_.accesses.push_back({address, vector_, false});
    const DType dtype = kernel_.buffers[static_cast<std::size_t>(buffer)].dtype;
    // One and the same number for the whole kernel is no vector.
    if (is_float(dtype) && !address.is_constant())
      result_.largest = std::max(result_.largest, static_cast<std::int64_t>(size_of(dtype)));
    result_.work += 2 * times;
  }

  void value(const kernel::Value& v, double times) {
    switch (v.opcode) {
      case kernel::Opcode::load:
        memory(v.buffer, v.index, times);
        break;
      case kernel::Opcode::index_value:
        result_.accesses.push_back({v.index, vector_, true});
        break;
      case kernel::Opcode::call:
      case kernel::Opcode::call_where:
        result_.work += 15 * times;
        result_.calls = true;
        break;
      case kernel::Opcode::div:
      case kernel::Opcode::rem:
      case kernel::Opcode::sqrt:
        result_.work += 5 * times;
        break;
      case kernel::Opcode::ge:
      case kernel::Opcode::lt:
        edge(v, 0, times);
        break;
      case kernel::Opcode::gt:
      case kernel::Opcode::le:
        edge(v, 1, times);
        break;
      default:
        result_.work += times;
    }
  }

  void edge(const kernel::Value& comparison, std::int64_t beyond, double times) {
    const kernel::Value &x = *comparison.operands[0], &y = *comparison.operands[1];
    if (x.opcode == kernel::Opcode::index_value && y.opcode == kernel::Opcode::constant)
      result_.edges.push_back({x.index, static_cast<std::int64_t>(y.bits) + beyond});
    result_.work += times;
  }

  const kernel::Kernel& kernel_;
  Survey& result_;
  const kernel::LoopVar* vector_ = nullptr;
};

}  // namespace

Survey survey(const kernel::Kernel& kernel) {
  Survey result;
  Surveyor(kernel, result).block(kernel.body, 1);
  return result;
}

}  // namespace pullback::lower
