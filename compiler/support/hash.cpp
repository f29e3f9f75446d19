#include "compiler/support/hash.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace pullback {
namespace {

constexpr std::uint64_t fnv_step(std::uint64_t hash, char c) {
  return (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
}

}  // namespace

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = fnv_step(hash, c);
  return hash;
}

// Eight bytes at a time: keys of large networks have a hundred thousand. Two sums with multipliers of their own, each
// of which a word changes for good.
std::string digest(std::string_view text) {
  std::uint64_t first = 0xcbf29ce484222325 ^ text.size(), second = 0x9e3779b97f4a7c15;
  for (std::size_t i = 0; i < text.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, std::min(sizeof word, text.size() - i));
    first = (first ^ word) * 0xbf58476d1ce4e5b9;
    first ^= first >> 31;
    second = (second ^ word) * 0x94d049bb133111eb;
    second ^= second >> 29;
  }
  return fmt::format("{:016x}{:016x}", first, second);
}

}  // namespace pullback
