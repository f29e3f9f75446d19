#include "compiler/lower/chain.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/lower/access.h"

namespace pullback::lower {

Chain chain_of(kernel::Builder& build, const kernel::Index& b, std::int64_t blocks, bool is_last_of_k,
               bool ends_apart) {
  const auto number = [&](std::int64_t value) { return build.integer(DType::i64, value); };
  Chain chain{.continues = true, .goes_on = true};
  chain.if_continues = build.lt(number(0), build.index_value(b));
  if (!is_last_of_k) return chain;
  chain.goes_on = ends_apart;
  if (ends_apart) chain.if_goes_on = build.lt(build.index_value(b), number(blocks - 1));
  return chain;
}

bool keeps_sums(const Group& group, DType accumulate) {
  const ir::Value* c = group.op->result();
  const ir::Integers strides = ir::strides_of(*c);
  const std::vector<std::int64_t> dims = dims_of(*c);
  std::int64_t expected = 1;
  for (std::size_t d = dims.size(); d-- > 0; expected *= dims[d])
    if (dims[d] != 1 && strides[d] != expected) return false;
  return std::find(group.stored.begin(), group.stored.end(), c) != group.stored.end() && c->type.dtype == accumulate;
}

void end_chain(kernel::Builder& build, const Chain& chain, const std::function<void()>& keep,
               const std::function<void()>& complete) {
  if (chain.if_goes_on)
    build.if_then_else(chain.if_goes_on, keep, complete);
  else if (chain.goes_on)
    keep();
  else
    complete();
}

}  // namespace pullback::lower
