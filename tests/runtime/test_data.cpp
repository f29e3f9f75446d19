// Datasets, files of data and batches.
#include <pullback/data.h>
#include <pullback/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <zlib.h>

#include <catch2/catch.hpp>

#include "tests/runtime/temporary_folder.h"

using namespace pullback;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

void write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
}

// An IDX file: 0 0 code rank, big-endian dims, data.
std::string idx(char code, const std::vector<unsigned char>& dims, const std::string& data) {
  std::string text{'\0', '\0', code, static_cast<char>(dims.size())};
  for (const unsigned char dim : dims) text += std::string{'\0', '\0', '\0', static_cast<char>(dim)};
  return text + data;
}

data::Dataset numbered(std::int64_t n) {
  std::vector<float> x(static_cast<std::size_t>(2 * n));
  std::vector<std::int32_t> y(static_cast<std::size_t>(n));
  std::iota(x.begin(), x.end(), 0.0f);
  std::iota(y.begin(), y.end(), 0);
  return data::Dataset({{"x", Array::from(x, {n, 2})}, {"y", Array::from(y, {n})}});
}

std::vector<std::int32_t> order_of(data::Batches& batches) {
  std::vector<std::int32_t> order;
  for (std::int64_t i = 0; i < batches.count(); ++i) {
    const auto& batch = batches.at(i);
    const auto y = batch.column("y").values<std::int32_t>();
    const auto x = batch.column("x").values<float>();
    for (std::size_t row = 0; row < y.size(); ++row) CHECK(x[2 * row] == 2.0f * static_cast<float>(y[row]));
    order.insert(order.end(), y.begin(), y.end());
  }
  return order;
}

void write_mnist(const TemporaryFolder& folder, const std::string& labels) {
  for (const std::string prefix : {"train", "t10k"}) {
    write_gzip(folder.file(prefix + "-images-idx3-ubyte.gz"), idx(8, {2, 1, 2}, std::string("\x00\xff\x33\x00", 4)));
    write_text(folder.file(prefix + "-labels-idx1-ubyte"), labels);
  }
}

}  // namespace

TEST_CASE("dataset: columns and their errors", "[data]") {
  data::Dataset set = numbered(4);
  CHECK(set.size() == 4);
  CHECK_THROWS_WITH(set.add("z", Array(f32, {3})),
                    Contains("dataset: column 'z' is f32[3], but column 'x' has 4 rows"));
  CHECK_THROWS_WITH(set.add("z", Array(f32, {})), Contains("column 'z' is a scalar"));
  CHECK_THROWS_WITH(set.add("x", Array(f32, {4})), Contains("dataset: there is already a column 'x'"));
  CHECK_THROWS_WITH(set.column("label"), Contains("dataset: there is no column 'label'; there are: x, y"));
  CHECK_THROWS_WITH(set.take({0, 4}), Contains("data: row 4 of 4 rows"));
  CHECK_THROWS_WITH(set.slice(3, 5), Contains("dataset: rows 3..5 of a dataset of 4"));
  CHECK(set.take({3, 1}).column("x").values<float>()[0] == 6.0f);
  CHECK(set.slice(1, 3).column("y").values<std::int32_t>()[1] == 2);
  CHECK(set.slice(2, 2).size() == 0);
}

TEST_CASE("dataset: split gives every row once", "[data]") {
  const auto [first, second] = numbered(10).split(0.7, 3);
  CHECK(first.size() == 7);
  std::set<std::int32_t> seen;
  for (const auto* part : {&first, &second})
    for (const std::int32_t y : part->column("y").values<std::int32_t>()) seen.insert(y);
  CHECK(seen.size() == 10);
  CHECK_THROWS_WITH(numbered(10).split(1.5, 3), Contains("1.5, which is not in 0..1"));
}

