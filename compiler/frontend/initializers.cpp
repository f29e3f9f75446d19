// Initializers: what they promise, and the numbers.
#include "compiler/frontend/initializers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/tensor.h>

#include "compiler/frontend/first_values.h"
#include "compiler/ir/literal.h"
#include "compiler/support/hash.h"

namespace pullback::detail {

namespace {

// SplitMix64 (Steele et al. 2014): a counter's bits, mixed.
[[gnu::always_inline]] inline std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// The upper 53 bits as a number in [0, 1). A processor without such a conversion makes vectors of these two halves,
// each of which is the mantissa of a known power of two; the sum is exact.
[[gnu::always_inline]] inline double share_of(std::uint64_t bits) {
  const std::uint64_t upper = bits >> 43, lower = (bits >> 11) & 0xffffffff;
  const double high = std::bit_cast<double>(upper | std::bit_cast<std::uint64_t>(0x1p84)) - 0x1p84;
  const double low = std::bit_cast<double>(lower | std::bit_cast<std::uint64_t>(0x1p52)) - 0x1p52;
  return (high + low) * 0x1p-53;
}

// The same where there is one.
[[gnu::always_inline]] inline double converted_share_of(std::uint64_t bits) {
  return static_cast<double>(static_cast<std::int64_t>(bits >> 11)) * 0x1p-53;
}

using Share = double (*)(std::uint64_t bits);

template <Share share>
[[gnu::always_inline]] inline double uniform_of(std::uint64_t key, std::uint64_t counter) {
  return share(mix(key + mix(counter)));
}

/// A range of elements: where the first lies, its number, how many there are.
template <class T>
struct Elements {
  T* to;
  std::int64_t first, count;
};

// to[i] = low + span * u, u the number of `key` in [0, 1) that belongs to the element.
template <Share share, class T>
[[gnu::always_inline]] inline void write_uniform(std::uint64_t key, double low, double span, Elements<T> elements) {
  const auto first = static_cast<std::uint64_t>(elements.first);
  for (std::int64_t i = 0; i < elements.count; ++i)
    elements.to[i] = static_cast<T>(low + span * uniform_of<share>(key, first + static_cast<std::uint64_t>(i)));
}

template <class T>
void write_uniform_anywhere(std::uint64_t key, double low, double span, Elements<T> elements) {
  write_uniform<share_of>(key, low, span, elements);
}

template <class T>
[[gnu::target("avx2")]] void write_uniform_avx2(std::uint64_t key, double low, double span, Elements<T> elements) {
  write_uniform<share_of>(key, low, span, elements);
}

// Which has the product of 64-bit integers, and makes doubles of them.
template <class T>
[[gnu::target("avx512f,avx512dq,avx512vl,prefer-vector-width=512")]] void write_uniform_avx512(std::uint64_t key,
                                                                                               double low, double span,
                                                                                               Elements<T> elements) {
  write_uniform<converted_share_of>(key, low, span, elements);
}

class Numbers {
 public:
  Numbers(std::uint64_t seed, const std::string& name) : key_(mix(seed) ^ fnv1a(name)) {}
  /// In [0, 1).
  double uniform(std::uint64_t counter) const { return uniform_of<share_of>(key_, counter); }
  /// low + span * uniform(i) for each element. Networks have millions of these.
  template <class T>
  void fill_uniform(double low, double span, Elements<T> elements) const {
    const bool is_wide = __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    const auto write = is_wide                          ? write_uniform_avx512<T>
                       : __builtin_cpu_supports("avx2") ? write_uniform_avx2<T>
                                                        : write_uniform_anywhere<T>;
    write(key_, low, span, elements);
  }
  /// Standard normal, by Box and Muller's transform.
  double normal(std::uint64_t counter) const {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * counter)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * counter + 1));
  }

 private:
  std::uint64_t key_;
};

struct FanSizes {
  double in = 1, out = 1;
};

FanSizes fans_of(Fans layout, const std::vector<std::int64_t>& dims) {
  if (dims.empty()) return {};
  if (dims.size() == 1) return {static_cast<double>(dims[0]), static_cast<double>(dims[0])};
  double window = 1;
  for (std::size_t i = 2; i < dims.size(); ++i) window *= static_cast<double>(dims[i]);
  const double first = window * static_cast<double>(dims[0]), second = window * static_cast<double>(dims[1]);
  const bool in_first = layout == Fans::in_out || (layout == Fans::automatic && dims.size() == 2);
  return in_first ? FanSizes{first, second} : FanSizes{second, first};
}

