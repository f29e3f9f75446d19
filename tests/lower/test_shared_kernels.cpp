// Groups that are equal but for their buffers get one kernel; groups that differ in anything that a kernel depends on
// do not.
#include <fmt/format.h>

#include "compiler/ir/kernel/clone.h"
#include "compiler/ir/layout.h"
#include "compiler/lower/signature.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::parse_function;

/// The signatures of the function's groups, whose results and arguments all have storages of their own.
std::vector<std::optional<lower::Signature>> signatures_of(const ir::Function& function) {
  lower::Accesses accesses;
  lower::Draft draft;
  lower::Placement placement(draft);
  const auto place = [&](const ir::Value* v) {
    placement.place(v, draft.add_storage({v->name, v->type.dtype, lower::count_of(*v)}));
  };
  for (const auto& argument : function.body.arguments) place(argument.get());
  std::vector<std::optional<lower::Signature>> signatures;
  const lower::Grouping grouping = lower::group(function.body, accesses);
  for (const lower::Group& g : grouping.groups)
    for (const ir::Value* stored : g.stored) place(stored);
  for (const lower::Group& g : grouping.groups)
    signatures.push_back(lower::signature_of(g, placement, *accesses.forms()));
  return signatures;
}

/// Does the function, of two groups, have two that are alike?
bool are_alike(const std::string& text) {
  const auto signatures = signatures_of(*parse_function(text));
  INFO(text);
  REQUIRE(signatures.size() == 2);
  REQUIRE((signatures[0] && signatures[1]));
  return signatures[0]->key == signatures[1]->key;
}

/// Two functions of other inputs, each in a group of its own.
std::string pair_of(const std::string& first, const std::string& second) {
  return "func @f(%x: f32[6,8], %y: f32[6,8], %z: f32[6,8], %w: f32[6,8], %u: f32[7,7], %v: f32[7,7]) {\n" + first +
         second + "return a = %a, b = %b\n}";
}

TEST_CASE("groups that differ in their buffers only have one signature", "[lower][shared]") {
  CHECK(
      are_alike("func @f(%x: f32[6,8], %y: f32[6,8]) {\n"
                "%a: f32[6] = reduce_sum(%x) {axes = [1]}\n"
                "%b: f32[6] = reduce_sum(%y) {axes = [1]}\n"
                "return a = %a, b = %b\n}"));
  CHECK(
      are_alike("func @f(%x: f32[8,4], %y: f32[4,8], %z: f32[8,4], %w: f32[4,8]) {\n"
                "%p: f32[8,8] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]}\n"
                "%a: f32[8,8] = tanh(%p)\n"
                "%q: f32[8,8] = dot_general(%z, %w) {contract = [1]x[0], batch = []x[]}\n"
                "%b: f32[8,8] = tanh(%q)\n"
                "return a = %a, b = %b\n}"));
}