TEST_CASE("data: errors carry the line of the call", "[data]") {
  const data::Dataset set = numbered(3);
  const Array table(f64, {2, 2});
  const auto here = Contains("(test_data.cpp:");
  CHECK_THROWS_WITH(data::load_csv("none.csv"), here);
  CHECK_THROWS_WITH(data::load_idx("none.idx"), here);
  CHECK_THROWS_WITH(data::load_mnist("none"), here);
  CHECK_THROWS_WITH(data::load_mnist("none", -3), Contains("classes is -3: it must be at least 1 (test_data.cpp:"));
  CHECK_THROWS_WITH(data::labels(table, 5), here);
  CHECK_THROWS_WITH(data::labels(table, 0, -3), Contains("classes is -3: it must be at least 0 (test_data.cpp:"));
  CHECK_THROWS_WITH(data::take_columns(table, {2}), here);
  CHECK_THROWS_WITH(data::convert(table, i32), here);
  CHECK_THROWS_WITH(data::Standardizer(Array(f64, {0, 2})), here);
  CHECK_THROWS_WITH(data::Standardizer(Array::from(std::vector<double>{1, NAN}, {1, 2})),
                    Contains("standardize: row 0, column 1: nan is not finite (test_data.cpp:"));
  CHECK_THROWS_WITH(data::Standardizer(table).apply(Array(f64, {2, 1})), here);
  CHECK_THROWS_WITH(data::permutation(-1, 0), Contains("there is none of -1 numbers (test_data.cpp:"));
  CHECK_THROWS_WITH(data::Batches(set, {.batch_size = 0}), here);
  CHECK_THROWS_WITH(data::Batches(set, {}).at(7), here);
  CHECK_THROWS_WITH(set.column("none"), here);
  CHECK_THROWS_WITH(set.take({7}), here);
  CHECK_THROWS_WITH(set.slice(2, 1), here);
  CHECK_THROWS_WITH(set.split(2, 0), here);
  CHECK_THROWS_WITH(data::Dataset({{"", table}}), here);
}

TEST_CASE("dataset: numbers that are none are found", "[data]") {
  data::Dataset set = numbered(3);
  set.check_finite();
  Array x = set.column("x");
  x.values<float>()[3] = NAN;
  CHECK_THROWS_WITH(set.check_finite(), Contains("dataset: column 'x', row 1, element 1: nan is not finite"));
  const data::Dataset flat({{"t", Array::from(std::vector<double>{1, -INFINITY}, {2})}});
  CHECK_THROWS_WITH(flat.check_finite(), Contains("dataset: column 't', row 1: -inf is not finite"));
  Array half(bf16, {2000, 1});
  data::Dataset({{"h", half}}).check_finite();
  static_cast<std::uint16_t*>(half.raw())[1999] = 0x7f80;
  CHECK_THROWS_WITH(data::Dataset({{"h", half}}).check_finite(),
                    Contains("dataset: column 'h', row 1999: inf is not finite"));
}

TEST_CASE("batches: the order depends on seed and epoch alone", "[batches]") {
  const data::Dataset set = numbered(10);
  data::Batches batches(set, {.batch_size = 4, .seed = 7});
  CHECK(batches.count() == 3);
  const auto first = order_of(batches);
  batches.start(1);
  const auto second = order_of(batches);
  CHECK(first != second);
  data::Batches again(set, {.batch_size = 3, .seed = 7});
  again.start(1);
  CHECK(order_of(again) == second);
  again.start(0);
  CHECK(order_of(again) == first);
  data::Batches other(set, {.batch_size = 4, .seed = 8});
  CHECK(order_of(other) != first);
  CHECK(std::set<std::int32_t>(first.begin(), first.end()).size() == 10);
  CHECK(data::permutation(8, 42) ==
        std::vector<std::int64_t>{0, 5, 6, 3, 7, 4, 2, 1});  // never changes: resumed runs rely on it
}

