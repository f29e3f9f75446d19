// However a contraction is cut, its results have the same bits.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "compiler/ir/text.h"
#include "tests/lower/forced_schedules.h"
#include "tests/lower/lower_testing.h"

using namespace pullback;
using namespace pullback::testing;

namespace {

std::vector<std::string> bits_of(const schedule::Module& module, const ir::Function& function,
                                 const std::vector<ir::Literal>& arguments) {
  std::vector<std::string> bits;
  for (const ir::Literal& result : run_schedule(module, function, arguments).results)
    bits.emplace_back(reinterpret_cast<const char*>(result.bytes.data()), result.bytes.size());
  return bits;
}

void check_bits(const std::string& text, bool has_bf16_dot = false) {
  const auto function = parse_function(text);
  std::mt19937 random(1);
  const std::vector<ir::Literal> arguments = random_arguments(*function, random);
  for (const char* name : {"x86-64-v4", "x86-64-v3"}) {
    Target target = Target::parse(name);
    target.has_bf16_dot = has_bf16_dot;
    lower::Options options{.threads = lower::Threads::several};
    const auto expected = bits_of(lower::lower(*function, target, options), *function, arguments);
    std::size_t tried = 0;
    for (std::size_t choice = 0;; ++choice) {
      bool more = false;
      std::string how;
      options.schedules = [&](const lower::ContractionProblem& problem) -> std::optional<lower::ContractionSchedule> {
        const auto all = forced_schedules(problem);
        if (choice >= all.size()) return std::nullopt;
        more = true;
        how += lower::describe(problem) + ": " + lower::describe(all[choice]) + "\n";
        return all[choice];
      };
      const schedule::Module module = lower::lower(*function, target, options);
      if (!more) break;
      ++tried;
      INFO(name << " " << ir::print(*function) << how);
      CHECK(bits_of(module, *function, arguments) == expected);
    }
    CHECK(tried >= 8);
  }
}

std::string product(const std::string& dtype, const std::string& arguments, const std::string& result,
                    const std::string& attributes, const std::string& more = "return a = %a") {
  return "func @f(" + arguments + ") {\n  %a: " + dtype + "[" + result + "] = dot_general(%x, %y) {" + attributes +
         "}\n  " + more + "\n}";
}

/// What the rules choose for a product of A, which may lie transposed, and B on a target with this second level; its
/// sums are stored, or only their squares.
lower::ContractionSchedule choose_for(const std::string& name, std::int64_t second_level, std::int64_t m,
                                      std::int64_t n, std::int64_t k, bool transposed, bool squared = false) {
  Target target = Target::parse(name);
  target.second_level = second_level;
  const auto text = [](std::int64_t a, std::int64_t b) { return std::to_string(a) + "," + std::to_string(b); };
  const auto function = parse_function(
      product("f32", "%x: f32[" + (transposed ? text(k, m) : text(m, k)) + "], %y: f32[" + text(k, n) + "]", text(m, n),
              std::string("contract = [") + (transposed ? "0" : "1") + "]x[0], batch = []x[]",
              squared ? "%s: f32[" + text(m, n) + "] = mul(%a, %a)\n  return s = %s" : "return a = %a"));
  lower::ContractionSchedule schedule;
  lower::lower(*function, target, {.schedules = [&](const lower::ContractionProblem& problem) {
    return schedule = lower::choose_schedule(problem);
  }});
  INFO(lower::describe(schedule));
  CHECK_FALSE(schedule.transposed);
  return schedule;
}

}  // namespace

TEST_CASE("forced schedules: products as they are, and transposed", "[lower]") {
  check_bits(product("f32", "%x: f32[13,21], %y: f32[21,35]", "13,35", "contract = [1]x[0], batch = []x[]"));
  check_bits(product("f64", "%x: f64[21,13], %y: f64[21,19]", "13,19", "contract = [0]x[0], batch = []x[]"));
  check_bits(product("f32", "%x: f32[13,21], %y: f32[35,21]", "13,35", "contract = [1]x[1], batch = []x[]"));
  check_bits(product("f32", "%x: f32[2,40], %y: f32[40,300]", "2,300", "contract = [1]x[0], batch = []x[]"));
}

