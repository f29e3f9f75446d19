// CPU levels and what the host has of them. Detection asks the compiler's own cpuid support, so that choosing a target
// needs no LLVM.
#include "compiler/support/target.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include <pullback/error.h>

namespace pullback {
namespace {

Target level(int number) {
  Target target;
  target.cpu = target.name = "x86-64-v" + std::to_string(number);
  if (number >= 3) {
    target.vector_bytes = 32;
    target.has_fma = target.has_f16c = true;
  }
  if (number >= 4) {
    target.vector_bytes = 64;
    target.vector_registers = 32;
    target.has_masks = true;
    target.second_level = 1 << 20;
  }
  return target;
}

void add_feature(Target& target, const std::string& feature) {
  target.features += (target.features.empty() ? "+" : ",+") + feature;
  if (feature == "avx512bf16") target.has_bf16_dot = true;
}

/// The highest level that this CPU and operating system support; 0 for none from 2 on.
int host_level() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("x86-64-v2")) return 0;
  if (!__builtin_cpu_supports("x86-64-v3")) return 2;
  return __builtin_cpu_supports("x86-64-v4") ? 4 : 3;
}

}  // namespace

Target Target::host() {
  const int number = host_level();
  if (number == 0) throw Error("this CPU is older than x86-64-v2, the oldest that code can be generated for");
  Target target = level(number);
  target.name = "host";
#ifdef _SC_LEVEL2_CACHE_SIZE
  // 0 or less where the system does not know.
  if (const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0)
    target.second_level = std::clamp<std::int64_t>(bytes, 256 << 10, 2 << 20);
#endif
  if (__builtin_cpu_supports("gfni")) add_feature(target, "gfni");
  if (__builtin_cpu_supports("avx512vbmi")) add_feature(target, "avx512vbmi");
  if (__builtin_cpu_supports("avx512vbmi2")) add_feature(target, "avx512vbmi2");
  if (__builtin_cpu_supports("avx512bitalg")) add_feature(target, "avx512bitalg");
  if (__builtin_cpu_supports("avx512bf16")) add_feature(target, "avx512bf16");
  return target;
}

bool Target::runs_here() const {
  const int number = cpu.back() - '0';
  if (number > host_level()) return false;
  if (features.empty()) return true;
  const std::string here = "," + host().features + ",";
  std::istringstream each(features);
  for (std::string feature; std::getline(each, feature, ',');)
    if (here.find("," + feature + ",") == std::string::npos) return false;
  return true;
}

Target Target::parse(std::string_view name) {
  if (name == "host") return host();
  for (int number : {2, 3, 4})
    if (Target target = level(number); target.name == name) return target;
  if (name == "x86-64-v4+avx512bf16") {
    Target target = level(4);
    target.name = name;
    add_feature(target, "avx512bf16");
    return target;
  }
  throw Error("unknown target \"" + std::string(name) +
              "\": it must be x86-64-v2, x86-64-v3, x86-64-v4, x86-64-v4+avx512bf16 or host");
}

}  // namespace pullback
