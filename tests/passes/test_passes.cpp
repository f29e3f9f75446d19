// One table for each pass: text before, text after.
#include "compiler/passes/passes.h"

#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

using testing::PassCase;

TEST_CASE("dce removes what nothing reads and keeps checks", "[dce]") {
  const PassCase cases[] = {
      {"unread", "%x: f32[2]", "%a: f32[2] = exp(%x)\n%b: f32[2] = neg(%a)\nreturn r = %x", "return r = %x"},
      {"check", "%x: f32[2], %p: bool[]",
       "%n: bool[] = not(%p)\ncheck(%n) {message = \"no\"}\n%a: f32[2] = exp(%x)\nreturn r = %x",
       "%n: bool[] = not(%p)\ncheck(%n) {message = \"no\"}\nreturn r = %x"},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::dce, test);
}

TEST_CASE("cse computes equal ops once", "[cse]") {
  const PassCase cases[] = {
      {"equal", "%x: f32[2]", "%a: f32[2] = exp(%x)\n%b: f32[2] = exp(%x)\n%r: f32[2] = sub(%a, %b)\nreturn r = %r",
       "%a: f32[2] = exp(%x)\n%r: f32[2] = sub(%a, %a)\nreturn r = %r"},
      {"commutative", "%x: f32[2], %y: f32[2]",
       "%a: f32[2] = mul(%x, %y)\n%b: f32[2] = mul(%y, %x)\nreturn a = %a, b = %b",
       "%a: f32[2] = mul(%x, %y)\nreturn a = %a, b = %a"},
      {"not commutative", "%x: f32[2], %y: f32[2]",
       "%a: f32[2] = sub(%x, %y)\n%b: f32[2] = sub(%y, %x)\nreturn a = %a, b = %b", ""},
      {"other attributes", "%x: f32[2,2]",
       "%a: f32[2] = reduce_sum(%x) {axes = [0]}\n%b: f32[2] = reduce_sum(%x) {axes = [1]}\nreturn a = %a, b = %b", ""},
      {"0 and -0 differ", "",
       "%a: f32[] = constant() {value = dense<f32[]: 0.0>}\n%b: f32[] = constant() {value = dense<f32[]: -0.0>}\n"
       "return a = %a, b = %b",
       ""},
      {"checks stay", "%p: bool[]", "check(%p) {message = \"a\"}\ncheck(%p) {message = \"a\"}\nreturn r = %p", ""},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::cse, test);
}

TEST_CASE("inline_composites replaces composites by their bodies", "[inline_composites]") {
  const PassCase cases[] = {
      {"nested", "%x: f32[2]",
       "%r: f32[2] = composite(%x) {name = \"outer\"} region(%a: f32[2]) {\n"
       "  %c: f32[2] = composite(%a) {name = \"inner\"} region(%b: f32[2]) {\n    %e: f32[2] = exp(%b)\n    return %e\n"
       "  }\n  %d: f32[2] = neg(%c)\n  return %d\n}\nreturn r = %r",
       "%e: f32[2] = exp(%x)\n%r: f32[2] = neg(%e)\nreturn r = %r"},
      {"with a check", "%p: bool[], %x: f32[2]",
       "%r: f32[2] = composite(%p, %x) {name = \"c\"} region(%a: bool[], %b: f32[2]) {\n"
       "  check(%a) {message = \"m\"}\n  return %b\n}\nreturn r = %r",
       "check(%p) {message = \"m\"}\nreturn r = %x"},
      {"stop_gradient", "%x: f32[2]", "%r: f32[2] = stop_gradient(%x)\nreturn r = %r", "return r = %x"},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::inline_composites, test);
}

