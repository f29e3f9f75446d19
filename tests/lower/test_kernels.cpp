// The kernels of small graphs compute what the reference evaluator computes, at odd sizes too.
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/lower/tiling.h"
#include "compiler/ops/registry.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::is_parallel;
using testing::parse_function;

const std::int64_t kSizes[] = {0, 1, 3, 17, 40};

std::string text(const std::string& body, std::int64_t m, std::int64_t n, const char* dtype) {
  std::string result;
  for (char c : body) {
    if (c == 'M')
      result += std::to_string(m);
    else if (c == 'N')
      result += std::to_string(n);
    else if (c == 'T')
      result += dtype;
    else
      result += c;
  }
  return result;
}

struct Case {
  const char* name;
  const char* body;  ///< M, N: sizes; T: the floating type
};

const Case kCases[] = {
    {"elementwise chain", R"(func @f(%x: T[M,N], %y: T[M,N]) {
       %a: T[M,N] = add(%x, %y)
       %b: T[M,N] = mul(%a, %x)
       %c: T[M,N] = tanh(%b)
       return a = %a, c = %c
     })"},
    {"bias by broadcast", R"(func @f(%x: T[M,N], %b: T[N]) {
       %w: T[M,N] = broadcast(%b) {shape = shape[M,N], dimensions = [1]}
       %a: T[M,N] = add(%x, %w)
       return a = %a
     })"},
    {"transpose", R"(func @f(%x: T[M,N]) {
       %t: T[N,M] = transpose(%x) {permutation = [1,0]}
       %a: T[N,M] = exp(%t)
       return a = %a, t = %t
     })"},
    {"softmax", R"(func @f(%x: T[M,N]) {
       %m: T[M] = reduce_max(%x) {axes = [1]}
       %mb: T[M,N] = broadcast(%m) {shape = shape[M,N], dimensions = [0]}
       %d: T[M,N] = sub(%x, %mb)
       %e: T[M,N] = exp(%d)
       %s: T[M] = reduce_sum(%e) {axes = [1]}
       %sb: T[M,N] = broadcast(%s) {shape = shape[M,N], dimensions = [0]}
       %r: T[M,N] = div(%e, %sb)
       return r = %r
     })"},
    {"sums over each axis and all", R"(func @f(%x: T[M,N]) {
       %e: T[M,N] = exp(%x)
       %a: T[M] = reduce_sum(%e) {axes = [1]}
       %b: T[N] = reduce_sum(%e) {axes = [0]}
       %c: T[] = reduce_sum(%x) {axes = [0,1]}
       return a = %a, b = %b, c = %c
     })"},
    {"middle axis", R"(func @f(%x: T[M,5,N]) {
       %a: T[M,N] = reduce_sum(%x) {axes = [1]}
       %b: T[5] = reduce_max(%x) {axes = [0,2]}
       return a = %a, b = %b
     })"},
    {"concatenate and slice", R"(func @f(%x: T[M,N], %y: T[M,3]) {
       %c: T[M,N+3] = concatenate(%x, %y) {axis = 1}
       %s: T[M,N] = slice(%c) {start = shape[0,3], limit = shape[M,N+3], step = [1,1]}
       %r: T[M,N] = reverse(%s) {axes = [0]}
       return c = %c, r = %r
     })"},
    {"reshape", R"(func @f(%x: T[M,N]) {
       %r: T[M*N] = reshape(%x) {shape = shape[M*N]}
       %e: T[M*N] = exp(%r)
       %b: T[N,M] = reshape(%e) {shape = shape[N,M]}
       return r = %r, b = %b
     })"},
    {"matmul with bias and relu", R"(func @f(%x: T[M,7], %w: T[7,N], %b: T[N], %z: T[M,N]) {
       %h: T[M,N] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
       %bb: T[M,N] = broadcast(%b) {shape = shape[M,N], dimensions = [1]}
       %s: T[M,N] = add(%h, %bb)
       %r: T[M,N] = maximum(%s, %z)
       return r = %r, s = %s
     })"},
    {"matmuls with transposed operands", R"(func @f(%x: T[19,M], %w: T[N,19], %v: T[19,N], %u: T[M,19]) {
       %a: T[M,N] = dot_general(%x, %w) {contract = [0]x[1], batch = []x[]}
       %b: T[M,N] = dot_general(%x, %v) {contract = [0]x[0], batch = []x[]}
       %c: T[M,N] = dot_general(%u, %w) {contract = [1]x[1], batch = []x[]}
       %t: T[N,M] = transpose(%c) {permutation = [1,0]}
       return a = %a, b = %b, t = %t
     })"},
    {"batched matmul", R"(func @f(%q: T[2,M,3,8], %k: T[2,N,3,8]) {
       %a: T[2,3,M,N] = dot_general(%q, %k) {contract = [3]x[3], batch = [0,2]x[0,2]}
       return a = %a
     })"},
    {"several contracted axes", R"(func @f(%q: T[M,4,N,3], %k: T[3,4,6]) {
       %a: T[M,N,6] = dot_general(%q, %k) {contract = [3,1]x[0,1], batch = []x[]}
       return a = %a
     })"},
    {"matrix times vector", R"(func @f(%x: T[M,N], %v: T[N], %u: T[M]) {
       %a: T[M] = dot_general(%x, %v) {contract = [1]x[0], batch = []x[]}
       %b: T[N] = dot_general(%u, %x) {contract = [0]x[0], batch = []x[]}
       %c: T[] = dot_general(%v, %v) {contract = [0]x[0], batch = []x[]}
       return a = %a, b = %b, c = %c
     })"},
    {"outer product", R"(func @f(%x: T[1,M], %y: T[1,N], %p: T[M,N]) {
       %a: T[M,N] = dot_general(%x, %y) {contract = [0]x[0], batch = []x[]}
       %b: T[M,N] = sub(%p, %a)
       return b = %b
     })"},
    {"gather rows", R"(func @f(%x: T[5,N], %i: i32[M], %z: T[5,N]) {
       %g: T[M,N] = gather(%x, %i) {axis = 0, batch = 0}
       %s: T[5,N] = scatter_add(%z, %i, %g) {axis = 0, batch = 0}
       return g = %g, s = %s
     })"},
    {"pad", R"(func @f(%x: T[M,N], %v: T[]) {
       %p: T[M+3,N+1] = pad(%x, %v) {low = shape[1,0], high = shape[2,1], interior = [0,0]}
       return p = %p
     })"},
    {"values at several dimensions", R"(func @f(%x: T[M,N]) {
       %e: T[M,N] = exp(%x)
       %m: T[M] = reduce_max(%e) {axes = [1]}
       %l: T[M] = log(%m)
       %lb: T[M,N] = broadcast(%l) {shape = shape[M,N], dimensions = [0]}
       %d: T[M,N] = sub(%e, %lb)
       %q: T[M,N] = mul(%d, %d)
       %s: T[M] = reduce_sum(%q) {axes = [1]}
       return d = %d, s = %s, l = %l
     })"},
};

