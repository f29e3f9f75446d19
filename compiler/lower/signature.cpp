// Values, ops and storages are numbered as they appear, so that it is the wiring that is compared.
#include "compiler/lower/signature.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/lower/key_writer.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {
namespace {

/// What the next numbers of a key are about.
enum class Tag : std::uint8_t { seen, constant, memory, computed, member };

class Describer {
 public:
  Describer(const Group& group, const Placement& placement, FormNumbers& forms)
      : group_(group), placement_(placement), forms_(forms) {}

  std::optional<Signature> run() {
    write_.number(group_.kind);
    write_.integers({group_.rows, group_.inner, group_.slabs});
    if (group_.op) op(*group_.op);
    write_.number(group_.anchors.size());
    for (const ir::Value* anchor : group_.anchors) {
      value(anchor);
      const Group::Along* along = group_.along.find(anchor);
      write_.number(along != nullptr);
      if (along) write_.number(*along);
    }
    write_.number(group_.stored.size());
    for (const ir::Value* stored : group_.stored) {
      value(stored);
      place(stored);
      order(*stored);
    }
    for (const auto* list : {&group_.behind, &group_.passed}) {
      write_.number(list->size());
      for (const ir::Value* anchor : *list) value(anchor);
    }
    if (has_regions_) return std::nullopt;
    signature_.key = write_.text();
    return std::move(signature_);
  }

 private:
  bool is_member(const ir::Value* value) const {
    return group_.kind != Group::Kind::kernel &&
           std::find(group_.anchors.begin(), group_.anchors.end(), value) != group_.anchors.end();
  }

  void value(const ir::Value* v) {
    std::size_t& number = values_[v];
    if (number > 0) {
      write_.number(Tag::seen);
      write_.number(number);
      return;
    }
    number = ++value_count_;
    if (v->definer && is_leaf(*v)) {
      constant(*v);
    } else if (!v->definer || (placement_.has(v) && !is_member(v))) {
      write_.number(Tag::memory);
      write_.type(v->type);
      write_.integers(ir::layout_of(*v));
      place(v);
    } else {
      write_.number(is_member(v) ? Tag::member : Tag::computed);
      write_.number(v->index);
      op(*v->definer);
    }
  }

  /// One number in all elements is written into the kernel; what else there is, it reads.
  void constant(const ir::Value& v) {
    const ir::Literal& literal = v.definer->attributes.literal("value");
    const bool splat = literal.is_splat();
    write_.number(Tag::constant);
    write_.type(v.type);
    write_.integers(ir::layout_of(v));
    write_.number(splat);
    if (splat) write_.bytes(literal.bytes.data(), size_of(literal.dtype));
    place(&v);
  }

  /// Which of the storages it is, by the order of appearance.
  void place(const ir::Value* v) {
    const std::vector<const ir::Value*>& places = signature_.places;
    const std::optional<std::size_t> storage = placement_.find(*v);
    std::size_t i = 0;
    while (i < places.size() && !is_same_place(*v, storage, *places[i], storages_[i])) ++i;
    write_.number(i);
    if (i < places.size()) return;
    signature_.places.push_back(v);
    storages_.push_back(storage);
    write_.number(storage.has_value());
    if (!storage) return;
    write_.number(placement_.draft().storages[*storage].dtype);
    write_.number(placement_.draft().storages[*storage].elements);
  }

  /// Of two values and the storages that they have.
  static bool is_same_place(const ir::Value& a, std::optional<std::size_t> x, const ir::Value& b,
                            std::optional<std::size_t> y) {
    if (&a == &b) return true;
    if (x || y) return x == y;
    // Neither has a storage yet: constants, which get the same one when they are equal.
    return is_leaf(a) && is_leaf(b) && a.definer && b.definer &&
           a.definer->attributes.literal("value") == b.definer->attributes.literal("value");
  }

  void op(const ir::Op& op) {
    std::size_t& number = ops_[&op];
    const bool fresh = number == 0;
    if (fresh) number = signature_.ops.size() + 1;
    write_.number(fresh);
    write_.number(number);
    if (!fresh) return;
    signature_.ops.push_back(&op);
    has_regions_ |= !op.regions.empty();
    write_.number(forms_.of(op));
    for (const ir::Value* operand : op.operands) value(operand);
  }

  /// The order in memory of what the value is a reshape of, wherever that lies: loops may follow it.
  void order(const ir::Value& stored) {
    const ir::Value* v = &stored;
    while (v->definer && v->definer->def == &ops::op_reshape) v = v->definer->operand(0);
    write_.type(v->type);
    write_.integers(ir::layout_of(*v));
  }

  const Group& group_;
  const Placement& placement_;
  FormNumbers& forms_;
  Signature signature_;
  KeyWriter write_;
  std::vector<std::optional<std::size_t>> storages_;  ///< of the signature's places
  PointerMap<std::size_t> values_, ops_;              ///< from 1 on, in the order of appearance
  std::size_t value_count_ = 0;
  bool has_regions_ = false;
};

}  // namespace

std::optional<Signature> signature_of(const Group& group, const Placement& placement, FormNumbers& forms) {
  return Describer(group, placement, forms).run();
}

}  // namespace pullback::lower
