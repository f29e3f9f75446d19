#include "compiler/lower/view.h"

#include "compiler/ir/layout.h"
#include "compiler/ops/op_def.h"

namespace pullback::lower {

using kernel::Index;

namespace {

/// What `value` is made of by ops that only rearrange elements.
const ir::Value* base_of(const ir::Value& value, Accesses& accesses,
                         const std::function<bool(const ir::Value&)>& stored) {
  const ir::Value* base = &value;
  while (!stored(*base)) {
    const ir::Op* op = base->definer;
    if (!op || !op->def->traits.moves_data || !op->def->element) return nullptr;
    const OpAccess& access = accesses.of(*op);
    if (access.reads.size() != 1 || access.cost > 0) return nullptr;
    base = op->operand(access.reads[0].operand);
  }
  return base;
}

/// The view of `value`, with `dims`, on `base`.
std::optional<View> view_on(const ir::Value& value, const std::vector<std::int64_t>& dims, const ir::Value& base,
                            Accesses& accesses) {
  if (&value == &base && dims == dims_of(value)) {  // most are read as they lie
    View view{&value, 0, ir::strides_of(value)};
    for (std::size_t d = 0; d < dims.size(); ++d)
      if (dims[d] == 1) view.strides[d] = 0;
    return view;
  }
  std::vector<kernel::LoopVar> variables;
  for (std::int64_t d : dims) variables.push_back({"i", d, static_cast<int>(variables.size())});
  std::vector<Index> indices;
  for (const kernel::LoopVar& v : variables) indices.push_back(v.extent == 1 ? Index(0) : Index(v));

  View view{&base, 0, {}};
  Index position = kernel::flatten(indices, dims);
  for (const ir::Value* v = &value; v != &base;) {
    const ir::Op& op = *v->definer;
    const OpAccess& access = accesses.of(op);
    position = substitute(access.reads[0].address, access.result, position);
    v = op.operand(access.reads[0].operand);
  }
  const std::vector<Index> at = kernel::unflatten(position, dims_of(base));
  const ir::Integers strides = ir::strides_of(base);
  Index address;
  for (std::size_t d = 0; d < at.size(); ++d) address += at[d] * strides[d];
  if (!address.is_affine()) return std::nullopt;
  view.offset = address.constant();
  for (const kernel::LoopVar& v : variables) view.strides.push_back(address.coefficient(v));
  return view;
}

}  // namespace

std::optional<View> view_of(const ir::Value& value, Accesses& accesses,
                            const std::function<bool(const ir::Value&)>& stored) {
  const ir::Value* base = base_of(value, accesses, stored);
  if (!base) return std::nullopt;
  KnownView& known = accesses.view(value);
  if (known.base != base) known = {base, view_on(value, dims_of(value), *base, accesses)};
  return known.view;
}

std::optional<View> view_of(const ir::Value& value, const std::vector<std::int64_t>& dims, Accesses& accesses,
                            const std::function<bool(const ir::Value&)>& stored) {
  const ir::Value* base = base_of(value, accesses, stored);
  return base ? view_on(value, dims, *base, accesses) : std::nullopt;
}

const ir::Value* value_in_place(const ir::Value& value, Accesses& accesses,
                                const std::function<bool(const ir::Value&)>& stored) {
  const std::optional<View> view =
      view_of(value, accesses, [&](const ir::Value& v) { return &v != &value && stored(v); });
  if (!view || view->offset != 0 || count_of(*view->base) != count_of(value)) return nullptr;
  const std::vector<std::int64_t> dims = dims_of(value), strides = ir::strides_of(value);
  for (std::size_t d = 0; d < dims.size(); ++d)
    if (dims[d] != 1 && view->strides[d] != strides[d]) return nullptr;
  return view->base;
}

}  // namespace pullback::lower
