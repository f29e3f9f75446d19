// Data for training: datasets of named columns, files to load them from, and batches in a reproducible order. Errors
// carry the user's line.
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pullback/array.h>
#include <pullback/dtype.h>

namespace pullback::data {

/// Named columns: arrays with one row per example, [n, ...], of equal n. Columns share the storage of the arrays that
/// they were made of.
class Dataset {
 public:
  struct Column {
    std::string name;
    Array values;  ///< [n, ...]
  };

  Dataset() = default;
  /// {{"x", images}, {"y", labels}}. Throws Error as add() does.
  Dataset(std::vector<Column> columns,
          std::source_location where = std::source_location::current());  // NOLINT: conversion is the point

  /// Throws Error when the name is empty or taken, `values` is a scalar, or its number of rows differs.
  void add(std::string name, Array values, std::source_location where = std::source_location::current());

  /// The number of examples; 0 without columns.
  std::int64_t size() const { return columns_.empty() ? 0 : columns_.front().values.dims().front(); }
  const std::vector<Column>& columns() const { return columns_; }
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const;
  /// Throws Error, with similar names, when there is no such column.
  const Array& column(std::string_view name, std::source_location where = std::source_location::current()) const;

  /// A copy of the given rows, in that order. Throws Error when an index is not in 0..size()-1.
  Dataset take(const std::vector<std::int64_t>& rows,
               std::source_location where = std::source_location::current()) const;
  /// A copy of rows begin..end-1. Throws Error unless 0 <= begin <= end <= size().
  Dataset slice(std::int64_t begin, std::int64_t end,
                std::source_location where = std::source_location::current()) const;
  /// Two datasets of all rows in an order that depends on `seed` alone; the first gets round(fraction * size()).
  /// Throws Error unless 0 <= fraction <= 1.
  std::pair<Dataset, Dataset> split(double fraction, std::uint64_t seed,
                                    std::source_location where = std::source_location::current()) const;

  /// Throws Error naming column and row of the first number that is infinite or not a number.
  void check_finite(std::source_location where = std::source_location::current()) const;

 private:
  std::vector<Column> columns_;
};

/// Rows of `array` [n, ...] as a new array [rows.size(), ...]. Throws Error when an index is not in 0..n-1.
Array take_rows(const Array& array, const std::vector<std::int64_t>& rows,
                std::source_location where = std::source_location::current());

/// An IDX file, plain or gzip, as it is: dims from the file; signed bytes and 16-bit integers become i32. Throws Error,
/// naming the file, when it is missing, no IDX file, truncated, too long or damaged.
Array load_idx(const std::string& path, std::source_location where = std::source_location::current());

struct TrainTest {
  Dataset train;
  Dataset test;
};

/// The four files of the MNIST format (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
/// t10k-labels-idx1-ubyte; plain or .gz) in `folder`. Columns: x f32[n,784], the pixels scaled to 0..1, and y i32[n],
/// the labels. Throws Error as load_idx() does, when images and labels do not match, or when a label is not in
/// 0..classes-1.
TrainTest load_mnist(const std::string& folder, int classes = 10,
                     std::source_location where = std::source_location::current());

struct CsvOptions {
  char delimiter = ',';      ///< ' ' stands for any white space, however much
  int header_lines = 0;      ///< lines to skip at the beginning
  std::vector<int> columns;  ///< the columns to load, from 0, in this order; empty: all
  DType dtype = f64;         ///< f64 or f32
};

/// A table of numbers, plain or gzip, as an array [rows, columns]. Empty lines are skipped. Throws Error, naming file
/// and line, where a row has another number of columns than the first or a field is not a number, and when there are
/// no rows.
Array load_csv(const std::string& path, const CsvOptions& options = {},
               std::source_location where = std::source_location::current());

/// Column `column` of table [n, columns] as i32[n]. Throws Error, naming the row, unless each number is an integer in
/// 0..classes-1; classes = 0 allows every integer of 32 bits.
Array labels(const Array& table, std::int64_t column, int classes = 0,
             std::source_location where = std::source_location::current());

/// Columns `columns` of table [n, m] as [n, columns.size()], in this order. Throws Error when one is not in 0..m-1.
Array take_columns(const Array& table, const std::vector<int>& columns,
                   std::source_location where = std::source_location::current());

/// `floats` (f32 or f64) converted to f32 or f64. Throws Error for other dtypes.
Array convert(const Array& floats, DType dtype, std::source_location where = std::source_location::current());

/// Makes columns have mean 0 and standard deviation 1, by numbers taken from the training data alone.
class Standardizer {
 public:
  /// Takes mean and standard deviation of each column of `table`, f32 or f64 [n, columns], n > 0 (else Error).
  explicit Standardizer(const Array& table, std::source_location where = std::source_location::current());
  /// (table - mean) / deviation by columns, as a new array of the same dtype; a constant column becomes 0. Throws Error
  /// when the number of columns differs.
  Array apply(const Array& table, std::source_location where = std::source_location::current()) const;
  /// The inverse of apply(), except for constant columns, which get their mean.
  Array invert(const Array& table, std::source_location where = std::source_location::current()) const;
  const std::vector<double>& mean() const { return mean_; }
  const std::vector<double>& deviation() const { return deviation_; }

 private:
  std::vector<double> mean_;
  std::vector<double> deviation_;
};

/// A permutation of 0..n-1 that depends on n, `seed` and `stream` alone, on every machine. Throws Error when n < 0.
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::uint64_t stream = 0,
                                      std::source_location where = std::source_location::current());

struct BatchOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;
  std::uint64_t seed = 0;
  bool drop_last = false;  ///< drop the last batch when it is smaller than the others
};

/// The batches of one epoch after the other. The order of an epoch depends on the seed and the epoch's number alone.
class Batches {
 public:
  /// Refers to `dataset`, which must outlive it. Throws Error when batch_size < 1.
  Batches(const Dataset& dataset, const BatchOptions& options,
          std::source_location where = std::source_location::current());

  /// Batches in an epoch.
  std::int64_t count() const;
  /// Starts epoch number `epoch`, from 0; the constructor started epoch 0.
  void start(std::int64_t epoch);
  /// Batch `index` of 0..count()-1 (else Error), as columns like the dataset's. Valid until the next call: all batches
  /// of full size share their storage when shuffled, and the dataset's when not.
  const Dataset& at(std::int64_t index, std::source_location where = std::source_location::current());

 private:
  const Dataset& gathered(std::int64_t begin, std::int64_t rows);

  const Dataset& dataset_;
  BatchOptions options_;
  std::vector<std::int64_t> order_;  // of the rows; empty when not shuffled
  Dataset full_;                     // storage for batches of full size
  Dataset last_;                     // storage for the smaller one
  Dataset view_;                     // when not shuffled
};

}  // namespace pullback::data
