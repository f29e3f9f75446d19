// Pure scalar operations of kernel IR as LLVM instructions, at any vector width: the operands' LLVM types decide.
//
// f16 and bf16 values are integers of 16 bits here (their bit patterns): no target computes with them, and what LLVM
// does to half and bfloat differs between targets. bool is i1.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <array>
#include <functional>
#include <span>

#include <pullback/dtype.h>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/support/target.h"

namespace pullback::codegen {

class Arithmetic {
 public:
  Arithmetic(llvm::IRBuilder<>& builder, const Target& target) : b_(builder), target_(target) {}

  /// The type of a value; a vector for width > 1.
  llvm::Type* type(DType dtype, int width = 1) const;
  /// The type of an element in memory: bool takes a byte.
  llvm::Type* memory_type(DType dtype, int width = 1) const;
  llvm::Value* constant(DType dtype, std::uint64_t bits, int width = 1) const;
  /// `value` in each of `width` lanes; itself for width 1.
  llvm::Value* splat(llvm::Value* value, int width) const;

  /// An operation without memory or calls. `from` is the operands' dtype (of the last one for select), `to` the
  /// result's; operands have equal widths.
  llvm::Value* operation(kernel::Opcode opcode, DType from, DType to, std::span<llvm::Value* const> operands) const;
  llvm::Value* combine(kernel::Combine how, DType dtype, llvm::Value* x, llvm::Value* y) const;
  llvm::Value* fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) const;
  llvm::Value* convert(llvm::Value* x, DType from, DType to) const;
  /// z + x*y for the two bf16 numbers in each u32 of x and y, z of f32: see kernel::Contract.
  llvm::Value* fma_of_pairs(llvm::Value* x, llvm::Value* y, llvm::Value* z) const;

  /// Is any lane of the bool vector set?
  llvm::Value* any(llvm::Value* mask) const;

 private:
  llvm::Value* floating(kernel::Opcode opcode, std::span<llvm::Value* const> v) const;
  llvm::Value* integral(kernel::Opcode opcode, DType dtype, std::span<llvm::Value* const> v) const;
  llvm::Value* divide(kernel::Opcode opcode, DType dtype, llvm::Value* x, llvm::Value* y) const;
  llvm::Value* shift(kernel::Opcode opcode, llvm::Value* x, llvm::Value* amount) const;
  llvm::Value* compare(kernel::Opcode opcode, DType dtype, llvm::Value* x, llvm::Value* y) const;

  llvm::Value* to_integer(llvm::Value* x, DType to) const;
  llvm::Value* to_float(llvm::Value* x, DType from, DType to) const;
  llvm::Value* half_to_f32(llvm::Value* x) const;
  llvm::Value* f32_to_half(llvm::Value* x) const;
  llvm::Value* f32_to_bfloat(llvm::Value* x) const;
  llvm::Value* f64_to_f32_odd(llvm::Value* x) const;

  /// `operation` on as many lanes as an instruction needs at least: 2 or 4, where the operands have fewer.
  llvm::Value* on_lanes(int least, std::span<llvm::Value* const> operands,
                        const std::function<llvm::Value*(std::span<llvm::Value* const>)>& operation) const;
  /// `operation` on whole registers: on parts of wider operands, and on lanes enough for one.
  llvm::Value* in_registers(std::span<llvm::Value* const> operands,
                            const std::function<llvm::Value*(std::span<llvm::Value* const>)>& operation) const;
  /// Instructions of AVX-512 for registers of 16, 32 and 64 bytes.
  struct Instructions {
    std::array<llvm::Intrinsic::ID, 3> f32, f64;
  };
  llvm::Value* by_instruction(const Instructions& of_widths, llvm::ArrayRef<llvm::Value*> operands) const;
  llvm::Value* scale_by_instruction(llvm::Value* x, llvm::Value* n) const;
  llvm::Value* extreme_by_instruction(kernel::Opcode opcode, std::span<llvm::Value* const> operands) const;
  llvm::Value* scale_by_products(llvm::Value* x, llvm::Value* n) const;
  llvm::Value* dot_of_pairs(llvm::Value* x, llvm::Value* y, llvm::Value* z) const;
  llvm::Value* fma_f32_by_f64(llvm::Value* x, llvm::Value* y, llvm::Value* z) const;
  llvm::Value* by_element(const char* symbol, std::span<llvm::Value* const> operands) const;

  /// The type of `dtype` with as many lanes as `like` has.
  llvm::Type* type_like(DType dtype, llvm::Value* like) const;
  llvm::Value* number(llvm::Type* type, double value) const;
  llvm::Value* integer(llvm::Type* type, std::int64_t value) const;

  llvm::IRBuilder<>& b_;
  const Target& target_;
};

/// Lanes of a value: 1 for a scalar.
int width_of(const llvm::Value* value);

}  // namespace pullback::codegen