constexpr PassCase kClamps[] = {
    {"relu", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%d: f32[7] = select(%c, %b, %g)\nreturn r = %r, d = %d",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%m: bool[7] = compare(%r, %b) {direction = \"le\"}\n"
     "%d: f32[7] = select(%m, %b, %g)\nreturn r = %r, d = %d"},
    {"from above, NaN clamped too", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 6.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"lt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%d: f32[7] = select(%c, %g, %b)\nreturn r = %r, d = %d",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 6.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"lt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%m: bool[7] = compare(%r, %b) {direction = \"lt\"}\n"
     "%d: f32[7] = select(%m, %g, %b)\nreturn r = %r, d = %d"},
    {"the bound itself would be taken for z", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"lt\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%d: f32[7] = select(%c, %b, %g)\nreturn r = %r, d = %d",
     ""},
    {"from above", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 6.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"ge\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%d: f32[7] = select(%c, %b, %g)\nreturn r = %r, d = %d",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 6.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"ge\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%m: bool[7] = compare(%r, %b) {direction = \"ge\"}\n"
     "%d: f32[7] = select(%m, %b, %g)\nreturn r = %r, d = %d"},
    {"from below, NaN clamped too", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"gt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%d: f32[7] = select(%c, %g, %b)\nreturn r = %r, d = %d",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"gt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%m: bool[7] = compare(%r, %b) {direction = \"gt\"}\n"
     "%d: f32[7] = select(%m, %g, %b)\nreturn r = %r, d = %d"},
    {"integers", "%x: i32[7], %g: i32[7]",
     "%z: i32[7] = neg(%x)\n%o: i32[] = constant() {value = dense<i32[]: -50>}\n"
     "%b: i32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: i32[7] = select(%c, %b, %z)\n%d: i32[7] = select(%c, %b, %g)\nreturn r = %r, d = %d",
     "%z: i32[7] = neg(%x)\n%o: i32[] = constant() {value = dense<i32[]: -50>}\n"
     "%b: i32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: i32[7] = select(%c, %b, %z)\n%m: bool[7] = compare(%r, %b) {direction = \"le\"}\n"
     "%d: i32[7] = select(%m, %b, %g)\nreturn r = %r, d = %d"},
    {"a bound that is NaN: neither z nor the clamp is on its side", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: nan>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"gt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%d: f32[7] = select(%c, %g, %z)\nreturn r = %r, d = %d",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: nan>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"gt\"}\n"
     "%r: f32[7] = select(%c, %z, %b)\n%m: bool[7] = compare(%r, %b) {direction = \"gt\"}\n"
     "%d: f32[7] = select(%m, %g, %z)\nreturn r = %r, d = %d"},
    {"within a region", "%x: f32[7], %g: f32[7]",
     "%d: f32[7] = composite(%x, %g) {name = \"inner\"} region(%u: f32[7], %v: f32[7]) {\n"
     "  %z: f32[7] = neg(%u)\n  %o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "  %b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n  %c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "  %r: f32[7] = select(%c, %b, %z)\n  %s: f32[7] = select(%c, %b, %v)\n  %t: f32[7] = add(%r, %s)\n"
     "  return %t\n}\nreturn d = %d",
     "%d: f32[7] = composite(%x, %g) {name = \"inner\"} region(%u: f32[7], %v: f32[7]) {\n"
     "  %z: f32[7] = neg(%u)\n  %o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "  %b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n  %c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "  %r: f32[7] = select(%c, %b, %z)\n  %m: bool[7] = compare(%r, %b) {direction = \"le\"}\n"
     "  %s: f32[7] = select(%m, %b, %v)\n  %t: f32[7] = add(%r, %s)\n"
     "  return %t\n}\nreturn d = %d"},
    {"the predicate as a result stays what it is", "%x: f32[7], %g: f32[7]",
     "%z: f32[7] = neg(%x)\n%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\nreturn r = %r, c = %c",
     ""},
    {"an argument is kept anyway", "%z: f32[7], %g: f32[7]",
     "%o: f32[] = constant() {value = dense<f32[]: 0.0>}\n"
     "%b: f32[7] = broadcast(%o) {shape = shape[7], dimensions = []}\n%c: bool[7] = compare(%z, %b) {direction = "
     "\"le\"}\n"
     "%r: f32[7] = select(%c, %b, %z)\n%d: f32[7] = select(%c, %b, %g)\nreturn r = %r, d = %d",
     ""},
};

TEST_CASE("compare_clamped asks the result of a clamp", "[compare_clamped]") {
  for (const PassCase& test : kClamps) {
    testing::check_pass(passes::compare_clamped, test);
    const auto before = testing::parse_one(testing::function_text(test.arguments, test.before));
    const auto after = testing::parse_one(testing::function_text(test.arguments, test.before));
    passes::compare_clamped(*after);
    testing::check_same_meaning(*before, *after);
  }
}

