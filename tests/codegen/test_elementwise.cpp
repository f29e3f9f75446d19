// Every scalar operation at every dtype, in scalar and vector code, with hard numbers.
#include <catch2/catch.hpp>

#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Index;
using kernel::Kernel;
using kernel::Opcode;

namespace {

constexpr std::int64_t kCount = 203;  // no multiple of a vector
const DType kAll[] = {boolean, u8, u32, i32, i64, f16, bf16, f32, f64};
const DType kNumbers[] = {u8, u32, i32, i64, f16, bf16, f32, f64};
const DType kIntegers[] = {u8, u32, i32, i64};

/// out[i] = function(inputs[i]...) by a scalar loop for the first half, a vector loop for all, in two buffers.
void check_map(std::vector<DType> inputs, DType output,
               const std::function<kernel::Value*(Builder&, const std::vector<kernel::Value*>&)>& function) {
  test::check_hard([&](Kernel& k) {
    Builder b(k);
    std::vector<int> in;
    for (DType dtype : inputs) in.push_back(b.buffer("x" + std::to_string(in.size()), dtype, kCount, Access::in));
    const int vector = b.buffer("vector", output, kCount, Access::out);
    const int scalar = b.buffer("scalar", output, kCount, Access::out);
    const auto body = [&](int out, const Index& i) {
      std::vector<kernel::Value*> arguments;
      for (int x : in) arguments.push_back(b.load(x, i));
      b.store(out, i, function(b, arguments));
    };
    b.vector_loop("i", kCount, 16, 1, [&](const Index& i) { body(vector, i); });
    b.serial_loop("i", kCount, [&](const Index& i) { body(scalar, i); });
  });
}

}  // namespace

TEST_CASE("arithmetic of two numbers") {
  for (Opcode opcode : {Opcode::add, Opcode::sub, Opcode::mul, Opcode::div, Opcode::rem, Opcode::min, Opcode::max})
    for (DType dtype : kNumbers) {
      CAPTURE(kernel::name_of(opcode), name_of(dtype));
      check_map({dtype, dtype}, dtype, [&](Builder& b, const auto& x) { return b.arithmetic(opcode, x); });
    }
}

TEST_CASE("arithmetic of one number") {
  for (Opcode opcode : {Opcode::neg, Opcode::abs})
    for (DType dtype : kNumbers)
      check_map({dtype}, dtype, [&](Builder& b, const auto& x) { return b.arithmetic(opcode, x); });
  for (Opcode opcode : {Opcode::sqrt, Opcode::floor, Opcode::ceil, Opcode::trunc, Opcode::round_even})
    for (DType dtype : {f32, f64}) {
      CAPTURE(kernel::name_of(opcode), name_of(dtype));
      check_map({dtype}, dtype, [&](Builder& b, const auto& x) { return b.arithmetic(opcode, x); });
    }
}

TEST_CASE("fma is rounded once, with an instruction or without") {
  for (DType dtype : {f32, f64})
    check_map({dtype, dtype, dtype}, dtype, [&](Builder& b, const auto& x) { return b.fma(x[0], x[1], x[2]); });
}

TEST_CASE("scaling by a power of two is rounded once, with an instruction or without") {
  for (DType dtype : {f32, f64})
    check_map({dtype, dtype}, dtype, [&](Builder& b, const auto& x) {
      // Significands from 1 to 2, exponents over all results, subnormal and infinite ones too.
      kernel::Value* one = b.like(x[0], 1);
      kernel::Value* significand = b.add(one, b.select(b.lt(b.abs(x[0]), one), b.abs(x[0]), b.like(x[0], 0.75)));
      kernel::Value* n = b.trunc(b.mul(x[1], b.like(x[1], 100)));
      const double largest = dtype == f32 ? 160 : 1100;
      return b.scale(significand, b.select(b.lt(b.abs(n), b.like(n, largest)), n, b.like(n, -largest)));
    });
}

TEST_CASE("bits of integers") {
  for (DType dtype : kIntegers) {
    check_map({dtype, dtype}, dtype, [](Builder& b, const auto& x) { return b.bit_and(x[0], b.bit_not(x[1])); });
    check_map({dtype, dtype}, dtype, [](Builder& b, const auto& x) { return b.bit_or(x[0], b.bit_xor(x[0], x[1])); });
    check_map({dtype, dtype}, dtype, [](Builder& b, const auto& x) { return b.shl(x[0], x[1]); });
    check_map({dtype, dtype}, dtype, [](Builder& b, const auto& x) { return b.shr(x[0], x[1]); });
    check_map({dtype, dtype}, dtype, [](Builder& b, const auto& x) { return b.sar(x[0], x[1]); });
  }
  check_map({u32, u32}, u32, [](Builder& b, const auto& x) { return b.mulhi(x[0], x[1]); });
  check_map({boolean, boolean}, boolean, [](Builder& b, const auto& x) { return b.bit_xor(x[0], b.bit_not(x[1])); });
}

TEST_CASE("comparisons and selections") {
  for (Opcode opcode : {Opcode::eq, Opcode::ne, Opcode::lt, Opcode::le, Opcode::gt, Opcode::ge})
    for (DType dtype : kAll)
      check_map({dtype, dtype}, boolean, [&](Builder& b, const auto& x) { return b.compare(opcode, x[0], x[1]); });
  for (DType dtype : kAll)
    check_map({boolean, dtype, dtype}, dtype, [&](Builder& b, const auto& x) { return b.select(x[0], x[1], x[2]); });
}

TEST_CASE("conversions between all dtypes") {
  for (DType from : kAll)
    for (DType to : kAll) {
      CAPTURE(name_of(from), name_of(to));
      check_map({from}, to, [&](Builder& b, const auto& x) { return b.convert(x[0], to); });
    }
  check_map({f32}, u32, [](Builder& b, const auto& x) { return b.bitcast(x[0], u32); });
  check_map({i64}, f64, [](Builder& b, const auto& x) { return b.bitcast(x[0], f64); });
}
