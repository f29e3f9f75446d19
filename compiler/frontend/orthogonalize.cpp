// QR decomposition by Householder's reflections, written along rows, which lie in memory.
#include <cmath>

#include "compiler/frontend/initializers.h"

namespace pullback::detail {

namespace {

class Rows {
 public:
  Rows(std::vector<double>& values, std::int64_t columns) : values_(values), columns_(columns) {}
  double* operator[](std::int64_t row) { return values_.data() + row * columns_; }

 private:
  std::vector<double>& values_;
  std::int64_t columns_;
};

// a -= scale * v (v^T a) over the columns from `first` on; v is given below row k.
void reflect(Rows& a, const std::vector<double>& v, double scale, std::int64_t k, std::int64_t rows, std::int64_t first,
             std::int64_t columns, std::vector<double>& product) {
  std::fill(product.begin(), product.end(), 0.0);
  for (std::int64_t i = k; i < rows; ++i)
    for (std::int64_t j = first; j < columns; ++j)
      product[static_cast<std::size_t>(j)] += v[static_cast<std::size_t>(i)] * a[i][j];
  for (std::int64_t i = k; i < rows; ++i) {
    const double factor = scale * v[static_cast<std::size_t>(i)];
    for (std::int64_t j = first; j < columns; ++j) a[i][j] -= factor * product[static_cast<std::size_t>(j)];
  }
}

}  // namespace

void orthogonalize(std::vector<double>& matrix, std::int64_t rows, std::int64_t columns) {
  Rows a(matrix, columns);
  std::vector<std::vector<double>> vectors;
  std::vector<double> scales, product(static_cast<std::size_t>(columns));
  std::vector<double> signs;
  for (std::int64_t k = 0; k < columns; ++k) {
    std::vector<double> v(static_cast<std::size_t>(rows));
    double norm = 0;
    for (std::int64_t i = k; i < rows; ++i) {
      v[static_cast<std::size_t>(i)] = a[i][k];
      norm += a[i][k] * a[i][k];
    }
    norm = std::sqrt(norm);
    const double diagonal = a[k][k] > 0 ? -norm : norm;  // of R: away from the element, so that nothing cancels
    v[static_cast<std::size_t>(k)] -= diagonal;
    double length = 0;
    for (std::int64_t i = k; i < rows; ++i) length += v[static_cast<std::size_t>(i)] * v[static_cast<std::size_t>(i)];
    const double scale = length > 0 ? 2 / length : 0;
    reflect(a, v, scale, k, rows, k, columns, product);
    signs.push_back(diagonal < 0 ? -1 : 1);
    vectors.push_back(std::move(v));
    scales.push_back(scale);
  }
  // Q = H_0 H_1 ... applied to the first columns of the identity, each with the sign of R's diagonal.
  std::fill(matrix.begin(), matrix.end(), 0.0);
  for (std::int64_t k = 0; k < columns; ++k) a[k][k] = signs[static_cast<std::size_t>(k)];
  for (std::int64_t k = columns; k-- > 0;)
    reflect(a, vectors[static_cast<std::size_t>(k)], scales[static_cast<std::size_t>(k)], k, rows, k, columns, product);
}

}  // namespace pullback::detail