// The pool of a relu %x over windows that may overlap, and the gradient of both. The argument %g is that of the pool's
// result, the reader behind it, and the mask.
std::string pooled_relu(const std::string& windows, const std::string& behind, const std::string& mask) {
  const std::string attributes =
      windows + ", low = shape[0,0], high = shape[0,0], base_dilation = [1,1], window_dilation = [1,1]";
  return R"(%o: f32[] = constant() {value = dense<f32[]: 0.0>}
    %b: f32[3,5,5] = broadcast(%o) {shape = shape[3,5,5], dimensions = []}
    %z: f32[3,5,5] = neg(%x)
    %c: bool[3,5,5] = compare(%z, %b) {direction = "le"}
    %r: f32[3,5,5] = select(%c, %b, %z)
    %p: f32[3,2,2] = reduce_window_max(%r) {)" +
         attributes + "}\n" + behind + "%t: i32[3,2,2] = window_argmax(%r) {" + attributes + "}\n" + mask +
         "%d: f32[3,5,5] = window_scatter(%m, %t) {" + attributes + ", sizes = shape[5,5]}\n";
}

const std::string kMaskAfter = R"(%q: bool[3,5,5] = compare(%r, %b) {direction = "le"}
  %e: f32[3,5,5] = select(%q, %b, %d)
  return d = %e, p = %u)";

TEST_CASE("mask_windows asks the result of a pool", "[mask_windows]") {
  for (const std::string windows :
       {"window = [2,2], strides = [2,2]", "window = [3,3], strides = [2,2]", "window = [4,4], strides = [1,1]"}) {
    const std::string neg = "%u: f32[3,2,2] = neg(%p)\n";
    const std::string before = pooled_relu(windows, neg + "%m: f32[3,2,2] = abs(%g)\n", "") + kMaskAfter;
    const std::string after = pooled_relu(windows, neg + "%n: f32[3,2,2] = abs(%g)\n", R"(
        %l: f32[] = constant() {value = dense<f32[]: 0.0>}
        %k: f32[3,2,2] = broadcast(%l) {shape = shape[3,2,2], dimensions = []}
        %q: bool[3,2,2] = compare(%p, %k) {direction = "le"}
        %v: f32[] = constant() {value = dense<f32[]: 0.0>}
        %w: f32[3,2,2] = broadcast(%v) {shape = shape[3,2,2], dimensions = []}
        %m: f32[3,2,2] = select(%q, %w, %n)
      )") + "return d = %d, p = %u";
    const PassCase test{windows.c_str(), "%x: f32[3,5,5], %g: f32[3,2,2]", before.c_str(), after.c_str()};
    testing::check_pass(passes::mask_windows, test);
    const auto plain = testing::parse_one(testing::function_text(test.arguments, test.before));
    const auto masked = testing::parse_one(testing::function_text(test.arguments, test.before));
    passes::mask_windows(*masked);
    testing::check_same_meaning(*plain, *masked);
  }
}

TEST_CASE("mask_windows meets a second mask around the first", "[mask_windows]") {
  const std::string text =
      pooled_relu("window = [2,2], strides = [2,2]", "%u: f32[3,2,2] = neg(%p)\n%m: f32[3,2,2] = abs(%g)\n", "") +
      R"(%q: bool[3,5,5] = compare(%r, %b) {direction = "le"}
    %e: f32[3,5,5] = select(%q, %b, %d)
    %h: bool[3,5,5] = compare(%z, %b) {direction = "gt"}
    %f: f32[3,5,5] = select(%h, %e, %b)
    return d = %f, p = %u)";
  const std::string function = testing::function_text("%x: f32[3,5,5], %g: f32[3,2,2]", text);
  const auto plain = testing::parse_one(function), masked = testing::parse_one(function);
  CHECK(passes::mask_windows(*masked));
  testing::check_same_meaning(*plain, *masked);
}