TEST_CASE("kernels compute what the evaluator computes", "[lower]") {
  for (const Case& c : kCases)
    for (std::int64_t m : kSizes)
      for (std::int64_t n : {std::int64_t{1}, std::int64_t{20}}) {
        const char* dtype = m == 3 ? "f64" : m == 17 && n == 20 ? "bf16" : m == 40 && n == 1 ? "f16" : "f32";
        INFO(c.name << " M=" << m << " N=" << n << " " << dtype);
        check_lowering(text(c.body, m, n, dtype));
      }
}

/// A contraction of bf16 operands, in memory or rounded as they are packed.
struct PairedProduct {
  std::int64_t m, n, k;
  bool a_transposed = false, b_transposed = false, rounds = false;
};

std::string text(const PairedProduct& p) {
  const auto operand = [&](const char* name, std::int64_t rows, std::int64_t columns, bool transposed) {
    return fmt::format("%{}: {}[{}]", name, p.rounds ? "f32" : "bf16",
                       transposed ? fmt::format("{},{}", columns, rows) : fmt::format("{},{}", rows, columns));
  };
  const auto rounded = [&](const char* name, std::int64_t rows, std::int64_t columns, bool transposed) {
    if (!p.rounds) return std::string();
    return fmt::format("%{0}h: bf16[{1}] = convert(%{0}) {{to = bf16}}\n", name,
                       transposed ? fmt::format("{},{}", columns, rows) : fmt::format("{},{}", rows, columns));
  };
  return fmt::format(
      "func @f({}, {}, %bias: f32[{}]) {{\n{}{}"
      "%c: bf16[{},{}] = dot_general(%x{}, %y{}) {{contract = [{}]x[{}], batch = []x[]}}\n"
      "%w: f32[{},{}] = convert(%c) {{to = f32}}\n"
      "%b: f32[{},{}] = broadcast(%bias) {{shape = shape[{},{}], dimensions = [1]}}\n"
      "%s: f32[{},{}] = add(%w, %b)\nreturn s = %s, c = %c\n}}",
      operand("x", p.m, p.k, p.a_transposed), operand("y", p.k, p.n, p.b_transposed), p.n,
      rounded("x", p.m, p.k, p.a_transposed), rounded("y", p.k, p.n, p.b_transposed), p.m, p.n, p.rounds ? "h" : "",
      p.rounds ? "h" : "", p.a_transposed ? 0 : 1, p.b_transposed ? 1 : 0, p.m, p.n, p.m, p.n, p.m, p.n, p.m, p.n);
}