TEST_CASE("batches: sizes, the last batch, storage", "[batches]") {
  const data::Dataset set = numbered(10);
  data::Batches batches(set, {.batch_size = 4});
  const void* storage = batches.at(0).column("x").raw();
  CHECK(batches.at(1).column("x").raw() == storage);
  CHECK(batches.at(2).size() == 2);
  CHECK_THROWS_WITH(batches.at(3), Contains("data: batch 3 of 3"));
  CHECK(data::Batches(set, {.batch_size = 4, .drop_last = true}).count() == 2);
  CHECK(data::Batches(set, {.batch_size = 20, .drop_last = true}).count() == 0);
  CHECK_THROWS_WITH(data::Batches(set, {.batch_size = 0}),
                    Contains("data: the batch size is 0, it must be at least 1"));
  data::Batches plain(set, {.batch_size = 4, .shuffle = false});
  CHECK(plain.at(1).column("x").raw() == set.column("x").values<float>().data() + 8);
  const auto order = order_of(plain);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("idx: all element types, plain and gzip", "[idx]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a");
  const auto load = [&](const std::string& text) {
    write_text(path, text);
    return data::load_idx(path);
  };
  CHECK(load(idx(8, {2}, "\x01\xff")).values<std::uint8_t>()[1] == 255);
  CHECK(load(idx(9, {2}, "\x01\xff")).values<std::int32_t>()[1] == -1);
  CHECK(load(idx(0xB, {1}, "\xff\xfe")).values<std::int32_t>()[0] == -2);
  CHECK(load(idx(0xC, {1}, std::string("\x00\x01\x00\x00", 4))).values<std::int32_t>()[0] == 65536);
  CHECK(load(idx(0xD, {1}, std::string("\x3f\x80\x00\x00", 4))).values<float>()[0] == 1.0f);
  CHECK(load(idx(0xE, {1}, std::string("\xbf\xf0\x00\x00\x00\x00\x00\x00", 8))).values<double>()[0] == -1.0);
  write_gzip(path, idx(8, {2, 3}, "abcdef"));
  CHECK(data::load_idx(path).type_string() == "u8[2,3]");
  CHECK(load(idx(8, {0, 3}, "")).type_string() == "u8[0,3]");
}

TEST_CASE("idx: bad files", "[idx]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.idx");
  const auto check = [&](const std::string& text, const std::string& message) {
    write_text(path, text);
    CHECK_THROWS_WITH(data::load_idx(path), Contains(path) && Contains(message));
  };
  check("", "the file is empty");
  check("ab", "too short");
  check("hello world", "not an IDX file: it begins with 68 65 6c 6c");
  check(idx(7, {1}, "a"), "not an IDX file");
  check(idx(8, {2, 2}, "abcd").substr(0, 7), "truncated in its header");
  check(idx(8, {2, 2}, "abc"), "truncated: 3 of 4 bytes");
  check(idx(8, {2, 2}, "abcde"), "1 bytes after the end of the data");
  check(std::string("\0\0\x0e\x03", 4) + std::string(12, '\xff'), "truncated");
  CHECK_THROWS_WITH(data::load_idx(folder.file("none")), Contains("none: cannot open the file: No such file"));

  write_gzip(path, idx(8, {200}, std::string(200, 'x')));
  const std::string packed = read_text(path);
  check(packed.substr(0, packed.size() - 3), "compressed data is truncated");
  check(packed.substr(0, 12), "compressed data is truncated");
  std::string damaged = packed;
  damaged[packed.size() - 6] = static_cast<char>(damaged[packed.size() - 6] ^ 1);
  check(damaged, "compressed data is damaged");
  check(packed + "junk", "compressed data is damaged");
}

TEST_CASE("mnist: images scaled, labels checked", "[mnist]") {
  const TemporaryFolder folder;
  write_mnist(folder, idx(8, {2}, "\x03\x09"));
  const auto [train, test] = data::load_mnist(folder.path());
  CHECK(train.column("x").type_string() == "f32[2,2]");
  CHECK(train.column("x").values<float>()[1] == 1.0f);
  CHECK(test.column("x").values<float>()[2] == 51.0f / 255.0f);
  CHECK(test.column("y").values<std::int32_t>()[1] == 9);
  write_mnist(folder, idx(8, {2}, "\x03\x0a"));
  CHECK_THROWS_WITH(data::load_mnist(folder.path()),
                    Contains("train-labels-idx1-ubyte: label 10 of example 1 is not in 0..9"));
  write_mnist(folder, idx(8, {3}, "\x03\x01\x01"));
  CHECK_THROWS_WITH(data::load_mnist(folder.path()), Contains("3 labels for the 2 images of"));
  write_mnist(folder, idx(8, {1, 2}, "\x03\x01"));
  CHECK_THROWS_WITH(data::load_mnist(folder.path()), Contains("is u8[1,2], expected labels u8[n]"));
  CHECK_THROWS_WITH(data::load_mnist(folder.file("none")), Contains("there is neither train-images-idx3-ubyte nor"));
}

