// The machine that code is generated for: instruction set, vector width and what depends on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <pullback/dtype.h>

namespace pullback {

/// A CPU level of the x86-64 ABI with optional additions. Two targets with equal `cpu` and `features` run the same
/// programs to the same bits.
struct Target {
  std::string name;           ///< as parse() reads it: "x86-64-v3", "host"
  std::string cpu;            ///< the level: "x86-64-v3"
  std::string features;       ///< beyond the level, as LLVM writes them: "+avx512bf16,+gfni"; may be empty
  int vector_bytes = 16;      ///< of the widest register: 16, 32 or 64
  int vector_registers = 16;  ///< 16, or 32 with AVX-512
  bool has_fma = false;       ///< otherwise fma is emulated: same bits, slow
  bool has_f16c = false;      ///< conversions between f16 and f32 in hardware
  bool has_bf16_dot = false;  ///< sums of two products of bf16 in one instruction (AVX512_BF16)
  bool has_masks = false;     ///< masked loads and stores of any element size (AVX-512)
  /// Bytes of a core's second level of cache, for which loops are cut. It decides speed only, never a result.
  std::int64_t second_level = 512 << 10;

  /// Elements of `dtype` in one vector.
  int lanes(DType dtype) const { return vector_bytes / static_cast<int>(size_of(dtype)); }
  /// Can this process run code for the target?
  bool runs_here() const;

  /// The CPU this process runs on. Throws Error for one below x86-64-v2.
  static Target host();
  /// "x86-64-v2", "x86-64-v3", "x86-64-v4", "x86-64-v4+avx512bf16" or "host". Throws Error for another name.
  static Target parse(std::string_view name);
};

}  // namespace pullback