TEST_CASE("products of bf16 go in pairs where an instruction takes them", "[lower]") {
  for (const bool rounds : {false, true})
    for (const PairedProduct& p : {PairedProduct{8, 8, 32}, {9, 33, 33}, {19, 70, 63}, {12, 8, 95}, {40, 16, 100}}) {
      for (const bool a : {false, true})
        for (const bool b : {false, true}) {
          const std::string function = text({p.m, p.n, p.k, a, b, rounds});
          INFO(function);
          check_lowering(function);
          const schedule::Module module =
              lower::lower(*parse_function(function), Target::parse("x86-64-v4+avx512bf16"), {});
          CHECK(schedule::print(module, {.kernels = true}).find("u32") != std::string::npos);
        }
    }
}

TEST_CASE("pairs do not depend on how the depth is cut or on threads", "[lower]") {
  // Blocks of 1024 pairs, the last one shorter; parts that run in parallel.
  const auto function = parse_function(text({150, 40, 4200, false, true, false}));
  std::mt19937 random(3);
  const std::vector<ir::Literal> arguments = testing::random_arguments(*function, random);
  const Target target = Target::parse("x86-64-v4+avx512bf16");
  Target small = target;
  small.second_level = 64 << 10;
  const schedule::Module alone = lower::lower(*function, target, {.threads = lower::Threads::one}),
                         shared = lower::lower(*function, small, {.threads = lower::Threads::several});
  CHECK(testing::is_parallel(shared));
  const auto bits = [&](const schedule::Module& module) {
    return testing::run_schedule(module, *function, arguments).results[0].bytes;
  };
  CHECK(bits(alone) == bits(shared));
}

// Columns are folded beside what is computed for each position, along each row, and of the folds.
const Case kFoldCases[] = {
    {"columns of a chain", R"(func @f(%x: T[M,N], %p: T[N]) {
       %e: T[M,N] = exp(%x)
       %q: T[M,N] = mul(%e, %x)
       %a: T[N] = reduce_sum(%e) {axes = [0]}
       %b: T[N] = reduce_max(%q) {axes = [0]}
       %u: T[N] = sub(%p, %a)
       return e = %e, b = %b, u = %u
     })"},
    {"columns and rows", R"(func @f(%x: T[M,N], %g: T[M,N]) {
       %m: T[M] = reduce_max(%x) {axes = [1]}
       %w: T[M,N] = broadcast(%m) {shape = shape[M,N], dimensions = [0]}
       %d: T[M,N] = sub(%x, %w)
       %e: T[M,N] = exp(%d)
       %s: T[M] = reduce_sum(%e) {axes = [1]}
       %t: T[M,N] = broadcast(%s) {shape = shape[M,N], dimensions = [0]}
       %h: T[M,N] = mul(%e, %g)
       %r: T[M,N] = div(%h, %t)
       %a: T[N] = reduce_sum(%h) {axes = [0]}
       %b: T[N] = reduce_sum(%g) {axes = [0]}
       return r = %r, a = %a, b = %b
     })"},
    {"columns of each slab", R"(func @f(%x: T[3,M,N]) {
       %q: T[3,M,N] = mul(%x, %x)
       %a: T[3,N] = reduce_sum(%q) {axes = [1]}
       %b: T[3,M] = reduce_sum(%q) {axes = [2]}
       return q = %q, a = %a, b = %b
     })"},
    {"columns of a transpose", R"(func @f(%x: T[4,M,N]) {
       %t: T[M,4,N] = transpose(%x) {permutation = [1,0,2]}
       %q: T[M,4*N] = reshape(%t) {shape = shape[M,4*N]}
       %a: T[4*N] = reduce_sum(%q) {axes = [0]}
       %b: T[M] = reduce_max(%q) {axes = [1]}
       return a = %a, b = %b
     })"},
    {"channels", R"(func @f(%x: T[M,5,N]) {
       %a: T[5] = reduce_sum(%x) {axes = [0,2]}
       return a = %a
     })"},
};