TEST_CASE("groups that differ in one respect have signatures of their own", "[lower][shared]") {
  const struct {
    const char *what, *first, *second;
  } cases[] = {
      {"the op", "%a: f32[6] = reduce_sum(%x) {axes = [1]}\n", "%b: f32[6] = reduce_max(%y) {axes = [1]}\n"},
      {"an attribute", "%a: f32[7] = reduce_sum(%u) {axes = [0]}\n", "%b: f32[7] = reduce_sum(%v) {axes = [1]}\n"},
      {"sizes", "%a: f32[6] = reduce_sum(%x) {axes = [1]}\n", "%b: f32[7] = reduce_sum(%v) {axes = [1]}\n"},
      {"a number",
       "%c: f32[6,8] = constant() {value = dense<f32[6,8]: splat 2.0>}\n%p: f32[6,8] = mul(%x, %c)\n"
       "%a: f32[6] = reduce_sum(%p) {axes = [1]}\n",
       "%d: f32[6,8] = constant() {value = dense<f32[6,8]: splat 3.0>}\n%q: f32[6,8] = mul(%y, %d)\n"
       "%b: f32[6] = reduce_sum(%q) {axes = [1]}\n"},
      {"the wiring: one operand twice", "%p: f32[6,8] = mul(%x, %y)\n%a: f32[6] = reduce_sum(%p) {axes = [1]}\n",
       "%q: f32[6,8] = mul(%z, %z)\n%b: f32[6] = reduce_sum(%q) {axes = [1]}\n"},
      {"the wiring: which operand is which",
       "%e: f32[6,8] = exp(%x)\n%p: f32[6,8] = sub(%e, %y)\n%a: f32[6] = reduce_sum(%p) {axes = [1]}\n",
       "%g: f32[6,8] = exp(%z)\n%q: f32[6,8] = sub(%w, %g)\n%b: f32[6] = reduce_sum(%q) {axes = [1]}\n"},
      {"the layout of a result", "%a: f32[8,6] = transpose(%x) {permutation = [1,0]}\n",
       "%b: f32[8,6] = transpose(%y) {permutation = [1,0], layout = [1,0]}\n"},
      {"the element type", "%p: f64[6,8] = convert(%x) {to = f64}\n%a: f64[6] = reduce_sum(%p) {axes = [1]}\n",
       "%b: f32[6] = reduce_sum(%y) {axes = [1]}\n"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    CHECK(!are_alike(pair_of(c.first, c.second)));
  }
}

TEST_CASE("whether a value of the group is stored counts", "[lower][shared]") {
  const auto signatures =
      signatures_of(*parse_function("func @f(%x: f32[64,64], %y: f32[64,64], %z: f32[64,64], %w: f32[64,64]) {\n"
                                    "%p: f32[64,64] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]}\n"
                                    "%a: f32[64,64] = tanh(%p)\n"
                                    "%q: f32[64,64] = dot_general(%z, %w) {contract = [1]x[0], batch = []x[]}\n"
                                    "%b: f32[64,64] = tanh(%q)\n"
                                    "return a = %a, b = %b, q = %q\n}"));
  REQUIRE(signatures.size() == 2);
  CHECK(signatures[0]->key != signatures[1]->key);
}

TEST_CASE("two values in one storage are not two storages", "[lower][shared]") {
  const auto function = parse_function(
      "func @f(%x: f32[6,8], %y: f32[6,8]) {\n"
      "%p: f32[6,8] = mul(%x, %y)\n"
      "%a: f32[6] = reduce_sum(%p) {axes = [1]}\n"
      "return a = %a\n}");
  lower::Accesses accesses;
  const lower::Grouping grouping = lower::group(function->body, accesses);
  const auto key = [&](bool together) {
    lower::Draft draft;
    lower::Placement placement(draft);
    const std::size_t first = draft.add_storage({"x", DType::f32, 48}),
                      second = draft.add_storage({"y", DType::f32, 48});
    placement.place(function->body.arguments[0].get(), first);
    placement.place(function->body.arguments[1].get(), together ? first : second);
    placement.place(function->body.results[0], draft.add_storage({"a", DType::f32, 6}));
    return lower::signature_of(grouping.groups.front(), placement, *accesses.forms())->key;
  };
  CHECK(key(false) == key(false));
  CHECK(key(false) != key(true));
}

/// The space of the group of %b, and what that reads where.
std::string group_of_b(const std::string& ops) {
  const auto function =
      parse_function("func @f(%x: f32[48,64], %y: f32[48,64], %z: f32[48,64], %w: f32[64,48]) {\n" + ops + "}");
  lower::Accesses accesses;
  const lower::Grouping grouping = lower::group(function->body, accesses);
  const ir::Value* b = function->body.results.back();
  const lower::Group& g = grouping.groups[*grouping.group_of.find(b)];
  const lower::Group::Along* along = g.along.find(b);
  std::string text = fmt::format("{} of {} x {}, {} slabs, along {}", static_cast<int>(g.kind), g.rows, g.inner,
                                 g.slabs, along ? static_cast<int>(*along) : -1);
  for (const lower::AnchorRead& read : *grouping.reads.find(b))
    text += fmt::format("; {} at {}", read.value->name, kernel::to_string(*read.address));
  return text;
}

TEST_CASE("an expression is not taken for one that differs in one respect", "[lower][shared]") {
  // %a is looked at before %b.
  const struct {
    const char *what, *first, *second;
  } cases[] = {
      {"nothing", "%p: f32[48,64] = mul(%x, %z)\n%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
       "%q: f32[48,64] = mul(%y, %z)\n%b: f32[48] = reduce_sum(%q) {axes = [1]}\n"},
      {"the axis", "%a: f32[64] = reduce_sum(%x) {axes = [0]}\n", "%b: f32[48] = reduce_sum(%y) {axes = [1]}\n"},
      {"one operand twice", "%p: f32[48,64] = mul(%x, %x)\n%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
       "%q: f32[48,64] = mul(%y, %z)\n%b: f32[48] = reduce_sum(%q) {axes = [1]}\n"},
      {"which operand is which", "%p: f32[48,64] = sub(%x, %y)\n%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
       "%q: f32[48,64] = sub(%y, %x)\n%b: f32[48] = reduce_sum(%q) {axes = [1]}\n"},
      {"a constant", "%p: f32[48,64] = mul(%x, %y)\n%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
       "%c: f32[48,64] = constant() {value = dense<f32[48,64]: splat 3.0>}\n%q: f32[48,64] = mul(%c, %y)\n"
       "%b: f32[48] = reduce_sum(%q) {axes = [1]}\n"},
      {"what moves the operand",
       "%p: f32[48,64] = transpose(%w) {permutation = [1,0]}\n%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
       "%q: f32[48,64] = reshape(%w) {shape = shape[48,64]}\n%b: f32[48] = reduce_sum(%q) {axes = [1]}\n"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const std::string first = c.first, second = c.second;
    CHECK(group_of_b(first + second + "return a = %a, b = %b\n") == group_of_b(second + "return b = %b\n"));
  }
}

TEST_CASE("the layout of what an expression reads counts", "[lower][shared]") {
  // The reduced rows are neighbours in memory only where the stored operand is row-major.
  const auto product = [](const char* name, const char* layout) {
    return fmt::format("%{}: f32[48,48] = dot_general(%x, %w) {{contract = [1]x[0], batch = []x[]{}}}\n", name, layout);
  };
  const std::string plain = product("p", ""), other = product("q", ", layout = [1,0]");
  const std::string a = "%a: f32[48] = reduce_sum(%p) {axes = [1]}\n",
                    b = "%b: f32[48] = reduce_sum(%q) {axes = [1]}\n";
  const std::string kept = "return p = %p, q = %q, a = %a, b = %b\n", alone = "return q = %q, b = %b\n";
  CHECK(group_of_b(plain + other + a + b + kept) == group_of_b(other + b + alone));
  CHECK(group_of_b(product("q", "") + b + alone) != group_of_b(other + b + alone));
}

/// `layers` layers of x = tanh(x w + b) with a training step's update of each w.
std::string layers_of(int layers, const char* dtype = "f32") {
  std::string arguments = fmt::format("%x0: {}[16,32]", dtype), body, results;
  for (int i = 0; i < layers; ++i) {
    arguments += fmt::format(", state %w{0}: {1}[32,32], %b{0}: {1}[32]", i, dtype);
    body += fmt::format(
        "%p{0}: {2}[16,32] = dot_general(%x{0}, %w{0}) {{contract = [1]x[0], batch = []x[]}}\n"
        "%c{0}: {2}[16,32] = broadcast(%b{0}) {{shape = shape[16,32], dimensions = [1]}}\n"
        "%s{0}: {2}[16,32] = add(%p{0}, %c{0})\n"
        "%x{1}: {2}[16,32] = tanh(%s{0})\n"
        "%g{0}: {2}[32,32] = dot_general(%x{0}, %x{1}) {{contract = [0]x[0], batch = []x[]}}\n"
        "%u{0}: {2}[32,32] = sub(%w{0}, %g{0})\n",
        i, i + 1, dtype);
    results += fmt::format(", state w{0} = %u{0}", i);
  }
  return fmt::format("func @f({}) {{\n{}return y = %x{}{}\n}}", arguments, body, layers, results);
}

TEST_CASE("layers that repeat have their kernels once", "[lower][shared]") {
  const auto kernels = [](int layers) {
    return lower::lower(*parse_function(layers_of(layers)), Target::parse("x86-64-v3")).kernels.size();
  };
  CHECK(kernels(12) == kernels(3));
  check_lowering(layers_of(4));
}

TEST_CASE("the copy of a kernel is the kernel", "[lower][shared]") {
  const auto module = lower::lower(*parse_function(layers_of(2)), Target::parse("x86-64-v3"));
  for (const auto& kernel : module.kernels) {
    const auto copy = kernel::clone(*kernel);
    CHECK(kernel::canonical_text(*copy) == kernel::canonical_text(*kernel));
    CHECK(copy->scratch_bytes() == kernel->scratch_bytes());
  }
}

}  // namespace
}  // namespace pullback
