#include "compiler/lower/emitter.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "compiler/ir/layout.h"
#include "compiler/ir/text.h"
#include "compiler/lower/access.h"
#include "compiler/lower/group.h"
#include "compiler/lower/view.h"
#include "compiler/ops/math/math.h"

namespace pullback::lower {

using kernel::Access;
using kernel::Index;
using ops::Indices;

bool Placement::is_stored(const ir::Value& value) const {
  return has(&value) || is_leaf(value);
}

std::size_t Placement::of(const ir::Value* value) {
  if (const std::size_t* found = storages_.find(value)) return *found;
  if (!value->definer || !is_leaf(*value))
    throw InternalError("lower: " + (value->definer ? ir::print(*value->definer) : "%" + value->name) +
                        " is nowhere in memory");
  if (const std::optional<std::size_t> known = find(*value)) return storages_[value] = *known;
  const ir::Literal& literal = value->definer->attributes.literal("value");
  Storage storage{value->name.empty() ? "constant" : value->name, literal.dtype, literal.size(), -1, &literal};
  constants_.push_back(draft_->add_storage(std::move(storage)));
  return storages_[value] = constants_.back();
}

std::optional<std::size_t> Placement::find(const ir::Value& value) const {
  if (const std::size_t* found = storages_.find(&value)) return *found;
  if (!value.definer || !is_leaf(value)) return std::nullopt;
  const ir::Literal& literal = value.definer->attributes.literal("value");
  const auto same = [&](std::size_t storage) { return *draft_->storages[storage].constant == literal; };
  const auto known = std::find_if(constants_.begin(), constants_.end(), same);
  return known == constants_.end() ? std::nullopt : std::optional(*known);
}

namespace {

std::uint64_t element_bits(const ir::Literal& literal) {
  std::uint64_t bits = 0;
  std::copy_n(literal.bytes.data(), size_of(literal.dtype), reinterpret_cast<std::byte*>(&bits));
  return bits;
}

}  // namespace

/// What an op's rule sees while one of its elements is composed.
class ElementContext : public ops::LowerContext {
 public:
  /// One step of the op's reduction, when it is not to be a loop here.
  struct Step {
    const Index& k;
    kernel::Value* so_far;
    kernel::Value* other = nullptr;  ///< combined with it, rather than what is reduced at k
  };
  ElementContext(Emitter& emitter, const ir::Op& op, const Indices& indices, const Step* step = nullptr)
      : emitter_(emitter), op_(op), indices_(indices), step_(step) {}

  const ir::Op& op() const override { return op_; }
  kernel::Builder& build() override { return emitter_.build_; }
  const Indices& indices() const override { return indices_; }
  using LowerContext::read;
  kernel::Value* read(std::size_t operand, const Indices& indices) override {
    return emitter_.element(op_.operand(operand), indices);
  }
  kernel::Value* read_if(kernel::Value* condition, std::size_t operand, const Indices& indices,
                         kernel::Value* fallback) override {
    return emitter_.element_if(condition, op_.operand(operand), indices, fallback);
  }
  kernel::Value* reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                        const std::function<kernel::Value*(const Indices&)>& body) override {
    if (!step_) return emitter_.reduce(extents, how, dtype, body);
    if (!step_->so_far) return emitter_.start_of(how, dtype);
    return emitter_.build_.combine(how, step_->so_far,
                                   step_->other ? step_->other : body(kernel::unflatten(step_->k, extents)));
  }
  void outer_loop(std::int64_t, const std::function<void(const Index&)>&) override { not_a_kernel(); }
  kernel::Value* load(std::size_t, const Indices&) override { not_a_kernel(); }
  void store(std::size_t, const Indices&, kernel::Value*) override { not_a_kernel(); }
  ops::Memory operand_memory(std::size_t) override { not_a_kernel(); }
  ops::Memory result_memory(std::size_t) override { not_a_kernel(); }
  ops::Registers registers() const override { not_a_kernel(); }

 private:
  [[noreturn]] void not_a_kernel() const {
    throw InternalError("lower: the element rule of " + op_.def->name + " writes a kernel");
  }
  Emitter& emitter_;
  const ir::Op& op_;
  const Indices& indices_;
  const Step* step_;
};