TEST_CASE("columns are folded beside other work", "[lower]") {
  for (const Case& c : kFoldCases)
    for (std::int64_t m : {8, 19, 64})
      for (std::int64_t n : {std::int64_t{2}, std::int64_t{37}, std::int64_t{64}}) {
        const char* dtype = m == 19 ? "f64" : m == 64 && n == 2 ? "bf16" : "f32";
        INFO(c.name << " M=" << m << " N=" << n << " " << dtype);
        check_lowering(text(c.body, m, n, dtype));
      }
}

TEST_CASE("large folds go in slabs, with narrow, wide and uneven columns", "[lower]") {
  for (const Case& c : kFoldCases) {
    INFO(c.name);
    check_lowering(text(c.body, 1024, 80, "f32"));
    check_lowering(text(c.body, 20000, 3, "f32"));
    check_lowering(text(c.body, 9, 9001, "f32"));
  }
  check_lowering(R"(func @f(%x: f32[512,200]) {
    %e: f32[512,200] = mul(%x, %x)
    %a: f32[] = reduce_sum(%e) {axes = [0,1]}
    %b: f32[200] = reduce_sum(%e) {axes = [0]}
    return a = %a, b = %b
  })");
}

TEST_CASE("a matrix is updated in place where its rows have been reduced", "[lower]") {
  const char* step = R"(func @f(state %w: f32[40,64], %g: f32[64], %x: f32[40]) {
    %d: f32[40] = dot_general(%w, %g) {contract = [1]x[0], batch = []x[]}
    %o: f32[40,64] = dot_general(%x, %g) {contract = []x[], batch = []x[]}
    %u: f32[40,64] = sub(%w, %o)
    return d = %d, state w = %u
  })";
  check_lowering(step);
  const auto function = testing::parse_function(step);
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
  CHECK(testing::calls_of(module.body) == 1);
  CHECK(module.arena_bytes <= 64);
}

TEST_CASE("argmax, iota and integers", "[lower]") {
  check_lowering(R"(func @f(%x: f32[6,10], %y: i32[6]) {
    %p: i64[6] = argmax(%x) {axis = 1}
    %t: i64[6] = convert(%y) {to = i64}
    %e: bool[6] = compare(%p, %t) {direction = "eq"}
    %f: f32[6] = convert(%e) {to = f32}
    %s: f32[] = reduce_sum(%f) {axes = [0]}
    %i: i32[6,10] = iota() {axis = 1, shape = shape[6,10], dtype = i32}
    return p = %p, s = %s, i = %i
  })");
}

TEST_CASE("large work runs in parallel and is the same", "[lower]") {
  const auto check_parallel = [](const char* text) {
    const auto function = parse_function(text);
    check_lowering(*function);
    CHECK(is_parallel(lower::lower(*function, Target::parse("x86-64-v4"), {.threads = lower::Threads::several})));
    CHECK(!is_parallel(lower::lower(*function, Target::parse("x86-64-v4"), {.threads = lower::Threads::one})));
  };
  check_parallel(R"(func @f(%x: f32[1000,700]) {
    %a: f32[1000,700] = mul(%x, %x)
    %s: f32[700] = reduce_sum(%a) {axes = [0]}
    return a = %a, s = %s
  })");
  check_parallel(R"(func @f(%x: f32[131,75], %w: f32[75,531]) {
    %a: f32[131,531] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    return a = %a
  })");
  check_parallel(R"(func @f(%x: f32[131,75], %w: f32[531,75]) {
    %a: f32[131,531] = dot_general(%x, %w) {contract = [1]x[1], batch = []x[]}
    return a = %a
  })");
}

