// Linear layers and tables.
#pragma once

#include <optional>

#include <pullback/nn/module.h>

namespace pullback::nn {

struct LinearOptions {
  bool bias = true;
  /// Of w; the default is uniform in +-1/sqrt(in), as PyTorch's is (b likewise).
  std::optional<Initializer> initializer = {};
};

class Embedding;

/// x [..., in] -> x * w + b [..., out]. Parameters: w [in,out] (PyTorch's weight transposed), b [out].
class Linear : public Module {
 public:
  /// `in` is taken from the first tensor that the layer meets.
  explicit Linear(std::int64_t out, const LinearOptions& options = {},
                  SourceLocation where = SourceLocation::current());
  Linear(std::int64_t in, std::int64_t out, const LinearOptions& options = {},
         SourceLocation where = SourceLocation::current());
  /// Uses the other's w; or a table's rows as w's columns, as language models do (Press and Wolf 2017). Throws Error
  /// as tie() does.
  void tie_weight(const Linear& other, SourceLocation where = SourceLocation::current()) const;
  void tie_weight(const Embedding& table, SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Linear(std::optional<std::int64_t> in, std::int64_t out, const LinearOptions& options, const SourceLocation& where);
  void declare(std::int64_t in) const;

  std::int64_t out_;
  LinearOptions options_;
};

/// x1 [..., in1], x2 [..., in2] -> y[k] = sum over i, j of x1[i] w[k,i,j] x2[j], + b. Parameters: w [out,in1,in2], b
/// [out], as PyTorch's.
class Bilinear : public Module {
 public:
  Bilinear(std::int64_t in1, std::int64_t in2, std::int64_t out, const LinearOptions& options = {},
           SourceLocation where = SourceLocation::current());
  Tensor operator()(const Tensor& x1, const Tensor& x2, SourceLocation where = SourceLocation::current()) const;

 private:
  std::int64_t in1_, in2_, out_;
  bool bias_;
};

struct EmbeddingOptions {
  /// This row is zero at first and gets no gradient; negative ones count from the end.
  std::optional<std::int64_t> padding_idx = {};
  std::optional<DType> dtype = {};  ///< of the table; f32 unless Module::to says otherwise
  Initializer initializer = Initializer::normal(0, 1);
};

/// ids [I...] (i32 or i64, 0 <= id < count) -> [I...,size]. Parameter: w [count,size], as PyTorch's. An id out of range
/// fails the run with an Error.
class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t size, const EmbeddingOptions& options = {},
            SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& ids) const override;

 private:
  std::optional<std::int64_t> padding_;
};

/// The rows of a bag put together.
enum class BagMode : std::uint8_t { sum, mean, max };

struct EmbeddingBagOptions {
  BagMode mode = BagMode::mean;
  std::optional<std::int64_t> padding_idx = {};  ///< left out of the bags; zero at first and without gradient
  std::optional<DType> dtype = {};
  Initializer initializer = Initializer::normal(0, 1);
};

/// ids [..., bag] -> the sum, mean or maximum of the bag's rows [..., size]; 0 for a bag of padding alone. Parameter: w
/// [count,size], as PyTorch's.
class EmbeddingBag : public Module {
 public:
  EmbeddingBag(std::int64_t count, std::int64_t size, const EmbeddingBagOptions& options = {},
               SourceLocation where = SourceLocation::current());
  using Module::operator();
  /// Each row times its weight, of the ids' shape; only with mode sum.
  Tensor operator()(const Tensor& ids, const Tensor& per_sample_weights,
                    SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& ids) const override;

 private:
  Tensor bag(const Tensor& ids, const Tensor& weights) const;

  BagMode mode_;
  std::optional<std::int64_t> padding_;
};

}  // namespace pullback::nn
