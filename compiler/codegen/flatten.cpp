#include "compiler/codegen/flatten.h"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/ELFObjectFile.h>

#include <cstring>
#include <map>
#include <string>
#include <unordered_map>

#include <pullback/error.h>

#include "compiler/codegen/emit_module.h"

namespace pullback::codegen {
namespace {

using File = llvm::object::ELFFile<llvm::object::ELF64LE>;
using Section = File::Elf_Shdr;
using Symbol = File::Elf_Sym;

template <class T>
T checked(llvm::Expected<T> value) {
  if (!value) throw InternalError("codegen: reading an object: " + llvm::toString(value.takeError()));
  return std::move(*value);
}

class Flattener {
 public:
  runtime::CodeImage run(llvm::ArrayRef<llvm::ArrayRef<char>> objects) {
    for (const llvm::ArrayRef<char> object : objects)
      files_.push_back(checked(File::create(llvm::StringRef(object.data(), object.size()))));
    places_.resize(files_.size());
    for (std::size_t i = 0; i < files_.size(); ++i) place_sections(i);
    for (std::size_t i = 0; i < files_.size(); ++i) find_symbols(i);
    for (std::size_t i = 0; i < files_.size(); ++i) relocate(i);
    const auto entry = globals_.find(kEntryName);
    if (entry == globals_.end()) throw InternalError("codegen: the objects have no entry");
    image_.entry = entry->second;
    return std::move(image_);
  }

 private:
  void place_sections(std::size_t file) {
    for (const Section& section : checked(files_[file].sections())) {
      places_[file].push_back(kNowhere);
      if (!(section.sh_flags & llvm::ELF::SHF_ALLOC) || section.sh_size == 0) continue;
      if (section.sh_flags & llvm::ELF::SHF_WRITE) throw InternalError("codegen: code with variables");
      const std::uint64_t place = reserve(section.sh_size, section.sh_addralign);
      places_[file].back() = place;
      if (section.sh_type == llvm::ELF::SHT_NOBITS) continue;
      const auto contents = checked(files_[file].getSectionContents(section));
      std::memcpy(image_.bytes.data() + place, contents.data(), contents.size());
    }
  }

  std::uint64_t reserve(std::uint64_t size, std::uint64_t alignment) {
    const std::uint64_t unit = std::max<std::uint64_t>(1, alignment);
    const std::uint64_t place = (image_.bytes.size() + unit - 1) / unit * unit;
    image_.bytes.resize(place + size);
    return place;
  }

  /// Where the symbol lies in the image; kNowhere when the object does not define it.
  std::uint64_t place_of(std::size_t file, const Symbol& symbol) const {
    if (symbol.st_shndx == llvm::ELF::SHN_UNDEF || symbol.st_shndx >= places_[file].size()) return kNowhere;
    const std::uint64_t section = places_[file][symbol.st_shndx];
    return section == kNowhere ? kNowhere : section + symbol.st_value;
  }

  const Section& symbol_table(std::size_t file) const {
    for (const Section& section : checked(files_[file].sections()))
      if (section.sh_type == llvm::ELF::SHT_SYMTAB) return section;
    throw InternalError("codegen: an object without symbols");
  }

  std::string name_of(std::size_t file, const Symbol& symbol) const {
    const auto strings = checked(files_[file].getStringTableForSymtab(symbol_table(file)));
    return checked(symbol.getName(strings)).str();
  }

  void find_symbols(std::size_t file) {
    for (const Symbol& symbol : checked(files_[file].symbols(&symbol_table(file))))
      if (symbol.getBinding() != llvm::ELF::STB_LOCAL)
        if (const std::uint64_t place = place_of(file, symbol); place != kNowhere)
          globals_.emplace(name_of(file, symbol), place);  // of weak functions in several objects the first
  }

  void relocate(std::size_t file) {
    for (const Section& section : checked(files_[file].sections())) {
      if (section.sh_type != llvm::ELF::SHT_RELA || places_[file][section.sh_info] == kNowhere) continue;
      for (const auto& relocation : checked(files_[file].relas(section))) {
        const auto* symbol = checked(files_[file].getRelocationSymbol(relocation, &symbol_table(file)));
        const std::uint64_t at = places_[file][section.sh_info] + relocation.r_offset;
        const auto value =
            static_cast<std::int64_t>(target_of(file, *symbol)) + relocation.r_addend - static_cast<std::int64_t>(at);
        write(at, value, relocation.getType(false));
      }
    }
  }

  std::uint64_t target_of(std::size_t file, const Symbol& symbol) {
    if (const std::uint64_t place = place_of(file, symbol); place != kNowhere) return place;
    const std::string name = name_of(file, symbol);
    const auto known = globals_.find(name);
    return known != globals_.end() ? known->second : trampoline(name);
  }

  void write(std::uint64_t at, std::int64_t value, std::uint32_t type) {
    if (type == llvm::ELF::R_X86_64_PC64) {
      std::memcpy(image_.bytes.data() + at, &value, sizeof value);
      return;
    }
    const auto narrow = static_cast<std::int32_t>(value);
    if ((type != llvm::ELF::R_X86_64_PC32 && type != llvm::ELF::R_X86_64_PLT32) || narrow != value)
      throw InternalError("codegen: a relocation of type " + std::to_string(type) + " cannot be resolved");
    std::memcpy(image_.bytes.data() + at, &narrow, sizeof narrow);
  }

  /// jmp *slot(%rip), two bytes to spare, and the slot.
  std::uint64_t trampoline(const std::string& symbol) {
    const auto [entry, added] = trampolines_.emplace(symbol, 0);
    if (added) {
      constexpr unsigned char kJump[] = {0xff, 0x25, 2, 0, 0, 0, 0x66, 0x90};
      entry->second = reserve(sizeof kJump + sizeof(void*), 16);
      std::memcpy(image_.bytes.data() + entry->second, kJump, sizeof kJump);
      image_.imports.push_back({symbol, entry->second + sizeof kJump});
    }
    return entry->second;
  }

  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
  std::vector<File> files_;
  std::vector<std::vector<std::uint64_t>> places_;  // of each file's sections
  std::unordered_map<std::string, std::uint64_t> globals_;
  std::map<std::string, std::uint64_t> trampolines_;
  runtime::CodeImage image_;
};

}  // namespace

runtime::CodeImage flatten(llvm::ArrayRef<llvm::ArrayRef<char>> objects) {
  return Flattener().run(objects);
}

}  // namespace pullback::codegen
