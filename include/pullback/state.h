// What training changes, as one thing: parameters, optimizer slots, running statistics and counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <pullback/array.h>

namespace pullback {

/// Why a value is part of the state: learned, kept by the optimizer, running statistics of a layer, or a count
/// (the step number, the key of the random numbers).
enum class StateKind : std::uint8_t { parameter, slot, statistic, counter };

/// "parameter", "slot", "statistic" or "counter".
std::string_view name_of(StateKind kind);

/// Named arrays in a fixed order, saved and restored as a whole. The storage of an entry never moves or changes its
/// type: compiled code updates it in place.
class State {
 public:
  struct Entry {
    std::string name;
    StateKind kind = StateKind::parameter;
    Array value;
  };

  State() = default;
  State(State&&) = default;
  State& operator=(State&&) = default;
  State(const State&) = delete;  // clone() says what is meant
  State& operator=(const State&) = delete;

  /// Appends an entry that shares `initial`'s storage. Throws Error when the name is empty or taken.
  void add(std::string name, StateKind kind, Array initial);

  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The entry's array, which shares its storage: who writes to its elements changes the state. Throws Error, with
  /// similar names, when there is no such entry.
  Array get(std::string_view name, std::source_location where = std::source_location::current()) const;
  /// Copies the elements of `value` into the entry. Throws Error when the name is unknown or the type differs.
  void set(std::string_view name, const Array& value, std::source_location where = std::source_location::current());

  /// A copy with its own storage.
  State clone() const;
  /// Copies all elements of `other`, whose entries must be the same in names and types, in any order (else Error,
  /// and nothing is changed).
  void copy_from(const State& other, std::source_location where = std::source_location::current());

  /// Writes a checkpoint: to a temporary file beside `path` that replaces it only when it is complete and on disk.
  /// Throws Error when that fails; a file that was there before is then unharmed.
  void save(const std::string& path, std::source_location where = std::source_location::current()) const;
  /// Reads a checkpoint whose entries must be this state's in names and types. Throws Error when the file is missing,
  /// damaged or does not fit; the state is unchanged then.
  void load(const std::string& path, std::source_location where = std::source_location::current());
  /// The state that a checkpoint holds. Throws Error when the file is missing or damaged.
  static State read(const std::string& path, std::source_location where = std::source_location::current());

 private:
  const Entry* find(std::string_view name) const;
  const Entry& at(std::string_view name, const std::source_location& where) const;

  struct HashOfName {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t, HashOfName, std::equal_to<>> positions_;
};

}  // namespace pullback
