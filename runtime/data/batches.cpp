// Batches of a dataset in a reproducible order.
#include <pullback/data.h>

#include <algorithm>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/data/rows.h"
#include "runtime/philox.h"

namespace pullback::data {

namespace {

// A number in 0..bound-1; the part of the product that overflows 64 bits is as good as uniform.
std::uint64_t below(std::uint64_t bound, std::uint64_t random) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{random} * bound) >> 64);
}

}  // namespace

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::uint64_t stream,
                                      std::source_location where) {
  if (n < 0) throw Error(fmt::format("permutation: there is none of {} numbers", n), where);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  // Fisher and Yates: each element from the back changes places with one before it or itself.
  for (std::uint64_t i = static_cast<std::uint64_t>(n); i > 1; --i)
    std::swap(order[i - 1], order[below(i, runtime::philox_u64(seed, stream, i))]);
  return order;
}

Batches::Batches(const Dataset& dataset, const BatchOptions& options, std::source_location where)
    : dataset_(dataset), options_(options) {
  if (options.batch_size < 1)
    throw Error(fmt::format("data: the batch size is {}, it must be at least 1", options.batch_size), where);
  start(0);
}

std::int64_t Batches::count() const {
  const std::int64_t full = dataset_.size() / options_.batch_size;
  return !options_.drop_last && dataset_.size() % options_.batch_size != 0 ? full + 1 : full;
}

void Batches::start(std::int64_t epoch) {
  if (options_.shuffle) order_ = permutation(dataset_.size(), options_.seed, static_cast<std::uint64_t>(epoch));
}

const Dataset& Batches::at(std::int64_t index, std::source_location where) {
  if (index < 0 || index >= count()) throw Error(fmt::format("data: batch {} of {}", index, count()), where);
  const std::int64_t begin = index * options_.batch_size;
  const std::int64_t rows = std::min(options_.batch_size, dataset_.size() - begin);
  if (options_.shuffle) return gathered(begin, rows);
  view_ = {};
  for (const auto& [name, values] : dataset_.columns()) {
    Array whole = values;  // shares its storage
    auto* first = static_cast<std::byte*>(whole.raw()) + static_cast<std::size_t>(begin) * row_bytes(whole);
    view_.add(name, Array::view(whole.dtype(), with_rows(whole, rows), first));
  }
  return view_;
}

const Dataset& Batches::gathered(std::int64_t begin, std::int64_t rows) {
  Dataset& storage = rows == options_.batch_size ? full_ : last_;
  if (storage.columns().empty())
    for (const auto& [name, values] : dataset_.columns())
      storage.add(name, Array(values.dtype(), with_rows(values, rows)));
  const std::span<const std::int64_t> picked =
      std::span<const std::int64_t>(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < storage.columns().size(); ++i) {
    Array target = storage.columns()[i].values;  // shares its storage
    gather_rows(dataset_.columns()[i].values, picked, target);
  }
  return storage;
}

}  // namespace pullback::data
