// Order and memory: states in place, checks first, no overlap of what lives at the same time.
#include "compiler/lower/plan.h"

#include "compiler/ops/evaluate.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::parse_function;

schedule::Module lowered(const std::string& text) {
  const auto function = parse_function(text);
  testing::check_lowering(*function);
  return lower::lower(*function, Target::parse("x86-64-v3"));
}

TEST_CASE("blocks that live together do not overlap", "[lower][plan]") {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<lower::Block> blocks(1 + random() % 60);
    std::int64_t sum = 0;
    for (lower::Block& block : blocks) {
      block.bytes = static_cast<std::int64_t>(random() % 1000 + 1);
      block.first = random() % 40;
      block.last = block.first + random() % 10;
      sum += (block.bytes + 63) / 64 * 64;
    }
    const std::int64_t total = lower::assign_offsets(blocks, 64);
    CHECK(total <= sum);
    CHECK(total >= lower::least_bytes(blocks, 64));
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const lower::Block& a = blocks[i];
      CHECK(a.offset % 64 == 0);
      CHECK(a.offset + a.bytes <= total);
      for (std::size_t j = 0; j < i; ++j) {
        const lower::Block& b = blocks[j];
        const bool together = a.first <= b.last && b.first <= a.last;
        const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        CHECK_FALSE((together && overlap));
      }
    }
  }
}

TEST_CASE("the least memory is what lives at the same time", "[lower][plan]") {
  std::vector<lower::Block> blocks{{.bytes = 100, .first = 0, .last = 2},
                                   {.bytes = 64, .first = 1, .last = 1},
                                   {.bytes = 200, .first = 3, .last = 4}};
  CHECK(lower::least_bytes(blocks, 64) == 256);
  CHECK(lower::assign_offsets(blocks, 64) == 256);
}

TEST_CASE("a gradient is used up before the next one is computed", "[lower][plan]") {
  const auto function = parse_function(R"(func @f(%x: f32[32,32], state %a: f32[32,32], state %b: f32[32,32]) {
    %ga: f32[32,32] = dot_general(%x, %x) {contract = [1]x[0], batch = []x[]}
    %gb: f32[32,32] = dot_general(%x, %x) {contract = [1]x[1], batch = []x[]}
    %na: f32[32,32] = sub(%a, %ga)
    %nb: f32[32,32] = sub(%b, %gb)
    return state a = %na, state b = %nb
  })");
  testing::check_lowering(*function);
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"), {.fuse = false});
  CHECK(module.live_bytes == 4 * 32 * 32);
  CHECK(module.arena_bytes == module.live_bytes);
}

TEST_CASE("a state is updated in place by one kernel", "[lower][plan]") {
  const schedule::Module module = lowered(R"(func @f(%g: f32[100], state %p: f32[100], state %m: f32[100]) {
    %n: f32[100] = add(%m, %g)
    %q: f32[100] = sub(%p, %n)
    return state m = %n, state p = %q
  })");
  CHECK(testing::calls_of(module.body) == 1);
  CHECK(module.arena_bytes == 0);
  CHECK(module.kernels[0]->buffers.size() == 3);
}

TEST_CASE("states that change places keep their values", "[lower][plan]") {
  lowered(R"(func @f(state %p: f32[10], state %q: f32[10], state %r: f32[10]) {
    %e: f32[10] = exp(%p)
    return state p = %q, state q = %p, state r = %e, old = %r
  })");
}

TEST_CASE("a state that is read elsewhere is not overwritten early", "[lower][plan]") {
  lowered(R"(func @f(%x: f32[6,5], state %w: f32[5,5]) {
    %h: f32[6,5] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %g: f32[5,5] = dot_general(%x, %h) {contract = [0]x[0], batch = []x[]}
    %v: f32[5,5] = sub(%w, %g)
    %d: f32[6,5] = dot_general(%h, %w) {contract = [1]x[1], batch = []x[]}
    %t: f32[5,5] = transpose(%w) {permutation = [1,0]}
    return state w = %v, d = %d, t = %t
  })");
  lowered(R"(func @f(state %w: f32[5,5]) {
    %t: f32[5,5] = transpose(%w) {permutation = [1,0]}
    return state w = %t
  })");
}

TEST_CASE("large scratch of one thread lies where values do not live any more", "[lower][plan]") {
  const auto function = parse_function(R"(func @f(%x: f32[256,256], %w: f32[256,256]) {
    %h: f32[256,256] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %p: f32[256,256] = dot_general(%h, %w) {contract = [1]x[0], batch = []x[]}
    %q: f32[256,256] = dot_general(%p, %w) {contract = [1]x[1], batch = []x[]}
    return q = %q
  })");
  testing::check_lowering(*function);
  const auto lowered = [&](lower::Threads threads) {
    return lower::lower(*function, Target::parse("x86-64-v3"), {.threads = threads});
  };
  const schedule::Module one = lowered(lower::Threads::one), several = lowered(lower::Threads::several);
  CHECK(several.scratch_bytes >= 64 << 10);
  CHECK(one.scratch_bytes < 64 << 10);
  CHECK(one.arena_bytes + one.scratch_bytes <= several.arena_bytes + several.scratch_bytes);
}