TEST_CASE("csv: tables of numbers", "[csv]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  write_text(path, "a,b,c\r\n1, 2.5,-3e2\r\n\r\n+4,5,6\r\n");
  const Array table = data::load_csv(path, {.header_lines = 1});
  CHECK(table.type_string() == "f64[2,3]");
  CHECK(table.values<double>()[1] == 2.5);
  CHECK(table.values<double>()[3] == 4);
  const Array part = data::load_csv(path, {.header_lines = 1, .columns = {2, 0}, .dtype = f32});
  CHECK(part.type_string() == "f32[2,2]");
  CHECK(part.values<float>()[0] == -300.0f);
  CHECK(data::labels(table, 0).values<std::int32_t>()[1] == 4);
  CHECK(data::take_columns(table, {2}).values<double>()[1] == 6);

  write_gzip(path, "  1   2\t3\n4 5 6  ");
  CHECK(data::load_csv(path, {.delimiter = ' '}).type_string() == "f64[2,3]");
  write_text(path,
             "\xef\xbb\xbf"
             "1,2\n");  // a byte order mark
  CHECK(data::load_csv(path).values<double>()[0] == 1);
}

TEST_CASE("csv: bad files name file, line and column", "[csv]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  const auto check = [&](const std::string& text, const data::CsvOptions& options, const std::string& message) {
    write_text(path, text);
    CHECK_THROWS_WITH(data::load_csv(path, options), StartsWith(path + message + " (test_data.cpp:"));
  };
  check("", {}, ": the file has no rows");
  check("a,b\n", {.header_lines = 1}, ": the file has no rows");
  check("1,2\n\n3\n", {}, ":3: 1 columns, the rows before have 2");
  check("1,2\n3,four\n", {}, ":2: column 1: 'four' is not a number");
  check("1,2\n3,\n", {}, ":2: column 1: '' is not a number");
  check("1,2x\n", {}, ":1: column 1: '2x' is not a number");
  check("1,1e999\n", {}, ":1: column 1: '1e999' is out of the range of f64");
  check("1,1e300\n", {.dtype = f32}, ":1: column 1: '1e300' is out of the range of f32");
  check("1,2\n", {.columns = {2}}, ":1: there is no column 2, only 0..1");
  check("1,2\n", {.dtype = i32}, ": load_csv makes f32 or f64, not i32");
}

TEST_CASE("tables: labels and standardized columns", "[table]") {
  const Array table = Array::from(std::vector<double>{1, 5, 3, 5, 5, 5}, {3, 2});
  CHECK_THROWS_WITH(data::labels(table, 0, 5), Contains("labels: row 2, column 0: 5 is not an integer in 0..4"));
  CHECK_THROWS_WITH(data::labels(table, 2), Contains("labels: there is no column 2 in f64[3,2]"));
  const data::Standardizer standardizer(table);
  CHECK(standardizer.mean() == std::vector<double>{3, 5});
  const Array scaled = standardizer.apply(table);
  CHECK(scaled.values<double>()[0] == Approx(-std::sqrt(1.5)));
  CHECK(scaled.values<double>()[2] == 0.0);
  CHECK(scaled.values<double>()[1] == 0.0);
  CHECK(standardizer.invert(scaled).values<double>()[4] == Approx(5));
  CHECK_THROWS_WITH(standardizer.apply(Array(f64, {3, 4})), Contains("standardize: f64[3,4] for 2 known columns"));
  CHECK_THROWS_WITH(data::Standardizer(Array(f64, {0, 4})), Contains("standardize: the table has no rows"));
  CHECK_THROWS_WITH(data::convert(Array(i32, {2}), f32), Contains("i32[2] to f32"));
}
