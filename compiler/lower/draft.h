// What lowering has before the plan: kernels over storages, without order or addresses.
//
// A storage is a tensor in memory. Each is written by one item (or one in each side of a branch), before it is read.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"

namespace pullback::ir {
struct Literal;
}

namespace pullback::lower {

struct Storage {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements = 0;
  std::ptrdiff_t slot = -1;               ///< the external slot it is, or -1
  const ir::Literal* constant = nullptr;  ///< the contents of a constant storage
};

/// A kernel and what its parameters (buffers that are not scratch, in order) are.
struct Unit {
  kernel::Kernel kernel;
  std::vector<std::size_t> storages;
  std::string what;
  std::vector<SourceLine> lines;
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

struct Item {
  std::variant<Unit, CheckItem, BranchItem> action;
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

  std::size_t add_storage(Storage storage) {
    storages.push_back(std::move(storage));
    return storages.size() - 1;
  }
};

/// The storages an item reads or writes, those of a branch's sides included; each once, in order of occurrence.
struct Footprint {
  std::vector<std::size_t> reads, writes;
};
Footprint footprint(const Item& item, const Draft& draft);

/// A kernel that copies the storage `from` into `to`.
Unit copy_unit(const Draft& draft, std::size_t from, std::size_t to, int vector_bytes);

}  // namespace pullback::lower
