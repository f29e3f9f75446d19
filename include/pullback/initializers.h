// How a parameter's first values are made: from the graph's seed, the parameter's name and the position of the element
// alone, so that adding one parameter changes no other.
#pragma once

#include <cstdint>
#include <source_location>

#include <pullback/array.h>

namespace pullback {

/// Which axes of a parameter are its inputs and outputs. Further axes are a window and count for both.
enum class Fans : std::uint8_t {
  automatic,  ///< in_out for matrices, out_in for more axes (a convolution's [out, in, window...])
  in_out,     ///< [in, out, window...]: linear layers and transposed convolutions
  out_in,     ///< [out, in, window...]: convolutions, PyTorch's matrices
};

/// The activation behind the layer, for its gain: what keeps the variance from layer to layer.
enum class Nonlinearity : std::uint8_t { linear, sigmoid, tanh, relu, leaky_relu, selu };
/// PyTorch's calculate_gain: 1, 1, 5/3, sqrt(2), sqrt(2 / (1 + slope^2)), 3/4.
double gain_of(Nonlinearity nonlinearity, double slope = 0.01);

enum class FanMode : std::uint8_t { fan_in, fan_out };
struct KaimingOptions {
  double a = 0;  ///< negative slope, for leaky_relu
  FanMode mode = FanMode::fan_in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};

/// The values are drawn in f64 and rounded to the parameter's dtype. Throws Error when a bound or deviation is out of
/// range; a parameter whose shape does not fit throws Error where it is declared.
struct Initializer {
  enum class Kind : std::uint8_t { constant, uniform, normal, truncated_normal, orthogonal, identity, values };
  Kind kind = Kind::constant;
  double a = 0;  ///< the constant; the lower bound; the mean; the gain
  double b = 0;  ///< the upper bound; the standard deviation
  /// Scale a and b by 1 / sqrt of the fan at the parameter's shape; fan_average is fan_in + fan_out.
  enum class Scale : std::uint8_t { none, fan_in, fan_out, fan_average };
  Scale scale = Scale::none;
  Fans fans = Fans::automatic;
  double low = 0, high = 0;  ///< where a normal distribution is cut
  Array array = {};          ///< of Kind::values

  static Initializer zeros() { return {}; }
  static Initializer ones() { return constant(1); }
  static Initializer constant(double value) { return {.kind = Kind::constant, .a = value}; }
  /// In [low, high).
  static Initializer uniform(double low = 0, double high = 1,
                             std::source_location where = std::source_location::current());
  static Initializer normal(double mean = 0, double deviation = 1,
                            std::source_location where = std::source_location::current());
  /// normal(mean, deviation) under the condition that it lies in [low, high].
  static Initializer truncated_normal(double mean = 0, double deviation = 1, double low = -2, double high = 2,
                                      std::source_location where = std::source_location::current());
  /// Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
  static Initializer xavier_uniform(double gain = 1, std::source_location where = std::source_location::current());
  /// Normal with variance gain^2 * 2 / (fan_in + fan_out).
  static Initializer xavier_normal(double gain = 1, std::source_location where = std::source_location::current());
  /// Uniform in +-gain * sqrt(3 / fan) (He et al. 2015).
  static Initializer kaiming_uniform(const KaimingOptions& options = {},
                                     std::source_location where = std::source_location::current());
  /// Normal with variance gain^2 / fan.
  static Initializer kaiming_normal(const KaimingOptions& options = {},
                                    std::source_location where = std::source_location::current());
  /// Variance 1 / fan_in (LeCun et al. 1998; for SELU, Klambauer et al. 2017).
  static Initializer lecun_uniform();
  static Initializer lecun_normal();
  /// gain * Q, with orthonormal rows or columns, whichever are fewer, of [first axis, product of the others] (Saxe et
  /// al. 2014). The shape has two axes or more.
  static Initializer orthogonal(double gain = 1, std::source_location where = std::source_location::current());
  /// 1 on the diagonal of a matrix, 0 elsewhere.
  static Initializer identity();
  /// A copy of these elements, which have the parameter's shape; they are converted to its dtype.
  static Initializer from(const Array& values);

  /// Uniform in +-sqrt(6 / (fan_in + fan_out)): xavier_uniform().
  static Initializer xavier() { return xavier_uniform(); }
  /// Uniform in +-gain * sqrt(3 / fan_in); the default gain is relu's.
  static Initializer kaiming(double gain = 1.4142135623730951,
                             std::source_location where = std::source_location::current());

  /// The same for a parameter whose axes are laid out otherwise.
  Initializer with_fans(Fans layout) const;
};

}  // namespace pullback