TEST_CASE("mask_windows masks what is reshaped in that shape", "[mask_windows]") {
  const std::string windows = "window = [2,2], strides = [2,2]";
  const std::string flat = "%u: f32[12] = reshape(%p) {shape = shape[12]}\n";
  const std::string before =
      pooled_relu(windows, flat + "%m: f32[3,2,2] = reshape(%g) {shape = shape[3,2,2]}\n", "") + kMaskAfter;
  const std::string after = pooled_relu(windows, flat, R"(
      %l: f32[] = constant() {value = dense<f32[]: 0.0>}
      %k: f32[12] = broadcast(%l) {shape = shape[12], dimensions = []}
      %q: bool[12] = compare(%u, %k) {direction = "le"}
      %v: f32[] = constant() {value = dense<f32[]: 0.0>}
      %w: f32[12] = broadcast(%v) {shape = shape[12], dimensions = []}
      %s: f32[12] = select(%q, %w, %g)
      %m: f32[3,2,2] = reshape(%s) {shape = shape[3,2,2]}
    )") + "return d = %d, p = %u";
  testing::check_pass(passes::mask_windows, {"flat", "%x: f32[3,5,5], %g: f32[12]", before.c_str(), after.c_str()});
}

TEST_CASE("mask_windows leaves other masks as they are", "[mask_windows]") {
  const std::string body =
      pooled_relu("window = [2,2], strides = [2,2]", "%u: f32[3,2,2] = neg(%p)\n%m: f32[3,2,2] = abs(%g)\n", "");
  const PassCase cases[] = {
      {"of what was not pooled", "%x: f32[3,5,5], %g: f32[3,2,2]",
       R"(%q: bool[3,5,5] = compare(%z, %b) {direction = "le"}
       %e: f32[3,5,5] = select(%q, %b, %d)
       return d = %e, p = %u)",
       ""},
      {"to another number", "%x: f32[3,5,5], %g: f32[3,2,2]",
       R"(%q: bool[3,5,5] = compare(%r, %b) {direction = "le"}
       %e: f32[3,5,5] = select(%q, %r, %d)
       return d = %e, p = %u)",
       ""},
      {"of what is read without it, too", "%x: f32[3,5,5], %g: f32[3,2,2]",
       R"(%q: bool[3,5,5] = compare(%r, %b) {direction = "le"}
       %e: f32[3,5,5] = select(%q, %b, %d)
       return d = %e, p = %u, s = %d)",
       ""},
  };
  for (const PassCase& test : cases) {
    const std::string before = body + test.before;
    testing::check_pass(passes::mask_windows, {test.what, test.arguments, before.c_str(), ""});
  }
}

TEST_CASE("fold computes constants", "[fold]") {
  const PassCase cases[] = {
      {"arithmetic", "",
       "%a: f32[2] = constant() {value = dense<f32[2]: 1.0, 2.0>}\n"
       "%b: f32[2] = constant() {value = dense<f32[2]: 3.0, 5.0>}\n%r: f32[2] = mul(%a, %b)\nreturn r = %r",
       "%r: f32[2] = constant() {value = dense<f32[2]: 3.0, 10.0>}\nreturn r = %r"},
      {"movement", "",
       "%a: f32[2,2] = constant() {value = dense<f32[2,2]: 1.0, 2.0, 3.0, 4.0>}\n"
       "%r: f32[2,2] = transpose(%a) {permutation = [1,0]}\nreturn r = %r",
       "%r: f32[2,2] = constant() {value = dense<f32[2,2]: 1.0, 3.0, 2.0, 4.0>}\nreturn r = %r"},
      {"one number everywhere", "", "%a: f32[3] = constant() {value = dense<f32[3]: splat 2.0>}\nreturn r = %a",
       "%a: f32[] = constant() {value = dense<f32[]: 2.0>}\n"
       "%b: f32[3] = broadcast(%a) {shape = shape[3], dimensions = []}\nreturn r = %b"},
      {"floating sums have an order", "",
       "%a: f32[2] = constant() {value = dense<f32[2]: 1.0, 2.0>}\n%r: f32[] = reduce_sum(%a) {axes = [0]}\n"
       "return r = %r",
       ""},
      {"integer sums have not", "",
       "%a: i32[2] = constant() {value = dense<i32[2]: 1, 2>}\n%r: i32[] = reduce_sum(%a) {axes = [0]}\nreturn r = %r",
       "%r: i32[] = constant() {value = dense<i32[]: 3>}\nreturn r = %r"},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::fold, test);
}