double scale_of(const Initializer& initializer, const std::vector<std::int64_t>& dims) {
  const FanSizes fans = fans_of(initializer.fans, dims);
  double fan = 1;
  if (initializer.scale == Initializer::Scale::fan_in) fan = fans.in;
  if (initializer.scale == Initializer::Scale::fan_out) fan = fans.out;
  if (initializer.scale == Initializer::Scale::fan_average) fan = fans.in + fans.out;
  return 1 / std::sqrt(fan > 0 ? fan : 1);
}

double normal_share_below(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

// The number below which a normal distribution has the share p, by bisection: monotone, and exact to the last bits.
double normal_quantile(double p, double low, double high) {
  for (int i = 0; i < 100 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (normal_share_below(middle) < p ? low : high) = middle;
  }
  return low;
}

// A normal number within [low, high], by the inverse of its distribution. The tail is mirrored to where shares have
// digits.
double truncated(const Initializer& initializer, double u) {
  double low = (initializer.low - initializer.a) / initializer.b,
         high = (initializer.high - initializer.a) / initializer.b;
  const bool mirrored = low > 0;
  if (mirrored) {
    std::swap(low, high);
    low = -low;
    high = -high;
    u = 1 - u;
  }
  const double below = normal_share_below(low), above = normal_share_below(high);
  const double z = normal_quantile(below + u * (above - below), std::max(low, -40.0), std::min(high, 40.0));
  const double x = initializer.a + initializer.b * (mirrored ? -z : z);
  return std::min(std::max(x, initializer.low), initializer.high);
}

void fill_orthogonal(ir::Literal& literal, const Numbers& numbers, double gain) {
  const std::int64_t first = literal.dims[0], second = first == 0 ? 0 : literal.size() / first;
  const std::int64_t rows = std::max(first, second), columns = std::min(first, second);
  std::vector<double> matrix(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = numbers.normal(i);
  orthogonalize(matrix, rows, columns);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      literal.set(first >= second ? i * columns + j : j * rows + i,
                  gain * matrix[static_cast<std::size_t>(i * columns + j)]);
}

void fill_identity(ir::Literal& literal) {
  const std::int64_t columns = literal.dims[1];
  for (std::int64_t i = 0; i < literal.size(); ++i) literal.set(i, i / columns == i % columns ? 1 : 0);
}

void fill_values(ir::Literal& literal, const Array& array) {
  ir::Literal source(array.dtype(), array.dims());
  if (!source.bytes.empty()) std::memcpy(source.bytes.data(), array.raw(), source.bytes.size());
  if (source.dtype == literal.dtype) {
    literal.bytes = source.bytes;
    return;
  }
  for (std::int64_t i = 0; i < literal.size(); ++i) literal.set(i, source.as_double(i));
}

/// Calls set(i, value) for the elements [first, first + count). Networks have millions: what kind they are is asked
/// once.
template <class Set>
void set_elements(const Initializer& initializer, double scale, const Numbers& numbers, std::int64_t first,
                  std::int64_t count, const Set& set) {
  const double a = initializer.a * scale, b = initializer.b * scale;
  const auto each = [&](const auto& element) {
    for (std::int64_t i = first; i < first + count; ++i) set(i, element(static_cast<std::uint64_t>(i)));
  };
  switch (initializer.kind) {
    case Initializer::Kind::uniform:
      return each([numbers, a, b](std::uint64_t i) { return a + (b - a) * numbers.uniform(i); });
    case Initializer::Kind::normal:
      return each([numbers, a, b](std::uint64_t i) { return a + b * numbers.normal(i); });
    case Initializer::Kind::truncated_normal:
      return each([&](std::uint64_t i) { return truncated(initializer, numbers.uniform(i)); });
    default:
      return each([a](std::uint64_t) { return a; });
  }
}

template <class T>
void fill_elements(const Initializer& initializer, double scale, const Numbers& numbers, Elements<T> elements) {
  const double low = initializer.a * scale;
  if (initializer.kind == Initializer::Kind::uniform)
    return numbers.fill_uniform(low, initializer.b * scale - low, elements);
  set_elements(initializer, scale, numbers, elements.first, elements.count,
               [&](std::int64_t i, double value) { elements.to[i - elements.first] = static_cast<T>(value); });
}

/// Fills an f32 or f64 array where it lies, now if it is small, else piece by piece while the trace goes on.
template <class T>
void fill_in_place(const Initializer& initializer, double scale, const Numbers& numbers, Array array,
                   FirstValues& later) {
  // About 20 us each.
  const bool is_cheap =
      initializer.kind == Initializer::Kind::uniform || initializer.kind == Initializer::Kind::constant;
  const std::size_t large = is_cheap ? 64 << 10 : 4 << 10;
  const std::span<T> values = array.values<T>();
  if (array.bytes() < large) return fill_elements<T>(initializer, scale, numbers, {values.data(), 0, array.size()});
  // Each huge page is one thread's, which also waits for the system to clear it.
  constexpr std::size_t kPiece = std::size_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(values.data());
  for (std::size_t done = 0; done < array.bytes();) {
    const std::size_t bytes = std::min(kPiece - (begin + done) % kPiece, array.bytes() - done);
    const auto first = static_cast<std::int64_t>(done / sizeof(T)),
               count = static_cast<std::int64_t>(bytes / sizeof(T));
    later.add([initializer, scale, numbers, array, elements = Elements<T>{values.data() + first, first, count}] {
      fill_elements(initializer, scale, numbers, elements);
    });
    done += bytes;
  }
}

void check_shape(const Initializer& initializer, const std::vector<std::int64_t>& dims, const std::string& name,
                 const SourceLine& line) {
  const auto refuse = [&](const std::string& problem) {
    throw Error(fmt::format("initializer of {} [{}]: {}", name, fmt::join(dims, ","), problem), line);
  };
  if (initializer.kind == Initializer::Kind::orthogonal && dims.size() < 2) refuse("orthogonal needs two axes or more");
  if (initializer.kind == Initializer::Kind::identity && dims.size() != 2) refuse("identity needs a matrix");
  if (initializer.kind == Initializer::Kind::values && initializer.array.dims() != dims)
    refuse(fmt::format("the values are {}", initializer.array.type_string()));
}

void require(bool good, const std::string& problem, const SourceLocation& where) {
  if (!good) throw Error("initializer: " + problem, where);
}

void require_gain(const char* initializer, double gain, const SourceLocation& where) {
  require(std::isfinite(gain), fmt::format("{}: the gain is {}: it must be finite", initializer, gain), where);
}

Initializer symmetric(Initializer::Kind kind, double size, Initializer::Scale scale) {
  const bool uniform = kind == Initializer::Kind::uniform;
  return {.kind = kind, .a = uniform ? -size : 0, .b = size, .scale = scale};
}

double kaiming_gain(const KaimingOptions& options) {
  return gain_of(options.nonlinearity, options.a);
}

Initializer::Scale fan_of(FanMode mode) {
  return mode == FanMode::fan_in ? Initializer::Scale::fan_in : Initializer::Scale::fan_out;
}

}  // namespace

Array initial_values(const Initializer& initializer, DType dtype, const std::vector<std::int64_t>& dims,
                     std::uint64_t seed, const std::string& name, const SourceLine& line, FirstValues& later) {
  check_shape(initializer, dims, name, line);
  const Numbers numbers(seed, name);
  const double scale = scale_of(initializer, dims);
  const bool is_zero =
      initializer.kind == Initializer::Kind::constant && std::bit_cast<std::uint64_t>(initializer.a * scale) == 0;
  const auto writer = is_zero ? runtime::FirstWriter::step : runtime::FirstWriter::owner;
  Array array = detail::with_line(line, [&] { return runtime::lasting_array(dtype, dims, writer); });
  if (is_zero) return array;
  const auto in_literal = [&](const auto& fill) {
    ir::Literal literal(dtype, dims);
    fill(literal);
    if (array.bytes() > 0) std::memcpy(array.raw(), literal.bytes.data(), literal.bytes.size());
  };
  switch (initializer.kind) {
    case Initializer::Kind::orthogonal:
      in_literal([&](ir::Literal& literal) { fill_orthogonal(literal, numbers, initializer.a); });
      break;
    case Initializer::Kind::identity:
      in_literal([&](ir::Literal& literal) { fill_identity(literal); });
      break;
    case Initializer::Kind::values:
      in_literal([&](ir::Literal& literal) { fill_values(literal, initializer.array); });
      break;
    default:
      if (dtype != DType::f32 && dtype != DType::f64) {
        in_literal([&](ir::Literal& literal) {
          set_elements(initializer, scale, numbers, 0, array.size(),
                       [&](std::int64_t i, double value) { literal.set(i, value); });
        });
        break;
      }
      if (dtype == DType::f32)
        fill_in_place<float>(initializer, scale, numbers, array, later);
      else
        fill_in_place<double>(initializer, scale, numbers, array, later);
  }
  return array;
}

}  // namespace pullback::detail

