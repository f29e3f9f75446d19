// Memory and products of scans: what is computed once, in each iteration, and where slices lie.
#include "tests/lower/lower_testing.h"

#include <algorithm>

namespace pullback {
namespace {

using testing::parse_function;

schedule::Module lowered_scans(const std::string& text) {
  const auto function = parse_function(text);
  testing::check_lowering(*function);
  return lower::lower(*function, Target::parse("x86-64-v3"));
}

constexpr std::int64_t kFloat = 4;

TEST_CASE("a matrix that a loop multiplies by is packed before it", "[lower][scan]") {
  const schedule::Module module = lowered_scans(R"(func @f(%x: f32[40,64], %w: f32[64,512], %v: f32[64,512]) {
    %y: f32[40,64] = scan(%x, %w, %v) {carries = 1, slices = 0, length = shape[3], reverse = false} region(
        %c: f32[40,64], %w: f32[64,512], %v: f32[64,512]) {
      %d: f32[40,512] = dot_general(%c, %w) {contract = [1]x[0], batch = []x[]}
      %t: f32[40,512] = tanh(%d)
      %e: f32[40,64] = dot_general(%t, %v) {contract = [1]x[1], batch = []x[]}
      return %e
    }
    return y = %y
  })");
  for (const auto& kernel : module.kernels)
    for (const kernel::Buffer& buffer : kernel->buffers) CHECK(buffer.name.find("panel") == std::string::npos);
}

TEST_CASE("panels of a transposed matrix do not keep the transpose, nor are they made with it", "[lower][scan]") {
  const auto function = parse_function(R"(func @f(%x: f32[40,128], %w: f32[512,128]) {
    %t: f32[128,512] = transpose(%w) {permutation = [1,0]}
    %h: f32[40,128] = scan(%x, %t) {carries = 1, slices = 0, length = shape[3], reverse = false} region(
        %c: f32[40,128], %u: f32[128,512]) {
      %d: f32[40,512] = dot_general(%c, %u) {contract = [1]x[0], batch = []x[]}
      %e: f32[40,512] = tanh(%d)
      %n: f32[40,128] = slice(%e) {start = shape[0,0], limit = shape[40,128], step = [1,1]}
      return %n
    }
    %s: f32[40,512] = concatenate(%h, %h, %h, %h) {axis = 1}
    %y: f32[40,512] = scan(%s, %t) {carries = 1, slices = 0, length = shape[3], reverse = false} region(
        %c: f32[40,512], %u: f32[128,512]) {
      %d: f32[40,128] = dot_general(%c, %u) {contract = [1]x[1], batch = []x[]}
      %e: f32[40,128] = tanh(%d)
      %n: f32[40,512] = concatenate(%e, %e, %e, %e) {axis = 1}
      return %n
    }
    return y = %y
  })");
  testing::check_lowering(*function);
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
  const std::int64_t matrix = 128 * 512 * kFloat, values = 40 * 512 * kFloat;
  CHECK(module.arena_bytes < matrix + 3 * values);
}

TEST_CASE("a carry that its loop does not read is not put there after the loop", "[lower][scan]") {
  lowered_scans(R"(func @f(%x: f32[40], %a: f32[9,40]) {
    %y: f32[40] = scan(%x, %a) {carries = 1, slices = 1, length = shape[9], reverse = false} region(
        %c: f32[40], %s: f32[40]) {
      %n: f32[40] = tanh(%s)
      return %n
    }
    return y = %y
  })");
}

TEST_CASE("products that a scan slices are computed in its body where that costs no more", "[lower][scan]") {
  const auto arena = [](const std::string& rows, const std::string& uses) {
    return lowered_scans("func @f(%x: f32[9," + rows + ",24], %w: f32[24,32], %b: f32[32], %h: f32[" + rows +
                         ",32]) {\n%p: f32[9," + rows +
                         ",32] = dot_general(%x, %w) {contract = [2]x[0], batch = []x[]}\n%r: f32[9," + rows +
                         ",32] = broadcast(%b) {shape = shape[9," + rows + ",32], dimensions = [2]}\n%q: f32[9," +
                         rows + ",32] = add(%p, %r)\n%y: f32[" + rows +
                         ",32] = scan(%h, %q) {carries = 1, slices = 1, length = shape[9], reverse = true} region(%c: "
                         "f32[" +
                         rows + ",32], %s: f32[" + rows + ",32]) {\n%t: f32[" + rows + ",32] = tanh(%c)\n%n: f32[" +
                         rows + ",32] = add(%t, %s)\nreturn %n\n}\nreturn y = %y" + uses + "\n}")
        .arena_bytes;
  };
  CHECK(arena("20", "") < 9 * 20 * 32 * kFloat);
  CHECK(arena("4", "") >= 9 * 4 * 32 * kFloat);            // bound by reading %w
  CHECK(arena("20", ", p = %p") >= 9 * 20 * 32 * kFloat);  // somebody else reads it
}