/// What an op's `kernel` rule sees.
class KernelContext : public ops::LowerContext {
 public:
  KernelContext(Emitter& emitter, const ir::Op& op, Accesses& accesses, const ops::Registers& registers)
      : emitter_(emitter), op_(op), accesses_(accesses), registers_(registers) {
    for (const auto& result : op.results) emitter.buffer_of(result.get(), Access::out);
  }

  const ir::Op& op() const override { return op_; }
  kernel::Builder& build() override { return emitter_.build_; }
  const Indices& indices() const override {
    throw InternalError("lower: the kernel rule of " + op_.def->name + " asks for the indices of an element");
  }
  using LowerContext::read;
  // A kernel rule opens its loops itself, unseen here: each read has a scope of its own.
  kernel::Value* read(std::size_t operand, const Indices& indices) override {
    return emitter_.in_vector([&] { return emitter_.element(op_.operand(operand), indices); });
  }
  kernel::Value* read_if(kernel::Value* condition, std::size_t operand, const Indices& indices,
                         kernel::Value* fallback) override {
    return emitter_.in_vector([&] { return emitter_.element_if(condition, op_.operand(operand), indices, fallback); });
  }
  kernel::Value* reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                        const std::function<kernel::Value*(const Indices&)>& body) override {
    return emitter_.in_vector([&] { return emitter_.reduce(extents, how, dtype, body); });
  }
  void outer_loop(std::int64_t extent, const std::function<void(const Index&)>& body) override {
    emitter_.build_.serial_loop("i", extent, body);  // parallel in the end, when it is worth it
  }
  kernel::Value* load(std::size_t result, const Indices& indices) override {
    const ir::Value* value = op_.result(result);
    const int buffer = emitter_.buffer_of(value, Access::inout);
    return emitter_.build_.load(buffer, emitter_.address(*value, indices));
  }
  void store(std::size_t result, const Indices& indices, kernel::Value* value) override {
    emitter_.store(op_.result(result), indices, value);
  }
  ops::Memory operand_memory(std::size_t operand) override {
    const ir::Value& value = *op_.operand(operand);
    const std::optional<View> view =
        view_of(value, accesses_, [&](const ir::Value& v) { return emitter_.placement_.has(&v) || is_leaf(v); });
    if (!view)
      throw InternalError("lower: operand " + std::to_string(operand) + " of " + op_.def->name + " is no view");
    return {emitter_.buffer_of(view->base, Access::in), view->offset, view->strides};
  }
  ops::Memory result_memory(std::size_t result) override {
    const ir::Value* value = op_.result(result);
    return {emitter_.buffer_of(value, Access::inout), Index(0), ir::strides_of(*value)};
  }
  ops::Registers registers() const override { return registers_; }

 private:
  Emitter& emitter_;
  const ir::Op& op_;
  Accesses& accesses_;
  ops::Registers registers_;
};

void write_kernel(const ir::Op& op, Emitter& emitter, Accesses& accesses, const ops::Registers& registers) {
  emitter.note(op);
  KernelContext context(emitter, op, accesses, registers);
  op.def->kernel(context);
}

bool Emitter::Key::operator==(const Key& other) const {
  return value == other.value && predicate == other.predicate && indices == other.indices;
}

std::size_t Emitter::KeyHash::operator()(const Key& key) const {
  std::uint64_t hash =
      reinterpret_cast<std::uintptr_t>(key.value) ^ (reinterpret_cast<std::uintptr_t>(key.predicate) << 1);
  for (const Index& index : key.indices) hash = hash * 0x9e3779b97f4a7c15u + index.hash();
  return hash;
}

Emitter::Emitter(Unit& unit, Placement& placement, int vector_bytes, std::vector<const ir::Value*> members)
    : unit_(unit),
      placement_(placement),
      vector_bytes_(vector_bytes),
      members_(std::move(members)),
      build_(*unit.kernel, &ops::math_functions()),
      scopes_(1) {}

int Emitter::width_of(DType dtype) const {
  // 16-bit floats are computed in f32.
  const int bytes =
      is_float(dtype) ? std::max<int>(4, static_cast<int>(size_of(dtype))) : static_cast<int>(size_of(dtype));
  return std::max(1, vector_bytes_ / bytes);
}