TEST_CASE("assign_layouts puts columns innermost", "[assign_layouts]") {
  const char* arguments = "%x: f32[4,8], %a: f32[5,3], %b: f32[5,5]";
  const PassCase cases[] = {
      {"a concatenation read as a transposed right side", arguments,
       "%k: f32[5,8] = concatenate(%a, %b) {axis = 1}\n%r: f32[4,5] = dot_general(%x, %k) {contract = [1]x[1], batch = "
       "[]x[]}\nreturn r = %r",
       "%k: f32[5,8] = concatenate(%a, %b) {axis = 1, layout = [1,0]}\n%r: f32[4,5] = dot_general(%x, %k) {contract = "
       "[1]x[1], batch = []x[]}\nreturn r = %r"},
      {"also read by the caller", arguments,
       "%k: f32[5,8] = concatenate(%a, %b) {axis = 1}\n%r: f32[4,5] = dot_general(%x, %k) {contract = [1]x[1], batch = "
       "[]x[]}\nreturn r = %r, k = %k",
       ""},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::assign_layouts, test);
}

TEST_CASE("assign_layouts keeps what convolutions compute with the channels last", "[assign_layouts]") {
  const char* arguments = "%x: f32[2,3,5,5], %w: f32[8,3,3,3]";
  const char* geometry =
      "{strides = [1,1], low = shape[1,1], high = shape[1,1], base_dilation = [1,1], window_dilation = [1,1], groups = "
      "1, "
      "batch_groups = 1";
  const auto text = [&](const char* layout, const char* end) {
    const std::string name = *layout ? std::string(", layout = ") + layout : "";
    const std::string braces = *layout ? std::string(" {layout = ") + layout + "}" : "";
    return "%y: f32[2,8,5,5] = convolution(%x, %w) " + std::string(geometry) + name + "}\n%r: f32[2,8,5,5] = exp(%y)" +
           braces + "\n%t: f32[8,2,5,5] = transpose(%r) {permutation = [1,0,2,3]" +
           (*layout ? ", layout = [1,2,3,0]" : "") + "}\n%e: f32[8,2,5,5] = exp(%t)" +
           (*layout ? " {layout = [1,2,3,0]}" : "") + "\n%s: f32[8] = reduce_sum(%e) {axes = [1,2,3]}\n" + end;
  };
  const std::string before = text("", "return s = %s"), after = text("[0,2,3,1]", "return s = %s");
  const std::string result = "%y: f32[2,8,5,5] = convolution(%x, %w) " + std::string(geometry) + "}\nreturn y = %y";
  const PassCase cases[] = {
      {"what follows element by element", arguments, before.c_str(), after.c_str()},
      {"a result of the function", arguments, result.c_str(), ""},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::assign_layouts, test);
}

TEST_CASE("specialize substitutes symbols everywhere", "[specialize]") {
  const auto symbolic = testing::parse_one(
      "func @f(%x: f32[batch,3], %b: f32[3]) {\n"
      "  %w: f32[batch,3] = broadcast(%b) {shape = shape[batch,3], dimensions = [1]}\n"
      "  %y: f32[batch,3] = add(%x, %w)\n  %z: f32[3*batch] = reshape(%y) {shape = shape[3*batch]}\n"
      "  return z = %z\n}\n");
  const auto expected = testing::parse_one(
      "func @f(%x: f32[5,3], %b: f32[3]) {\n"
      "  %w: f32[5,3] = broadcast(%b) {shape = shape[5,3], dimensions = [1]}\n"
      "  %y: f32[5,3] = add(%x, %w)\n  %z: f32[15] = reshape(%y) {shape = shape[15]}\n  return z = %z\n}\n");
  const auto special = passes::specialize(*symbolic, {{"batch", 5}});
  ir::verify(*special, "specialize");
  CHECK(ir::equal(*special, *expected));
  CHECK_THROWS_WITH(passes::specialize(*symbolic, {{"batch", -1}}), Catch::Contains("batch = -1"));
}

}  // namespace
}  // namespace pullback