namespace pullback {

using detail::fan_of;
using detail::kaiming_gain;
using detail::require, detail::require_gain;
using detail::symmetric;

double gain_of(Nonlinearity nonlinearity, double slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh:
      return 5.0 / 3;
    case Nonlinearity::relu:
      return std::numbers::sqrt2;
    case Nonlinearity::leaky_relu:
      return std::sqrt(2 / (1 + slope * slope));
    case Nonlinearity::selu:
      return 0.75;
    default:
      return 1;
  }
}

Initializer Initializer::uniform(double low, double high, SourceLocation where) {
  require(low <= high && std::isfinite(high - low), fmt::format("uniform: low is {} and high {}", low, high), where);
  return {.kind = Kind::uniform, .a = low, .b = high};
}

Initializer Initializer::normal(double mean, double deviation, SourceLocation where) {
  require(std::isfinite(mean), fmt::format("normal: the mean is {}: it must be finite", mean), where);
  require(deviation >= 0, fmt::format("normal: the deviation is {}: it must be at least 0", deviation), where);
  return {.kind = Kind::normal, .a = mean, .b = deviation};
}

Initializer Initializer::truncated_normal(double mean, double deviation, double low, double high,
                                          SourceLocation where) {
  require(std::isfinite(mean), fmt::format("truncated_normal: the mean is {}: it must be finite", mean), where);
  require(deviation > 0, fmt::format("truncated_normal: the deviation is {}: it must be above 0", deviation), where);
  require(low < high, fmt::format("truncated_normal: low is {} and high {}", low, high), where);
  return {.kind = Kind::truncated_normal, .a = mean, .b = deviation, .low = low, .high = high};
}

