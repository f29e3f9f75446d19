// Sums over k that go on from one block of k to the next, as chains.
#pragma once

#include <cstdint>
#include <functional>

#include "compiler/ir/kernel/builder.h"
#include "compiler/lower/group.h"

namespace pullback::lower {

/// How the sums of a tile begin and end.
struct Chain {
  bool continues = false;                 ///< those that a tile before has kept; else they begin at zero
  bool goes_on = false;                   ///< they are kept for another tile; else the epilogue gets them
  kernel::Value* if_continues = nullptr;  ///< when the code runs; null: always
  kernel::Value* if_goes_on = nullptr;
};

/// Of block `b` of `blocks`. The last completes its sums if it is the last of k, and then does more than keeping them
/// if it `ends_apart`; else the epilogue does nothing but store them, and runs for each block. The tile stands in the
/// code once: how it begins and ends is found out as it runs.
Chain chain_of(kernel::Builder& build, const kernel::Index& b, std::int64_t blocks, bool is_last_of_k, bool ends_apart);

/// May sums of type `accumulate` be kept in the group's result? It must be stored, row-major, in their type.
bool keeps_sums(const Group& group, DType accumulate);

/// The end of a tile's epilogue.
void end_chain(kernel::Builder& build, const Chain& chain, const std::function<void()>& keep,
               const std::function<void()>& complete);

}  // namespace pullback::lower