TEST_CASE("forced schedules: batches, several sums, half precision", "[lower]") {
  check_bits(
      product("f32", "%x: f32[3,9,2,11], %y: f32[3,11,18,2]", "3,2,9,18", "contract = [3]x[1], batch = [0,2]x[0,3]"));
  check_bits(product("f32", "%x: f32[9,3,11], %y: f32[3,18,11]", "9,18", "contract = [1,2]x[0,2], batch = []x[]"));
  check_bits(product("bf16", "%x: bf16[13,21], %y: bf16[21,35]", "13,35", "contract = [1]x[0], batch = []x[]"));
}

TEST_CASE("forced schedules: sums of pairs, or not, as the rules have it", "[lower]") {
  const auto check = [](const std::string& x, const std::string& y, const std::string& result) {
    check_bits(product("bf16", "%x: bf16[" + x + "], %y: bf16[" + y + "]", result, "contract = [1]x[0], batch = []x[]"),
               true);
  };
  check("13,70", "70,35", "13,35");
  check("5,70", "70,35", "5,35");
  check("35,70", "70,5", "35,5");
}

TEST_CASE("forced schedules: what is fused before and behind", "[lower]") {
  check_bits(product("f32", "%x: f32[13,21], %y: f32[21,35], %b: f32[13,35]", "13,35",
                     "contract = [1]x[0], batch = []x[]",
                     "%r: f32[13,35] = add(%a, %b)\n  %t: f32[13,35] = tanh(%r)\n  return r = %r, t = %t"));
  check_bits(R"(func @f(%u: f32[13,21], %y: f32[21,35], state %w: f32[13,35]) {
    %x: f32[13,21] = exp(%u)
    %a: f32[13,35] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]}
    %v: f32[13,35] = sub(%w, %a)
    return a = %a, state w = %v
  })");
}

TEST_CASE("measured schedules must fit the problem", "[lower]") {
  const auto function =
      parse_function(product("f32", "%x: f32[13,21], %y: f32[21,35]", "13,35", "contract = [1]x[0], batch = []x[]"));
  const auto lower_as = [&](lower::ContractionSchedule (*change)(lower::ContractionSchedule)) {
    lower::lower(*function, Target::parse("x86-64-v3"), {.schedules = [&](const lower::ContractionProblem& problem) {
      return change(lower::choose_schedule(problem));
    }});
  };
  lower_as([](lower::ContractionSchedule same) { return same; });
  CHECK_THROWS_AS(lower_as([](lower::ContractionSchedule s) {
                    s.tile = {14, 3};
                    return s;
                  }),
                  InternalError);
  CHECK_THROWS_AS(lower_as([](lower::ContractionSchedule s) {
                    s.blocking.depth = 0;
                    return s;
                  }),
                  InternalError);
}

TEST_CASE("the rules cut products for 16 registers of 8 numbers and 512 KiB", "[lower]") {
  constexpr std::int64_t kSecondLevel = 512 << 10;
  const auto chosen = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool transposed = false) {
    return choose_for("x86-64-v3", kSecondLevel, m, n, k, transposed);
  };
  // Wide, or a multiple of three vectors: 4x3.
  CHECK(chosen(600, 1024, 600).tile == lower::Tile{4, 3});
  CHECK(chosen(600, 384, 600).tile == lower::Tile{4, 3});
  CHECK(chosen(600, 128, 600).tile.vectors == 2);
  // Few rows read B in place, in short blocks; a page from step to step they do not.
  const lower::ContractionSchedule in_place = chosen(32, 640, 600);
  CHECK_FALSE(in_place.pack_columns);
  CHECK(in_place.blocking.depth <= 128);
  const lower::ContractionSchedule copied = chosen(32, 1024, 1024);
  CHECK(copied.pack_columns);
  CHECK(copied.blocking.depth <= 256);
  CHECK(copied.blocking.depth * copied.blocking.columns * 4 <= kSecondLevel * 3 / 8);
  // A row times a matrix from far away reads few bytes of each of its rows at a time.
  CHECK(chosen(1, 1024, 256).tile == lower::Tile{1, 6});
  CHECK(chosen(1, 4096, 1024).tile == lower::Tile{1, 3});
  CHECK(chosen(1, 4096, 1024).blocking.depth == 8);
  // Where writing C is most of the work it is written a few whole rows at a time; small C is not.
  const lower::ContractionSchedule shallow = chosen(1024, 1024, 8);
  CHECK(shallow.tile == lower::Tile{4, 2});
  CHECK(shallow.blocking == lower::Blocking{4, 1024, 8});
  CHECK(chosen(1024, 1024, 32).blocking.columns * 32 * 4 <= kSecondLevel / 8);
  CHECK(chosen(1024, 1024, 8, true).pack_rows);
  CHECK(chosen(300, 700, 5).blocking.rows >= 300);
  // Transposed A is copied in long runs.
  const lower::ContractionSchedule across = chosen(1024, 1024, 1024, true);
  CHECK(across.pack_rows);
  CHECK(across.blocking.rows >= 512);
}

