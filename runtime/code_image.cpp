#include "runtime/code_image.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/bytes.h"
#include "runtime/soft_float.h"

namespace pullback::runtime {

namespace {

constexpr std::string_view kCodeMagic = "PBCODE\n";

template <class Function>
void* address_of(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

std::span<const RuntimeSymbol> runtime_symbols() {
  using Move = void* (*)(void*, const void*, std::size_t);
  using Fill = void* (*)(void*, int, std::size_t);
  static const std::array symbols{
      RuntimeSymbol{"pullback_fma_f64", address_of(&pullback_fma_f64)},
      RuntimeSymbol{"pullback_fmod_f32", address_of(&pullback_fmod_f32)},
      RuntimeSymbol{"pullback_fmod_f64", address_of(&pullback_fmod_f64)},
      RuntimeSymbol{"pullback_run_calls", address_of(&pullback_run_calls)},
      // LLVM may write these for moves and fills.
      RuntimeSymbol{"memcpy", address_of(static_cast<Move>(&std::memcpy))},
      RuntimeSymbol{"memmove", address_of(static_cast<Move>(&std::memmove))},
      RuntimeSymbol{"memset", address_of(static_cast<Fill>(&std::memset))},
  };
  return symbols;
}

std::vector<std::byte> serialize(const CodeImage& image) {
  ByteWriter writer;
  writer.raw(kCodeMagic);
  writer.number(static_cast<std::uint32_t>(kAbiVersion));
  writer.number(image.entry);
  writer.number(static_cast<std::uint32_t>(image.imports.size()));
  for (const CodeImage::Import& import : image.imports) {
    writer.text(import.symbol);
    writer.number(import.offset);
  }
  writer.number(static_cast<std::uint64_t>(image.bytes.size()));
  writer.raw(Bytes(image.bytes));
  writer.number(crc_of(writer.bytes()));
  return writer.bytes();
}

CodeImage parse_image(const std::string& what, std::span<const std::byte> bytes) {
  ByteReader reader(what, bytes);
  const Bytes magic = reader.take(kCodeMagic.size());
  if (std::memcmp(magic.data(), kCodeMagic.data(), kCodeMagic.size()) != 0) reader.fail("no code of Pullback");
  if (reader.number<std::uint32_t>() != static_cast<std::uint32_t>(kAbiVersion)) reader.fail("of another version");
  CodeImage image;
  image.entry = reader.number<std::uint64_t>();
  const auto imports = reader.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < imports; ++i) {
    std::string symbol = reader.text();
    image.imports.push_back({std::move(symbol), reader.number<std::uint64_t>()});
  }
  const Bytes code = reader.take(reader.number<std::uint64_t>());
  image.bytes.assign(code.begin(), code.end());
  if (reader.number<std::uint32_t>() != crc_of(bytes.first(bytes.size() - sizeof(std::uint32_t))) || !reader.at_end())
    reader.fail("the file is damaged");
  const auto inside = [&](std::uint64_t offset, std::uint64_t size) {
    return size <= image.bytes.size() && offset <= image.bytes.size() - size;
  };
  if (!inside(image.entry, 1)) reader.fail("the file is damaged");
  for (const CodeImage::Import& import : image.imports)
    if (!inside(import.offset, sizeof(void*))) reader.fail("the file is damaged");
  return image;
}

LoadedCode load(const CodeImage& image) {
  const std::size_t size = std::max<std::size_t>(1, image.bytes.size());
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error(fmt::format("no memory for {} bytes of code: {}", size, std::strerror(errno)));
  std::shared_ptr<void> owner(memory, [size](void* start) { ::munmap(start, size); });
  auto* bytes = static_cast<std::byte*>(memory);
  std::memcpy(bytes, image.bytes.data(), image.bytes.size());
  for (const CodeImage::Import& import : image.imports) {
    const auto symbols = runtime_symbols();
    const auto known = std::find_if(symbols.begin(), symbols.end(),
                                    [&](const RuntimeSymbol& symbol) { return import.symbol == symbol.name; });
    if (known == symbols.end()) throw Error("compiled code needs the unknown symbol " + import.symbol);
    std::memcpy(bytes + import.offset, &known->address, sizeof known->address);
  }
  if (::mprotect(memory, size, PROT_READ | PROT_EXEC) != 0)
    throw Error(fmt::format("the system refuses executable memory: {}", std::strerror(errno)));
  return {reinterpret_cast<EntryFunction>(bytes + image.entry), std::move(owner)};
}

}  // namespace pullback::runtime