Initializer Initializer::xavier_uniform(double gain, SourceLocation where) {
  require_gain("xavier_uniform", gain, where);
  return symmetric(Kind::uniform, gain * std::sqrt(6.0), Scale::fan_average);
}
Initializer Initializer::xavier_normal(double gain, SourceLocation where) {
  require_gain("xavier_normal", gain, where);
  return symmetric(Kind::normal, gain * std::numbers::sqrt2, Scale::fan_average);
}
Initializer Initializer::kaiming_uniform(const KaimingOptions& options, SourceLocation where) {
  require_gain("kaiming_uniform", kaiming_gain(options), where);
  return symmetric(Kind::uniform, kaiming_gain(options) * std::sqrt(3.0), fan_of(options.mode));
}
Initializer Initializer::kaiming_normal(const KaimingOptions& options, SourceLocation where) {
  require_gain("kaiming_normal", kaiming_gain(options), where);
  return symmetric(Kind::normal, kaiming_gain(options), fan_of(options.mode));
}
Initializer Initializer::kaiming(double gain, SourceLocation where) {
  require_gain("kaiming", gain, where);
  return symmetric(Kind::uniform, gain * std::sqrt(3.0), Scale::fan_in);
}
Initializer Initializer::lecun_uniform() {
  return symmetric(Kind::uniform, std::sqrt(3.0), Scale::fan_in);
}
Initializer Initializer::lecun_normal() {
  return symmetric(Kind::normal, 1, Scale::fan_in);
}
Initializer Initializer::orthogonal(double gain, SourceLocation where) {
  require_gain("orthogonal", gain, where);
  return {.kind = Kind::orthogonal, .a = gain};
}
Initializer Initializer::identity() {
  return {.kind = Kind::identity};
}
Initializer Initializer::from(const Array& values) {
  return {.kind = Kind::values, .array = values.clone()};
}

Initializer Initializer::with_fans(Fans layout) const {
  Initializer result = *this;
  result.fans = layout;
  return result;
}

}  // namespace pullback
