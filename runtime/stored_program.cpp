#include "runtime/stored_program.h"

#include <algorithm>

#include <pullback/error.h>

#include "runtime/bytes.h"

namespace pullback::runtime {

namespace {

void write_dims(ByteWriter& writer, const std::vector<std::int64_t>& dims) {
  writer.number(static_cast<std::uint32_t>(dims.size()));
  for (const std::int64_t dim : dims) writer.number(dim);
}

void write_slot(ByteWriter& writer, const ExternalSlot& slot) {
  writer.text(slot.name);
  writer.number(slot.role);
  writer.number(slot.dtype);
  write_dims(writer, slot.dims);
}

void write_check(ByteWriter& writer, const Check& check) {
  writer.text(check.message);
  writer.text(check.where.file);
  writer.number(check.where.line);
  writer.number(static_cast<std::uint32_t>(check.witnesses.size()));
  for (const Witness& witness : check.witnesses) {
    writer.number(witness.dtype);
    writer.number(witness.base);
    writer.number(witness.offset);
  }
}

std::vector<std::byte> bytes_of(const ExecutableLayout& layout) {
  ByteWriter writer;
  writer.number(layout.arena_bytes);
  writer.number(layout.scratch_bytes);
  writer.number(layout.profiled_calls);
  writer.number(static_cast<std::uint32_t>(layout.slots.size()));
  for (const ExternalSlot& slot : layout.slots) write_slot(writer, slot);
  writer.number(static_cast<std::uint32_t>(layout.checks.size()));
  for (const Check& check : layout.checks) write_check(writer, check);
  const Bytes constants(static_cast<const std::byte*>(layout.constants.raw()),
                        static_cast<std::size_t>(layout.constants.size()));
  writer.number(static_cast<std::uint64_t>(constants.size()));
  writer.raw(constants);
  return writer.bytes();
}

ExternalSlot read_slot(ByteReader& reader) {
  ExternalSlot slot;
  slot.name = reader.text();
  slot.role = reader.number<SlotRole>();
  slot.dtype = reader.number<DType>();
  slot.dims.resize(reader.number<std::uint32_t>());
  for (std::int64_t& dim : slot.dims) dim = reader.number<std::int64_t>();
  return slot;
}

Check read_check(ByteReader& reader) {
  Check check;
  check.message = reader.text();
  check.where.file = reader.text();
  check.where.line = reader.number<int>();
  check.witnesses.resize(reader.number<std::uint32_t>());
  for (Witness& witness : check.witnesses) {
    witness.dtype = reader.number<DType>();
    witness.base = reader.number<std::size_t>();
    witness.offset = reader.number<std::size_t>();
  }
  return check;
}

/// `bytes` passed the checksum: they are what was written.
ExecutableLayout read_layout(const std::string& what, Bytes bytes) {
  ByteReader reader(what, bytes);
  ExecutableLayout layout;
  layout.arena_bytes = reader.number<std::size_t>();
  layout.scratch_bytes = reader.number<std::size_t>();
  layout.profiled_calls = reader.number<std::size_t>();
  layout.slots.resize(reader.number<std::uint32_t>());
  for (ExternalSlot& slot : layout.slots) slot = read_slot(reader);
  layout.checks.resize(reader.number<std::uint32_t>());
  for (Check& check : layout.checks) check = read_check(reader);
  const Bytes constants = reader.take(reader.number<std::uint64_t>());
  layout.constants = Array(u8, {static_cast<std::int64_t>(constants.size())});
  std::copy(constants.begin(), constants.end(), static_cast<std::byte*>(layout.constants.raw()));
  return layout;
}

}  // namespace

std::vector<std::byte> serialize(const StoredProgram& program) {
  const std::vector<std::byte> layout = bytes_of(program.layout);
  ByteWriter writer;
  writer.number(static_cast<std::uint64_t>(layout.size()));
  writer.number(crc_of(layout));
  writer.raw(Bytes(layout));
  writer.raw(Bytes(serialize(program.code)));
  return writer.bytes();
}

StoredProgram parse_program(const std::string& what, std::span<const std::byte> bytes) {
  ByteReader reader(what, bytes);
  const auto size = reader.number<std::uint64_t>();
  const auto checksum = reader.number<std::uint32_t>();
  const Bytes layout = reader.take(size);
  if (crc_of(layout) != checksum) reader.fail("the file is damaged");
  StoredProgram program;
  program.layout = read_layout(what, layout);
  program.code = parse_image(what, reader.rest());
  return program;
}

}  // namespace pullback::runtime
