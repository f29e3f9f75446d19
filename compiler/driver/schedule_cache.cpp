#include "compiler/driver/schedule_cache.h"

#include <cpuid.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/driver/compiler_identity.h"
#include "compiler/support/target.h"
#include "runtime/bytes.h"

namespace pullback::driver {

namespace {

/// "AMD EPYC 7B13": CPUs of one level differ in what is fast.
std::string cpu_model() {
  constexpr unsigned kFirst = 0x80000002, kParts = 3;
  std::array<unsigned, 4 * kParts> registers{};
  for (unsigned part = 0; part < kParts; ++part) {
    unsigned* r = &registers[4 * part];
    if (!__get_cpuid(kFirst + part, r, r + 1, r + 2, r + 3)) return "unknown";
  }
  std::array<char, sizeof registers> text{};
  std::memcpy(text.data(), registers.data(), sizeof registers);
  return {text.data(), strnlen(text.data(), text.size())};
}

runtime::ByteWriter written(const lower::ContractionSchedule& schedule) {
  runtime::ByteWriter writer;
  for (const bool flag : {schedule.transposed, schedule.pack_columns, schedule.pack_rows, schedule.paired})
    writer.number(static_cast<std::uint8_t>(flag));
  const lower::Blocking& blocking = schedule.blocking;
  for (const std::int64_t size :
       {schedule.tile.rows, schedule.tile.vectors, blocking.rows, blocking.columns, blocking.depth})
    writer.number(size);
  return writer;
}

/// Throws Error when the bytes are not what written() gave, with their checksum behind them.
lower::ContractionSchedule read_schedule(runtime::Bytes bytes) {
  runtime::ByteReader reader("schedule", bytes);
  lower::ContractionSchedule schedule;
  for (bool* flag : {&schedule.transposed, &schedule.pack_columns, &schedule.pack_rows, &schedule.paired})
    *flag = reader.number<std::uint8_t>() != 0;
  lower::Blocking& blocking = schedule.blocking;
  for (std::int64_t* size :
       {&schedule.tile.rows, &schedule.tile.vectors, &blocking.rows, &blocking.columns, &blocking.depth})
    *size = reader.number<std::int64_t>();
  const auto checksum = reader.number<std::uint32_t>();
  if (!reader.at_end() || checksum != runtime::crc_of(written(schedule).bytes())) reader.fail("it is damaged");
  return schedule;
}

}  // namespace

std::string tuned_machine(const Target& target, int threads) {
  return fmt::format("{} {}\n{}, {} threads\n", target.cpu, target.features, cpu_model(), threads);
}

ScheduleCache::ScheduleCache(std::optional<CacheFolder> folder, const Target& target, int threads)
    : folder_(std::move(folder)),
      machine_(fmt::format("schedule 1\n{}\n{}", compiler_fingerprint(), tuned_machine(target, threads))) {}

std::optional<lower::ContractionSchedule> ScheduleCache::find(const lower::ContractionProblem& problem) {
  const std::string key = machine_ + lower::describe(problem);
  const auto [entry, fresh] = known_.try_emplace(key);
  if (!fresh || !folder_) return entry->second;
  try {
    if (const auto kept = folder_->find(key, kScheduleFiles)) {
      const lower::ContractionSchedule schedule = read_schedule(kept->content);
      if (lower::is_valid(problem, schedule)) entry->second = schedule;
    }
  } catch (const Error&) {
    // A damaged entry is as good as none.
  }
  return entry->second;
}

void ScheduleCache::keep(const lower::ContractionProblem& problem, const lower::ContractionSchedule& schedule) {
  const std::string key = machine_ + lower::describe(problem);
  known_[key] = schedule;
  if (!folder_) return;
  runtime::ByteWriter writer = written(schedule);
  writer.number(runtime::crc_of(writer.bytes()));
  folder_->keep(key, kScheduleFiles, writer.bytes());
}

}  // namespace pullback::driver
