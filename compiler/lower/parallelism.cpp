#include "compiler/lower/parallelism.h"

#include <algorithm>
#include <unordered_map>

#include "compiler/lower/survey.h"
#include "compiler/support/target.h"

namespace pullback::lower {
namespace {

/// Scalar instructions of all kernels, every iteration of loops. Of branches the more expensive side; the body of a
/// while loop counts once, since nobody knows how often it runs.
class Work {
 public:
  double of(const std::vector<Item>& items) {
    double work = 0;
    for (const Item& item : items) {
      if (const auto* unit = std::get_if<Unit>(&item.action)) work += of(*unit->kernel);
      if (const auto* branch = std::get_if<BranchItem>(&item.action))
        work += std::max(of(branch->then_items), of(branch->else_items));
      if (const auto* loop = std::get_if<LoopItem>(&item.action))
        work += static_cast<double>(std::max<std::int64_t>(loop->trips, 1)) * of(loop->body);
    }
    return work;
  }

 private:
  double of(const kernel::Kernel& kernel) {
    const auto [entry, fresh] = known_.try_emplace(&kernel, 0);
    if (fresh) entry->second = survey(kernel).work;
    return entry->second;
  }
  std::unordered_map<const kernel::Kernel*, double> known_;
};

void make_serial(kernel::Kernel& kernel) {
  for (kernel::Statement& statement : kernel.body.statements)
    if (auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement))
      if ((*loop)->kind == kernel::LoopKind::parallel) (*loop)->kind = kernel::LoopKind::serial;
}

}  // namespace

bool is_worth_threads(const std::vector<Item>& items, const Target& target) {
  constexpr double kMicroseconds = 200, kVectorsPerMicrosecond = 6250;
  const int lanes = target.has_fma ? target.lanes(DType::f32) : 1;
  return Work().of(items) > kMicroseconds * kVectorsPerMicrosecond * lanes;
}

void run_in_one_thread(std::vector<Item>& items) {
  for (Item& item : items) {
    if (auto* unit = std::get_if<Unit>(&item.action)) make_serial(*unit->kernel);
    if (auto* branch = std::get_if<BranchItem>(&item.action)) {
      run_in_one_thread(branch->then_items);
      run_in_one_thread(branch->else_items);
    }
    if (auto* loop = std::get_if<LoopItem>(&item.action)) {
      run_in_one_thread(loop->condition);
      run_in_one_thread(loop->body);
    }
  }
}

}  // namespace pullback::lower
