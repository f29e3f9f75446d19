// Tables of numbers in text files.
#include <pullback/data.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/data/gzip.h"

namespace pullback::data {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Reads one file line by line into `values`, row after row.
class CsvReader {
 public:
  CsvReader(const std::string& path, const CsvOptions& options) : path_(path), options_(options) {
    if (options.dtype != f64 && options.dtype != f32)
      throw Error(fmt::format("{}: load_csv makes f32 or f64, not {}", path, name_of(options.dtype)));
    if (options.header_lines < 0) throw Error(fmt::format("{}: header_lines is negative", path));
  }

  void read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (++line_ > options_.header_lines && !trimmed(line).empty()) read_row(line);
    }
    if (rows_ == 0) throw Error(fmt::format("{}: the file has no rows", path_));
  }

  Array table() const {
    const std::int64_t columns = static_cast<std::int64_t>(values_.size()) / rows_;
    return convert(Array::from(values_, {rows_, columns}), options_.dtype);
  }

 private:
  void read_row(std::string_view line) {
    split(line);
    if (rows_ == 0) {
      width_ = fields_.size();
      check_columns();
    } else if (fields_.size() != width_) {
      fail(fmt::format("{} columns, the rows before have {}", fields_.size(), width_));
    }
    if (options_.columns.empty()) {
      for (std::size_t i = 0; i < width_; ++i) values_.push_back(number(i));
    } else {
      for (const int column : options_.columns) values_.push_back(number(static_cast<std::size_t>(column)));
    }
    ++rows_;
  }

  void split(std::string_view line) {
    fields_.clear();
    const bool any_space = options_.delimiter == ' ';
    if (any_space) line = trimmed(line);
    for (;;) {
      const std::size_t end = any_space ? line.find_first_of(" \t\r") : line.find(options_.delimiter);
      fields_.push_back(trimmed(line.substr(0, end)));
      if (end == std::string_view::npos) return;
      line.remove_prefix(end + 1);
      if (any_space) line = trimmed(line);
    }
  }

  double number(std::size_t column) const {
    std::string_view field = fields_[column];
    if (field.size() > 1 && field.front() == '+' && field[1] != '-')
      field.remove_prefix(1);  // from_chars knows no plus
    double value = 0;
    const auto [end, failure] = std::from_chars(field.data(), field.data() + field.size(), value);
    const bool too_large = options_.dtype == f32 && std::isinf(static_cast<float>(value)) && !std::isinf(value);
    if (failure == std::errc::result_out_of_range || too_large)
      fail(fmt::format("column {}: '{}' is out of the range of {}", column, fields_[column], name_of(options_.dtype)));
    if (failure != std::errc() || end != field.data() + field.size())
      fail(fmt::format("column {}: '{}' is not a number", column, fields_[column]));
    return value;
  }

  void check_columns() const {
    for (const int column : options_.columns)
      if (column < 0 || static_cast<std::size_t>(column) >= width_)
        fail(fmt::format("there is no column {}, only 0..{}", column, width_ - 1));
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(fmt::format("{}:{}: {}", path_, line_, problem));
  }

  std::string path_;
  const CsvOptions& options_;
  std::int64_t line_ = 0;
  std::int64_t rows_ = 0;
  std::size_t width_ = 0;  // fields of a row
  std::vector<std::string_view> fields_;
  std::vector<double> values_;
};

}  // namespace

Array load_csv(const std::string& path, const CsvOptions& options, std::source_location where) {
  return detail::with_line(where, [&] {
    CsvReader reader(path, options);
    const std::vector<std::byte> bytes = read_data_file(path);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string_view byte_order_mark = "\xef\xbb\xbf";  // spreadsheets write it, and no editor shows it
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    reader.read(text);
    return reader.table();
  });
}

}  // namespace pullback::data