TEST_CASE("the rules cut products for 32 registers of 16 numbers and 1 MiB", "[lower]") {
  const auto chosen = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool transposed = false) {
    return choose_for("x86-64-v4", 1 << 20, m, n, k, transposed);
  };
  // Panels of B that leave the first level are copied, others are not.
  CHECK(chosen(512, 512, 512).pack_columns);
  CHECK(chosen(512, 512, 512).tile == lower::Tile{8, 3});
  CHECK_FALSE(chosen(256, 256, 128).pack_columns);
  CHECK(chosen(1000, 2048, 512).tile == lower::Tile{8, 3});
  // Few columns: two vectors, and sums enough for panels from the second level.
  CHECK(chosen(1024, 128, 512).tile == lower::Tile{14, 2});
  CHECK(chosen(1024, 128, 100).tile == lower::Tile{8, 2});
  // Few rows read B in place, in blocks.
  const lower::ContractionSchedule few = chosen(128, 512, 784);
  CHECK(few.tile == lower::Tile{8, 3});
  CHECK_FALSE(few.pack_columns);
  CHECK(few.blocking.depth == 392);
  CHECK(chosen(20, 1000, 2000).blocking.depth == 500);
  CHECK(chosen(100, 1000, 1000).tile == lower::Tile{9, 3});
  CHECK(chosen(64, 64, 1024).tile.vectors == 2);
  CHECK(chosen(64, 64, 64).tile == lower::Tile{8, 2});
  // Rows a page apart meet in the first level: eight at a time do not push each other out.
  CHECK_FALSE(chosen(40, 1024, 1024).pack_rows);
  CHECK(chosen(40, 1024, 1024).tile == lower::Tile{8, 3});
  CHECK(chosen(40, 64, 1024).tile.rows == 8);
  // Other rows are read where they are, in blocks of 4 MiB, unless they lie across and a page apart in deep sums.
  CHECK_FALSE(chosen(2048, 2048, 2048).pack_rows);
  CHECK(chosen(1024, 1024, 1024).blocking.rows == 1024);
  CHECK(chosen(1024, 1024, 1024, true).pack_rows);
  CHECK_FALSE(chosen(1024, 1024, 512, true).pack_rows);
  CHECK_FALSE(chosen(512, 512, 512, true).pack_rows);
  // Few rows that are neighbours read B in place, beside which they stay in the second level. Rows of B that begin
  // between lines or a page apart are copied.
  const lower::ContractionSchedule across = chosen(256, 768, 2048, true);
  CHECK_FALSE(across.pack_columns);
  CHECK(across.blocking.depth == 256);
  CHECK(across.blocking.rows == 64);
  CHECK(chosen(256, 256, 2048, true).blocking.rows == 256);
  CHECK(chosen(512, 768, 512, true).blocking.depth == 512);
  CHECK(chosen(256, 770, 2048, true).pack_columns);
  CHECK(chosen(256, 1024, 2048, true).pack_columns);
  CHECK(chosen(1024, 768, 512, true).pack_columns);
  // Short sums are written in long runs.
  CHECK(chosen(128, 512, 10).tile == lower::Tile{4, 4});
  CHECK(chosen(128, 32, 10).tile.vectors == 2);
  // Four rows at a time read panels so fast that these must stay in the first level. Rows of B a quarter of a page
  // apart meet in few of its sets; those of 320 columns, a page and a quarter for four, in all.
  CHECK(chosen(1024, 256, 64).pack_columns);
  CHECK(chosen(1024, 512, 32).pack_columns);
  CHECK_FALSE(chosen(1024, 320, 64).pack_columns);
  CHECK_FALSE(chosen(40, 256, 64).pack_columns);
  // Where each step reads a row of either operand and sums wait in scratch memory, blocks are longer than with 16.
  CHECK(choose_for("x86-64-v4", 1 << 20, 128, 512, 1024, true, true).blocking.depth == 512);
  CHECK(choose_for("x86-64-v3", 1 << 20, 128, 512, 1024, true, true).blocking.depth == 128);
}