TEST_CASE("carries whose values are stacked lie in the stack", "[lower][scan]") {
  for (const std::string reverse : {"false", "true"}) {
    const schedule::Module module = lowered_scans(R"(func @f(%x: f32[64], %w: f32[64]) {
      %l: f32[64], %b: f32[10,64], %a: f32[10,64] = scan(%x, %w) {carries = 1, slices = 0, length = shape[10],
                                                                  reverse = )" +
                                                  reverse + R"(} region(
          %c: f32[64], %w: f32[64]) {
        %m: f32[64] = mul(%c, %w)
        %t: f32[64] = tanh(%m)
        return %t, %c, %t
      }
      %p: f32[10,64] = mul(%b, %a)
      %s: f32[64] = reduce_sum(%p) {axes = [0]}
      return s = %s, l = %l
    })");
    CHECK(module.arena_bytes < 13 * 64 * kFloat);  // 11 values, not 20
  }
}

TEST_CASE("what a loop stacks replaces what it reads for the last time", "[lower][scan]") {
  // A loop that stacks two halves, and one in the other direction that stacks something as large as both.
  const auto arena = [](const std::string& arguments, const std::string& first, const std::string& slice,
                        const std::string& halves, bool reverse) {
    const auto scan = [](const char* counts, bool backward) {
      return std::string(") {carries = 1, slices = ") + counts +
             ", length = shape[16], reverse = " + (backward ? "true" : "false") + "} region(%c: f32[64]";
    };
    const schedule::Module module =
        lowered_scans("func @f(" + arguments + ") {\n" + first + scan(slice.empty() ? "0" : "1", reverse) + slice +
                      ") {\n" + halves + R"(
        %t: f32[64] = tanh(%n)
        return %t, %m, %n
      }
      %k: f32[64], %z: f32[16,128] = scan(%l, %a, %b)" +
                      scan("2", !reverse) + R"(, %s: f32[64], %r: f32[64]) {
        %m: f32[64] = mul(%s, %c)
        %n: f32[64] = sub(%m, %r)
        %t: f32[64] = tanh(%n)
        %j: f32[128] = concatenate(%m, %n) {axis = 0}
        return %t, %j
      }
      %s: f32[128] = reduce_sum(%z) {axes = [0]}
      return s = %s, k = %k
    })");
    return module.arena_bytes;
  };
  constexpr std::int64_t kStack = 20 * 128 * kFloat;  // one of 17 slices and some single ones

  // The halves replace a slice of what the first loop reads, and the second loop's slices replace them.
  CHECK(arena("%x: f32[16,128], %h: f32[64]", R"(
      %e: f32[16,128] = exp(%x)
      %l: f32[64], %a: f32[16,64], %b: f32[16,64] = scan(%h, %e)",
              ", %s: f32[128]", R"(
        %u: f32[64] = slice(%s) {start = shape[0], limit = shape[64], step = [1]}
        %v: f32[64] = slice(%s) {start = shape[64], limit = shape[128], step = [1]}
        %m: f32[64] = mul(%u, %c)
        %n: f32[64] = sub(%m, %v))",
              false) < kStack);
  // Without a tensor of that size before, the halves make place together.
  CHECK(arena("%h: f32[64]", "%l: f32[64], %a: f32[16,64], %b: f32[16,64] = scan(%h", "", R"(
        %m: f32[64] = mul(%c, %c)
        %n: f32[64] = sub(%m, %c))",
              true) < kStack);
}

}  // namespace
}  // namespace pullback