void Emitter::note(const ir::Op& op) {
  if (noted_.insert(&op).second) unit_.ops.push_back(&op);
}

int Emitter::buffer_of(const ir::Value* value, Access access) {
  const auto found = buffers_.find(value);
  if (found != buffers_.end()) {
    kernel::Access& current = unit_.kernel->buffers[static_cast<std::size_t>(found->second)].access;
    if (current != access) current = Access::inout;
    return found->second;
  }
  const std::size_t storage = placement_.of(value);
  // Two values may share a storage (a constant twice, a branch's argument).
  for (const auto& [other, buffer] : buffers_)
    if (placement_.of(other) == storage) return buffers_[value] = buffer;
  const Storage& s = placement_.draft().storages[storage];
  unit_.storages.push_back(storage);
  return buffers_[value] = build_.buffer(s.name, s.dtype, s.elements, access);
}

Index Emitter::address(const ir::Value& value, const Indices& indices) const {
  const ir::Integers strides = ir::strides_of(value);
  Index position;
  for (std::size_t d = 0; d < indices.size(); ++d) position += indices[d] * strides[d];
  return position;
}

kernel::Value* Emitter::find(const Key& key) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->find(key);
    if (found != scope->end()) return found->second;
  }
  return nullptr;
}

bool Emitter::is_member(const ir::Value* value) const {
  return std::find(members_.begin(), members_.end(), value) != members_.end();
}

/// Members are known by their position: readers may reach the same element by way of other dimensions.
Emitter::Key Emitter::key(const ir::Value* value, const kernel::Value* predicate, const Indices& indices) const {
  if (!is_member(value)) return {value, predicate, indices};
  return {value, predicate, {kernel::flatten(indices, dims_of(*value))}};
}

kernel::Value* Emitter::element(const ir::Value* value, const Indices& indices) {
  if (kernel::Value* known = find(key(value, nullptr, indices))) return known;
  if (predicate_)
    if (kernel::Value* known = find(key(value, predicate_, indices))) return known;
  kernel::Value* computed = compose(value, indices);
  scopes_.back()[key(value, predicate_, indices)] = computed;
  return computed;
}

kernel::Value* Emitter::compose(const ir::Value* value, const Indices& indices) {
  const DType dtype = value->type.dtype;
  if (count_of(*value) == 0) return build_.constant(dtype, 0);  // nobody can use it
  if (value->definer && is_leaf(*value)) {
    const ir::Literal& literal = value->definer->attributes.literal("value");
    return literal.is_splat() ? build_.bits(dtype, element_bits(literal)) : load(value, indices);
  }
  const auto kept = kept_.find(value);
  if (kept != kept_.end()) {
    const Index at = kept->second.in_layout ? address(*value, indices) : kernel::flatten(indices, dims_of(*value));
    return build_.load(kept->second.scratch, at - kept->second.base);
  }
  if (!is_member(value) && placement_.has(value)) return load(value, indices);
  if (!value->definer || !value->definer->def->element)
    throw InternalError("lower: %" + value->name + " is read, but neither stored nor composable");
  note(*value->definer);
  ElementContext context(*this, *value->definer, indices);
  return value->definer->def->element(context);
}

kernel::Value* Emitter::load(const ir::Value* value, const Indices& indices) {
  const int buffer = buffer_of(value, Access::in);
  const Index position = address(*value, indices);
  if (!predicate_) return build_.load(buffer, position);
  return build_.load_if(predicate_, buffer, position, build_.constant(value->type.dtype, unread_));
}

kernel::Value* Emitter::element_if(kernel::Value* condition, const ir::Value* value, const Indices& indices,
                                   kernel::Value* fallback) {
  if (condition->opcode == kernel::Opcode::constant) return condition->bits ? element(value, indices) : fallback;
  if (count_of(*value) == 0) return fallback;
  kernel::Value* const outer = predicate_;
  predicate_ = outer ? build_.bit_and(outer, condition) : condition;
  // What is computed where the condition does not hold is replaced below. A load alone gives what replaces it mostly;
  // but no 0/0 is computed: LLVM 19 takes it for 0 when it knows both to be 0, and leaves the replacement out.
  const bool is_load = is_leaf(*value) || (placement_.has(value) && !is_member(value));
  const int unread = std::exchange(unread_, is_load && !outer ? 0 : 1);
  kernel::Value* computed = element(value, indices);
  unread_ = unread;
  predicate_ = outer;
  return build_.select(condition, computed, fallback);
}