TEST_CASE("a long ending leaves registers to the sums", "[lower]") {
  const auto tile_for = [](const std::string& function) {
    const auto graph = testing::parse_function(
        "func @f(%x: f32[1024,256], %y: f32[256,768]) {" + std::string("\n  %a: f32[1024,768] = dot_general(%x, %y) ") +
        "{contract = [1]x[0], batch = []x[]}\n  %b: f32[1024,768] = " + function + "(%a)\n  return b = %b\n}");
    lower::Tile tile;
    lower::lower(*graph, Target::parse("x86-64-v4"), {.schedules = [&](const lower::ContractionProblem& problem) {
      tile = lower::choose_schedule(problem).tile;
      return std::nullopt;
    }});
    return tile;
  };
  CHECK(tile_for("neg") == lower::Tile{8, 3});
  CHECK(tile_for("exp") == lower::Tile{8, 3});
  CHECK(tile_for("erf") == lower::Tile{8, 2});
  CHECK(tile_for("tanh") == lower::Tile{8, 2});
}

TEST_CASE("what the rules choose can be done, whatever the problem", "[lower]") {
  std::mt19937 random(1);
  const auto pick = [&](const std::vector<std::int64_t>& from) { return from[random() % from.size()]; };
  const std::vector<std::int64_t> sizes{1, 2, 8, 13, 40, 64, 129, 512, 1000, 2048};
  for (int i = 0; i < 4000; ++i) {
    const std::int64_t m = pick(sizes), n = pick(sizes), k = pick(sizes);
    // Neighbours lie along one dimension of an operand, or along none of these, as beside a batch; rows may be one.
    const auto strides = [&](std::int64_t outer, std::int64_t inner) {
      const std::int64_t step = pick({1, 1, 1, 4}), line = inner * step;
      return random() % 2 ? std::pair(pick({line, line, 1024, 0}), step) : std::pair(step, outer * step);
    };
    lower::ContractionProblem problem;
    const auto [a_row, a_depth] = strides(m, k);
    const auto [b_depth, b_column] = strides(k, n);
    problem.loops.m = {{m, a_row, 0, n}};
    problem.loops.n = {{n, 0, b_column, 1}};
    problem.loops.k = {{k, a_depth, b_depth, 0}};
    problem.a.dtype = problem.b.dtype = random() % 4 ? DType::f32 : DType::bf16;
    problem.a.stored = random() % 8 != 0;
    problem.b.stored = random() % 8 != 0;
    problem.keeps_sums = random() % 2;
    problem.long_ending = random() % 4 == 0;
    const bool has_many = random() % 2;
    problem.registers = has_many ? lower::Registers{32, 16} : lower::Registers{16, 8};
    problem.second_level = has_many ? 1 << 20 : 512 << 10;
    problem.has_bf16_dot = has_many && random() % 2;
    const lower::ContractionSchedule schedule = lower::choose_schedule(problem);
    INFO(lower::describe(problem) << ": " << lower::describe(schedule));
    REQUIRE(lower::is_valid(problem, schedule));
  }
}
