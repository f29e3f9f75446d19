// Machine code as plain bytes: what a code generator leaves behind for later runs, which then need no LLVM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/abi.h"

namespace pullback::runtime {

/// Code and constants of one schedule, position-independent: nothing but the imports depends on where it lies.
struct CodeImage {
  /// An 8-byte slot in the image that receives the address of one of the runtime's symbols.
  struct Import {
    std::string symbol;
    std::uint64_t offset = 0;
  };
  std::vector<std::byte> bytes;
  std::uint64_t entry = 0;  ///< offset of the EntryFunction
  std::vector<Import> imports;
};

/// The image as bytes with a checksum, and back. Throws Error, beginning with `what`, when it is no whole image.
std::vector<std::byte> serialize(const CodeImage& image);
CodeImage parse_image(const std::string& what, std::span<const std::byte> bytes);

struct LoadedCode {
  EntryFunction entry = nullptr;
  std::shared_ptr<void> memory;  ///< keeps the code alive
};
/// Copies the image to executable memory, which nobody may write afterwards. Throws Error when the system has none, or
/// when the image imports what the runtime does not offer.
LoadedCode load(const CodeImage& image);

/// A function that generated code may call.
struct RuntimeSymbol {
  const char* name;
  void* address;
};
std::span<const RuntimeSymbol> runtime_symbols();

}  // namespace pullback::runtime
