#include "runtime/checkpoint.h"

#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/error.h>
#include <pullback/state.h>

#include "runtime/bytes.h"
#include "runtime/file.h"

namespace pullback::runtime {

namespace {

constexpr std::string_view kStateMagic = "PBSTATE\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPreamble = 16;  // magic, version, bytes of the table

Bytes data_of(const Array& array) {
  return {static_cast<const std::byte*>(array.raw()), array.bytes()};
}

std::string describe(const std::string& path) {
  return "checkpoint " + path;
}

std::vector<std::byte> table_of(const State& state) {
  ByteWriter table;
  table.number(static_cast<std::uint32_t>(state.size()));
  for (const auto& [name, kind, value] : state.entries()) {
    table.text(name);
    table.number(static_cast<std::uint8_t>(kind));
    table.text(name_of(value.dtype()));
    table.number(static_cast<std::uint32_t>(value.dims().size()));
    for (const std::int64_t dim : value.dims()) table.number(dim);
    table.number(static_cast<std::uint64_t>(value.bytes()));
    table.number(crc_of(data_of(value)));
  }
  return table.bytes();
}

struct TableEntry {
  std::string name;
  StateKind kind;
  DType dtype;
  std::vector<std::int64_t> dims;
  std::uint64_t bytes;
  std::uint32_t crc;
};

TableEntry read_entry(ByteReader& table) {
  TableEntry entry{};
  entry.name = table.text();
  const auto kind = table.number<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(StateKind::counter))
    table.fail(fmt::format("'{}' is of an unknown kind", entry.name));
  entry.kind = static_cast<StateKind>(kind);
  const std::string dtype = table.text();
  if (const auto known = dtype_from_name(dtype)) {
    entry.dtype = *known;
  } else {
    table.fail(fmt::format("'{}' has the unknown dtype '{}'", entry.name, dtype));
  }
  const auto rank = table.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < rank; ++i) entry.dims.push_back(table.number<std::int64_t>());
  entry.bytes = table.number<std::uint64_t>();
  entry.crc = table.number<std::uint32_t>();
  return entry;
}

// Whether an array of this type has so many bytes: a table that lies about sizes must not make us allocate them.
bool holds(const TableEntry& entry, std::size_t bytes) {
  std::int64_t wanted = static_cast<std::int64_t>(size_of(entry.dtype));
  for (const std::int64_t dim : entry.dims)
    if (dim < 0 || __builtin_mul_overflow(wanted, dim, &wanted)) return false;
  return static_cast<std::size_t>(wanted) == bytes;
}

// The table, with preamble and checksum verified. `file` continues at the data.
std::vector<TableEntry> read_table(const std::string& what, ByteReader& file, Bytes bytes) {
  if (bytes.empty()) file.fail("the file is empty");
  if (bytes.size() < kStateMagic.size() || std::memcmp(bytes.data(), kStateMagic.data(), kStateMagic.size()) != 0)
    file.fail("not a checkpoint of Pullback");
  file.take(kStateMagic.size());
  const auto version = file.number<std::uint32_t>();
  if (version > kVersion)
    file.fail(fmt::format("written by a newer Pullback: format {}, this one reads up to {}", version, kVersion));
  const auto table_bytes = file.number<std::uint32_t>();
  ByteReader table(what, file.take(table_bytes));
  if (file.number<std::uint32_t>() != crc_of(bytes.first(kPreamble + table_bytes)))
    file.fail("the file is damaged: the checksum of its table is wrong");
  std::vector<TableEntry> entries;
  const auto count = table.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count; ++i) entries.push_back(read_entry(table));
  if (!table.at_end()) table.fail("the file is damaged: its table is too long");
  return entries;
}

}  // namespace

void write_checkpoint(const std::string& path, const State& state) {
  const std::vector<std::byte> table = table_of(state);
  if (table.size() > std::numeric_limits<std::uint32_t>::max())
    throw Error(describe(path) + ": too many entries for one file");
  ByteWriter head;
  head.raw(kStateMagic);
  head.number(kVersion);
  head.number(static_cast<std::uint32_t>(table.size()));
  head.raw(Bytes(table));
  head.number(crc_of(head.bytes()));

  AtomicFile file(describe(path), path);
  file.write(head.bytes());
  for (const auto& entry : state.entries()) file.write(data_of(entry.value));
  file.commit();
}

State read_checkpoint(const std::string& path) {
  const std::string what = describe(path);
  const std::vector<std::byte> bytes = read_file(what, path);
  ByteReader file(what, bytes);
  State state;
  for (TableEntry& entry : read_table(what, file, bytes)) {
    const Bytes data = file.take(entry.bytes);
    if (crc_of(data) != entry.crc)
      file.fail(fmt::format("the file is damaged: the checksum of '{}' is wrong", entry.name));
    if (!holds(entry, data.size()))
      file.fail(fmt::format("the file is damaged: '{}' is {}[{}] but has {} bytes", entry.name, name_of(entry.dtype),
                            fmt::join(entry.dims, ","), data.size()));
    Array value(entry.dtype, std::move(entry.dims), {});
    if (!data.empty()) std::memcpy(value.raw(), data.data(), data.size());
    state.add(std::move(entry.name), entry.kind, std::move(value));
  }
  if (!file.at_end()) file.fail("the file is damaged: there are bytes after its end");
  return state;
}

}  // namespace pullback::runtime