TEST_CASE("a step has several threads where it is worth them", "[lower]") {
  const auto uses_threads = [](const char* text) {
    return is_parallel(lower::lower(*parse_function(text), Target::parse("x86-64-v4")));
  };
  // What is read counts, and so do all iterations.
  CHECK(uses_threads(R"(func @f(%x: f32[100000,1000]) {
    %s: f32[100000] = reduce_sum(%x) {axes = [1]}
    return s = %s
  })"));
  CHECK(uses_threads(R"(func @f(%x: f32[100000]) {
    %y: f32[100000] = scan(%x) {carries = 1, slices = 0, length = shape[2000],
                                reverse = false} region(%c: f32[100000]) {
      %t: f32[100000] = tanh(%c)
      return %t
    }
    return y = %y
  })"));
  CHECK(!uses_threads(R"(func @f(%x: f32[1,784], %w: f32[784,64]) {
    %y: f32[1,64] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    return y = %y
  })"));
  CHECK(!uses_threads(R"(func @f(%x: f32[13,75], %w: f32[75,53]) {
    %a: f32[13,53] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    return a = %a
  })"));
}

// Rows in blocks, of which the last is shorter: with an epilogue, and continued over blocks of k.
TEST_CASE("tiles of a shorter last block are those of the others", "[lower]") {
  const std::string function = R"(func @f(%x: f32[149,600], %w: f32[600,16], %b: f32[149,16], %v: f32[149,1100],
                                          %u: f32[24,1100]) {
    %h: f32[149,16] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %s: f32[149,16] = add(%h, %b)
    %t: f32[149,24] = dot_general(%v, %u) {contract = [1]x[1], batch = []x[]}
    %a: f32[149,24] = abs(%t)
    return s = %s, a = %a
  })";
  check_lowering(function);
  const std::string text = schedule::print(
      lower::lower(*parse_function(function), Target::parse("x86-64-v3"), {.threads = lower::Threads::one}),
      {.kernels = true});
  const auto count = [&](const std::string& word) {
    int found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  };
  CAPTURE(text);
  CHECK(count("serial mb in 0..2") > 0);
  CHECK(count("contract 6x16 depth 600") == 1);
  CHECK(count("contract 5x16 depth 600") == 1);
}

// Columns in two loops that are not one, for each of a tile's rows, and rows in blocks.
TEST_CASE("blocks of rows go through all of a result's inner loops", "[lower]") {
  check_lowering(R"(func @f(%x: f32[149,600], %w: f32[16,3,600,16]) {
    %part: f32[16,2,600,16] = slice(%w) {start = shape[0,0,0,0], limit = shape[16,2,600,16], step = [1,1,1,1]}
    %y: f32[149,16,2,16] = dot_general(%x, %part) {contract = [1]x[2], batch = []x[]}
    return y = %y
  })");
}

TEST_CASE("deep sums go in blocks through C", "[lower]") {
  check_lowering(R"(func @f(%x: f32[37,1601], %w: f32[1601,50], %b: f32[37,50], %v: f32[70,1601]) {
    %a: f32[37,50] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %r: f32[37,50] = add(%a, %b)
    %t: f32[37,70] = dot_general(%x, %v) {contract = [1]x[1], batch = []x[]}
    return a = %a, r = %r, t = %t
  })");
}

TEST_CASE("deep sums that are not kept go in blocks through scratch memory", "[lower]") {
  check_lowering(R"(func @f(%x: f32[21,3333], %w: f32[3333,50], %b: f32[21,50]) {
    %a: f32[21,50] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %r: f32[21,50] = add(%a, %b)
    return r = %r
  })");
}

TEST_CASE("a grid of parts is shared evenly", "[lower]") {
  const lower::Registers registers{32, 16};
  const lower::Tile tile{8, 3};
  const lower::Grid square = lower::choose_grid({1024, 1024, 512}, tile, registers, 16, true, true, 1 << 20);
  CHECK(square.count() % 2 == 0);
  CHECK(square.count() >= 4);
  const lower::Grid wide = lower::choose_grid({8, 4096, 512}, tile, registers, 16, false, false, 1 << 20);
  CHECK(wide.rows.count == 1);
  CHECK(wide.columns.size % 48 == 0);
  CHECK(lower::choose_grid({64, 64, 64}, tile, registers, 1, true, true, 1 << 20).count() == 1);
  CHECK(lower::even_piece(2047, 1000) == 683);
  CHECK(lower::even_piece(2048, 700) == 512);
}