kernel::Value* Emitter::fold(const ir::Value* anchor, const Indices& indices, const Index& k, kernel::Value* so_far) {
  note(*anchor->definer);
  const ElementContext::Step step{k, so_far};
  ElementContext context(*this, *anchor->definer, indices, &step);
  return anchor->definer->def->element(context);
}

kernel::Value* Emitter::combine(const ir::Value* anchor, const Indices& indices, kernel::Value* x, kernel::Value* y) {
  const ElementContext::Step step{Index(0), x, y};
  ElementContext context(*this, *anchor->definer, indices, &step);
  return anchor->definer->def->element(context);
}

void Emitter::provide(const ir::Value* value, const Indices& indices, kernel::Value* computed) {
  scopes_.back()[key(value, nullptr, indices)] = computed;
}

void Emitter::store(const ir::Value* value, const Indices& indices, kernel::Value* computed) {
  build_.store(buffer_of(value, Access::out), address(*value, indices), computed);
}

kernel::Value* Emitter::start_of(kernel::Combine how, DType dtype) {
  return how == kernel::Combine::add ? build_.constant(dtype, 0)
                                     : build_.bits(dtype, kernel::identity_bits(how, dtype));
}

kernel::Value* Emitter::reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                               const std::function<kernel::Value*(const Indices&)>& body) {
  kernel::Value* init = start_of(how, dtype);
  if (std::find(extents.begin(), extents.end(), 0) != extents.end()) return init;
  Indices indices;
  if (!joins_reductions_ || extents.size() < 2) return reduce_from(0, extents, how, init, indices, body);
  const std::int64_t all = std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
  return reduce_from(0, {all}, how, init, indices,
                     [&](const Indices& at) { return body(kernel::unflatten(at.front(), extents)); });
}

/// The loops of extents[axis..]; `indices` holds those outside. Innermost a vector loop, unless already in one.
kernel::Value* Emitter::reduce_from(std::size_t axis, const std::vector<std::int64_t>& extents, kernel::Combine how,
                                    kernel::Value* init, Indices& indices,
                                    const std::function<kernel::Value*(const Indices&)>& body) {
  if (axis == extents.size()) return build_.combine(how, init, body(indices));
  const std::int64_t extent = extents[axis];
  const auto rest = [&](const Index& i, kernel::Value* carried) {
    indices.push_back(i);
    kernel::Value* result = reduce_from(axis + 1, extents, how, carried, indices, body);
    indices.pop_back();
    return result;
  };
  if (extent == 1) return rest(Index(0), init);
  const bool innermost = std::all_of(extents.begin() + static_cast<std::ptrdiff_t>(axis) + 1, extents.end(),
                                     [](std::int64_t e) { return e == 1; });
  if (vector_depth_ == 0 && innermost) {
    const int width = width_of(init->dtype);
    constexpr int kMostAccumulators = 4;  // of one reduction: more add to what is left of short ones
    const int share = std::max(1, std::min(kMostAccumulators, kVectorsInFlight / reductions_together_));
    const int accumulators = extent >= 8 * width ? share : 1;
    return build_.loop("k", extent, {kernel::LoopKind::vector, width, accumulators}, {{init, how}},
                       [&](const Index& i, const std::vector<kernel::Value*>& carried) {
                         return in_vector([&] { return std::vector<kernel::Value*>{rest(i, carried[0])}; });
                       })[0];
  }
  return build_.loop("k", extent, {kernel::LoopKind::serial}, {{init, kernel::Combine::none}},
                     [&](const Index& i, const std::vector<kernel::Value*>& carried) {
                       return scoped([&] { return std::vector<kernel::Value*>{rest(i, carried[0])}; });
                     })[0];
}

}  // namespace pullback::lower
