// Lets a kernel write a result over an operand: two parameters that may share memory become one.
#pragma once

#include <map>
#include <memory>
#include <tuple>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {

/// May the buffer `out` be the same memory as the buffer `in`? Yes when both have the same type, every element of `in`
/// is read only in the iteration that stores this very element of `out`, and before that store.
bool can_share(const kernel::Kernel& kernel, int in, int out);

/// Replaces `out` by `in`, which becomes inout, and removes `out`: positions above it move down by one.
void share(kernel::Kernel& kernel, int in, int out);

/// The same of kernels that several units have together: each question is answered once, and what is changed is a copy
/// that again is one for all.
class InPlace {
 public:
  using Shared = std::shared_ptr<kernel::Kernel>;
  bool can_share(const Shared& kernel, int in, int out);
  /// `kernel` with `out` replaced by `in`.
  Shared share(const Shared& kernel, int in, int out);

 private:
  using Key = std::tuple<Shared, int, int>;  // only looked up: the order of addresses shows nowhere
  std::map<Key, bool> can_share_;
  std::map<Key, Shared> shared_;
};

}  // namespace pullback::lower