TEST_CASE("blocks of rows fit the second level of the cache", "[lower]") {
  const lower::Registers registers{16, 8};
  const lower::Extents extents{4096, 4096, 4096};
  const lower::Tile tile = lower::choose_tile(extents.rows, extents.columns, registers);
  std::int64_t before = 0;
  for (const std::int64_t second_level : {256 << 10, 512 << 10, 1 << 20, 2 << 20})
    for (const bool whole_depth : {false, true}) {
      const lower::Blocking blocking = lower::choose_blocking(extents, tile, registers, second_level, whole_depth);
      CAPTURE(second_level, whole_depth, blocking.rows, blocking.depth);
      CHECK((blocking.depth == extents.depth) == whole_depth);
      CHECK(blocking.rows >= tile.rows);
      CHECK(blocking.rows * blocking.depth * extents.bytes <= second_level);
      if (whole_depth) continue;
      CHECK(blocking.rows > before);
      before = blocking.rows;
    }
  CHECK(Target::parse("x86-64-v4").second_level == 1 << 20);
  CHECK(Target::host().second_level >= 256 << 10);
}

TEST_CASE("long sums are taken in two stages", "[lower]") {
  check_lowering(R"(func @f(%x: f32[1000,700], %y: f64[72000,9]) {
    %a: f32[1000,700] = mul(%x, %x)
    %s: f32[] = reduce_sum(%a) {axes = [0,1]}
    %m: f32[] = reduce_max(%x) {axes = [0,1]}
    %t: f64[9] = reduce_sum(%y) {axes = [0]}
    return s = %s, m = %m, t = %t
  })");
}

TEST_CASE("a fold that is too small to be split leaves nothing behind", "[lower]") {
  const auto function = parse_function(R"(func @f(%x: f32[5,7]) {
    %a: f32[5,7] = abs(%x) {layout = [1,0]}
    %s: f32[7] = reduce_sum(%a) {axes = [0]}
    return s = %s
  })");
  check_lowering(*function);
  CHECK(testing::calls_of(lower::lower(*function, Target::parse("x86-64-v4")).body) == 1);
}

TEST_CASE("rows of a matrix times a vector are summed several at a time", "[lower]") {
  // Whole groups of rows and what is left of them; short and odd sums; several results, and what is fused behind.
  for (const std::int64_t rows : {2, 5, 8, 19, 64, 203})
    for (const std::int64_t depth : {16, 37, 300})
      for (const char* dtype : {"f32", "f64"})
        check_lowering(text(R"(func @f(%w: T[M,N], %x: T[N], %b: T[M]) {
          %h: T[M] = dot_general(%w, %x) {contract = [1]x[0], batch = []x[]}
          %s: T[M] = add(%h, %b)
          %t: T[M] = tanh(%s)
          return t = %t, s = %s
        })",
                            rows, depth, dtype));
  const auto loops = [](const char* target, std::int64_t rows) {
    const auto function = parse_function(text(R"(func @f(%w: f32[M,N], %x: f32[N]) {
      %h: f32[M] = dot_general(%w, %x) {contract = [1]x[0], batch = []x[]}
      return h = %h
    })",
                                              rows, 300, "f32"));
    const schedule::Module module = lower::lower(*function, Target::parse(target), {.threads = lower::Threads::one});
    REQUIRE(module.kernels.size() == 1);
    return print(*module.kernels.front());
  };
  const auto count = [](const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  };
  for (const char* target : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    const std::string even = loops(target, 64), odd = loops(target, 19);
    INFO(even << odd);
    CHECK(count(even, "vector k") == 1);  // eight rows
    CHECK(count(even, "load x") == 1);
    CHECK(count(even, "load w") == 8);
    CHECK(count(odd, "vector k") == 2);  // eight rows twice, then three
    CHECK(count(odd, "load w") == 11);
  }
}

