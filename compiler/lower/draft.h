// What lowering has before the plan: kernels over storages, without order or addresses.
//
// A storage is a tensor in memory. Each is written by one item (or one in each side of a branch), before it is read;
// but for the carries of loops, which are written before the loop and in it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"

namespace pullback::ir {
struct Literal;
class Op;
}  // namespace pullback::ir

namespace pullback::lower {

struct Storage {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements = 0;
  std::ptrdiff_t slot = -1;               ///< the external slot it is, or -1
  const ir::Literal* constant = nullptr;  ///< the contents of a constant storage

  /// A view: this storage is a part of that one, `offset` bytes behind its start, and moves with a loop.
  std::ptrdiff_t base = -1;
  std::int64_t offset = 0;
  std::optional<schedule::Motion> motion = {};
  /// The same memory as that storage: a carry that is replaced in place.
  std::ptrdiff_t alias = -1;
  bool is_scratch = false;  ///< of one kernel, while it runs
};

/// A kernel and what its parameters (buffers that are not scratch, in order) are.
struct Unit {
  std::shared_ptr<kernel::Kernel> kernel = std::make_shared<kernel::Kernel>();  ///< equal groups have one together
  std::vector<std::size_t> storages;
  std::vector<const ir::Op*> ops = {};  ///< that it computes, in the order in which they were written
  std::string what = {};
  std::vector<SourceLine> lines = {};
  bool borrowed = false;  ///< the kernel was written for another unit: its parameters bear that one's names
};

struct CheckItem {
  std::size_t predicate = 0;
  std::size_t check = 0;
};

struct Item;
struct BranchItem {
  std::size_t predicate = 0;
  std::vector<Item> then_items, else_items;
};

/// See schedule::Loop.
struct LoopItem {
  std::size_t id = 0;
  std::int64_t trips = 0;
  std::ptrdiff_t predicate = -1;
  std::vector<Item> condition, body;
};

struct Item {
  std::variant<Unit, CheckItem, BranchItem, LoopItem> action;
  std::size_t priority = 0;  ///< lower runs earlier where dependences allow
};

/// `storage` has to be in external slot `slot` when the step ends.
struct Delivery {
  std::size_t storage = 0;
  std::size_t slot = 0;
};

struct Draft {
  std::string name;
  std::vector<schedule::Slot> slots;
  std::vector<Storage> storages;            ///< the arguments first: storage i is slot i
  std::vector<Item> items;                  ///< in a valid order
  std::vector<schedule::CheckInfo> checks;  ///< witnesses index storages
  std::vector<Delivery> deliveries;
  std::size_t loops = 0;

  std::size_t add_storage(Storage storage) {
    storages.push_back(std::move(storage));
    return storages.size() - 1;
  }
  /// A part of a storage.
  std::size_t add_view(std::string view_name, std::size_t base, std::int64_t elements, std::int64_t offset,
                       std::optional<schedule::Motion> motion = {}) {
    Storage view{std::move(view_name), storages[base].dtype, elements};
    view.base = static_cast<std::ptrdiff_t>(base);
    view.offset = offset;
    view.motion = motion;
    return add_storage(std::move(view));
  }
  /// The storage whose memory it is, at any depth.
  std::size_t root(std::size_t storage) const {
    for (;;) {
      const Storage& s = storages[storage];
      if (s.alias < 0 && s.base < 0) return storage;
      storage = static_cast<std::size_t>(s.alias >= 0 ? s.alias : s.base);
    }
  }
  /// Does its address depend on a running loop?
  bool moves(std::size_t storage) const {
    for (;;) {
      const Storage& s = storages[storage];
      if (s.motion) return true;
      if (s.alias < 0 && s.base < 0) return false;
      storage = static_cast<std::size_t>(s.alias >= 0 ? s.alias : s.base);
    }
  }
};

/// Does the item fail the step in some case?
bool has_check(const Item& item);

/// The storages an item reads or writes, those of a branch's sides and of a loop's body included; each once, in order
/// of occurrence.
struct Footprint {
  std::vector<std::size_t> reads, writes;
};
Footprint footprint(const Item& item, const Draft& draft);

/// A kernel that copies the storage `from` into `to`.
Unit copy_unit(const Draft& draft, std::size_t from, std::size_t to, int vector_bytes);

}  // namespace pullback::lower
