#include "compiler/frontend/initializers.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "compiler/ir/literal.h"

namespace pullback::detail {

namespace {

// SplitMix64 (Steele et al. 2014): a counter's bits, mixed.
std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// FNV-1a, the same on every machine.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class Numbers {
 public:
  Numbers(std::uint64_t seed, const std::string& name) : key_(mix(seed) ^ hash_of(name)) {}
  /// In [0, 1).
  double uniform(std::uint64_t counter) const { return static_cast<double>(mix(key_ + mix(counter)) >> 11) * 0x1p-53; }
  /// Standard normal, by Box and Muller's transform.
  double normal(std::uint64_t counter) const {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * counter)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * counter + 1));
  }

 private:
  std::uint64_t key_;
};

// [in, out] for matrices; convolutions' [out, in, window...] are not told apart, as the shape alone is known.
double scale_of(Initializer::Scale scale, const std::vector<std::int64_t>& dims) {
  if (scale == Initializer::Scale::none || dims.empty()) return 1;
  double fan_out = static_cast<double>(dims.back()), fan_in = 1;
  for (std::size_t i = 0; i + 1 < dims.size(); ++i) fan_in *= static_cast<double>(dims[i]);
  if (dims.size() == 1) fan_in = fan_out;
  const double fan = scale == Initializer::Scale::fan_in ? fan_in : fan_in + fan_out;
  return 1 / std::sqrt(fan > 0 ? fan : 1);
}

}  // namespace

Array initial_values(const Initializer& initializer, DType dtype, const std::vector<std::int64_t>& dims,
                     std::uint64_t seed, const std::string& name) {
  ir::Literal literal(dtype, dims);
  const double scale = scale_of(initializer.scale, dims);
  const double a = initializer.a * scale, b = initializer.b * scale;
  const Numbers numbers(seed, name);
  for (std::int64_t i = 0; i < literal.size(); ++i) {
    const auto counter = static_cast<std::uint64_t>(i);
    switch (initializer.kind) {
      case Initializer::Kind::constant:
        literal.set(i, a);
        break;
      case Initializer::Kind::uniform:
        literal.set(i, a + (b - a) * numbers.uniform(counter));
        break;
      case Initializer::Kind::normal:
        literal.set(i, a + b * numbers.normal(counter));
        break;
    }
  }
  Array array(dtype, dims);
  std::memcpy(array.raw(), literal.bytes.data(), literal.bytes.size());
  return array;
}

}  // namespace pullback::detail