TEST_CASE("rows summed together give the same bits on one thread and on several", "[lower]") {
  // Few rows of much work, of which several threads need parts, and many.
  for (const std::int64_t rows : {16, 100}) {
    const auto function = parse_function(text(R"(func @f(%w: f32[M,N], %x: f32[N]) {
      %h: f32[M] = dot_general(%w, %x) {contract = [1]x[0], batch = []x[]}
      return h = %h
    })",
                                              rows, 4096, "f32"));
    std::mt19937 random(1);
    const std::vector<ir::Literal> arguments = testing::random_arguments(*function, random);
    const auto run = [&](lower::Threads threads) {
      const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"), {.threads = threads});
      CHECK(is_parallel(module) == (threads == lower::Threads::several));
      return testing::run_schedule(module, *function, arguments).results;
    };
    CHECK(run(lower::Threads::one) == run(lower::Threads::several));
  }
}

TEST_CASE("branches", "[lower]") {
  check_lowering(R"(func @f(%p: bool[], %x: f32[9], %y: f32[9]) {
    %e: f32[9] = exp(%x)
    %r: f32[9], %s: f32[9] = cond(%p, %e, %y) region(%a: f32[9], %b: f32[9]) {
      %c: f32[9] = add(%a, %b)
      return %c, %a
    } region(%a: f32[9], %b: f32[9]) {
      %c: f32[9] = mul(%a, %b)
      %d: f32[9] = exp(%c)
      return %d, %d
    }
    %t: f32[9] = add(%r, %s)
    return t = %t, r = %r
  })");
}

TEST_CASE("what is read several times is stored in place of the sums it is computed from", "[lower][contraction]") {
  const auto kernels = [](const std::string& results) {
    const auto function = testing::parse_function(R"(func @f(%x: f32[64,64], %w: f32[64,64], %t: i32[8,8,64]) {
      %d: f32[64,64] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
      %n: f32[64,64] = neg(%d)
      %r: f32[8,8,64] = reshape(%n) {shape = shape[8,8,64]}
      %s: f32[8,16,128] = window_scatter(%r, %t) {window = [2,2], strides = [2,2], low = shape[0,0],
          high = shape[0,0], base_dilation = [1,1], window_dilation = [1,1], sizes = shape[16,128]}
      return )" + results + "}");
    testing::check_lowering(*function);
    const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"), {.share_kernels = false});
    std::vector<std::string> what;
    for (const schedule::KernelCall* call : schedule::calls_of(module)) what.push_back(call->what);
    return what;
  };
  CHECK(kernels("s = %s") == std::vector<std::string>{"dot_general+reshape+neg", "window_scatter"});
  // The sums are stored anyway.
  CHECK(kernels("s = %s, d = %d") == std::vector<std::string>{"dot_general", "window_scatter+reshape+neg"});
}

TEST_CASE("an operand is computed as it is packed", "[lower][contraction]") {
  // B: bytes become floats and are scaled; A: the same, transposed. One kernel each, and nothing is stored in between.
  for (const char* text : {R"(func @f(%x: u8[300,70], %a: f32[200,300]) {
    %f: f32[300,70] = convert(%x) {to = f32}
    %s: f32[] = constant() {value = dense<f32[]: 0.25>}
    %b: f32[300,70] = broadcast(%s) {shape = shape[300,70], dimensions = []}
    %m: f32[300,70] = mul(%f, %b)
    %r: f32[200,70] = dot_general(%a, %m) {contract = [1]x[0], batch = []x[]}
    return r = %r
  })",
                           R"(func @f(%x: f32[90,70], %y: f32[90,70], %b: f32[90,240]) {
    %m: f32[90,70] = maximum(%x, %y)
    %t: f32[70,90] = transpose(%m) {permutation = [1,0]}
    %r: f32[70,240] = dot_general(%t, %b) {contract = [1]x[0], batch = []x[]}
    return r = %r
  })"}) {
    const auto function = testing::parse_function(text);
    testing::check_lowering(*function);
    const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
    CHECK(testing::calls_of(module.body) == 1);
  }
}

TEST_CASE("what a contraction's result becomes is computed behind its sums, not before the next one's",
          "[lower][contraction]") {
  const auto function = testing::parse_function(R"(func @f(%x: f32[64,64], %w: f32[64,64], %v: f32[64,64]) {
    %h: f32[64,64] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %t: f32[64,64] = neg(%h)
    %r: f32[64,64] = dot_general(%t, %v) {contract = [1]x[0], batch = []x[]}
    return r = %r
  })");
  testing::check_lowering(*function);
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
  CHECK(testing::calls_of(module.body) == 2);
  CHECK(module.kernels[0]->name.find("neg") != std::string::npos);
}

}  // namespace
}  // namespace pullback
