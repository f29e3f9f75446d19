#include "compiler/support/hash.h"

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

std::string digest(std::string_view text) {
  std::uint64_t second = 0x9e3779b97f4a7c15;
  for (const char c : text) {
    second = fnv_step(second, c);
    second ^= second >> 29;
  }
  return fmt::format("{:016x}{:016x}", fnv1a(text), second);
}

}  // namespace pullback