TEST_CASE("a failed check leaves states alone", "[lower][plan]") {
  const auto function = parse_function(R"(func @f(state %p: f32[4], %ok: bool[], %n: i64[]) {
    %q: f32[4] = add(%p, %p)
    check(%ok, %n) {message = "bad {}"}
    return state p = %q, q = %q
  })");
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
  std::mt19937 random(3);
  std::vector<ir::Literal> arguments = testing::random_arguments(*function, random);
  arguments[1].set_integer(0, 0);
  const testing::Ran failed = testing::run_schedule(module, *function, arguments);
  CHECK(failed.status == 1);
  CHECK(failed.results[0] == arguments[0]);
  REQUIRE(module.checks.size() == 1);
  CHECK(module.checks[0].message == "bad {}");
  CHECK(module.checks[0].witnesses.size() == 1);
  arguments[1].set_integer(0, 1);
  CHECK(testing::run_schedule(module, *function, arguments).status == 0);
}

TEST_CASE("results in slots at once; the same value twice; arguments as results", "[lower][plan]") {
  const schedule::Module module = lowered(R"(func @f(%x: f32[8]) {
    %e: f32[8] = exp(%x)
    return a = %e, b = %e, c = %x
  })");
  CHECK(module.arena_bytes == 0);
  CHECK(testing::calls_of(module.body) == 3);
}

TEST_CASE("equal kernels are there once", "[lower][plan]") {
  const schedule::Module module = lowered(R"(func @f(%x: f32[8,8], %w: f32[8,8]) {
    %a: f32[8,8] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %b: f32[8,8] = dot_general(%a, %w) {contract = [1]x[0], batch = []x[]}
    %c: f32[8,8] = dot_general(%b, %w) {contract = [1]x[0], batch = []x[]}
    return c = %c
  })");
  CHECK(testing::calls_of(module.body) == 3);
  CHECK(module.kernels.size() == 1);
  CHECK(module.arena_bytes == 512);
}

TEST_CASE("softmax cross-entropy with its gradient is one kernel over rows", "[lower]") {
  const schedule::Module module = lowered(R"(func @f(%x: f32[16,10], %y: i32[16]) {
    %m: f32[16] = reduce_max(%x) {axes = [1]}
    %mb: f32[16,10] = broadcast(%m) {shape = shape[16,10], dimensions = [0]}
    %d: f32[16,10] = sub(%x, %mb)
    %e: f32[16,10] = exp(%d)
    %s: f32[16] = reduce_sum(%e) {axes = [1]}
    %l: f32[16] = log(%s)
    %lb: f32[16,10] = broadcast(%l) {shape = shape[16,10], dimensions = [0]}
    %o: f32[16,10] = sub(%d, %lb)
    %i: i32[16,10] = iota() {axis = 1, shape = shape[16,10], dtype = i32}
    %yb: i32[16,10] = broadcast(%y) {shape = shape[16,10], dimensions = [0]}
    %h: bool[16,10] = compare(%i, %yb) {direction = "eq"}
    %t: f32[16,10] = convert(%h) {to = f32}
    %p: f32[16,10] = mul(%o, %t)
    %loss: f32[16] = reduce_sum(%p) {axes = [1]}
    %sb: f32[16,10] = broadcast(%s) {shape = shape[16,10], dimensions = [0]}
    %q: f32[16,10] = div(%e, %sb)
    %g: f32[16,10] = sub(%q, %t)
    return loss = %loss, g = %g
  })");
  CHECK(testing::calls_of(module.body) == 1);
}

TEST_CASE("the schedule of a small step", "[lower][golden]") {
  const auto function = parse_function(R"(func @step(%x: f32[4,8], state %w: f32[8,3], %rate: f32[]) {
    %h: f32[4,3] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %t: f32[4,3] = tanh(%h)
    %g: f32[8,3] = dot_general(%x, %t) {contract = [0]x[0], batch = []x[]}
    %r: f32[8,3] = broadcast(%rate) {shape = shape[8,3], dimensions = []}
    %s: f32[8,3] = mul(%r, %g)
    %v: f32[8,3] = sub(%w, %s)
    return state w = %v
  })");
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v3"));
  CHECK(schedule::print(module, {.offsets = false}) == R"(schedule @step {
  %x: f32[32] in slot 0 input
  %w: f32[24] in slot 1 state
  %t: f32[12] in arena
  %rate: f32[1] in slot 2 input
  call dot_general_tanh(in %x, in %w, out %t)  // dot_general+tanh
  call dot_general_sub_mul_broadcast(in %x, in %t, inout %w, in %rate)  // dot_general+sub+mul+broadcast
}
)");
}

}  // namespace
}  // namespace pullback
