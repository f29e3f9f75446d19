// Recurrent layers and their cells; see recurrent.h for the equations. Parameters are named and laid out as PyTorch's,
// where G is the number of gates: 1 (RNN), 4 (LSTM), 3 (GRU). All are uniform in +-1/sqrt(hidden) at first.
#pragma once

#include <optional>

#include <pullback/nn/module.h>
#include <pullback/recurrent.h>

namespace pullback::nn {

struct RecurrentLayerOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  ///< x and the result are [B,T,...] instead of [T,B,...]
  double dropout = 0;        ///< while training, between the layers
  bool bidirectional = false;
};
struct RNNOptions {
  std::int64_t num_layers = 1;
  RnnActivation nonlinearity = RnnActivation::tanh;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};
struct LSTMOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  std::int64_t proj_size = 0;  ///< states h are projected to this size; 0: they are not
};

/// What the three have in common. Parameters of layer k: w_ih_lk [G*H,I], w_hh_lk [G*H,H], b_ih_lk [G*H], b_hh_lk [G*H]
/// (PyTorch's weight_ih_lk, ...), of the backward direction with the ending _reverse. I is the input's size, in layers
/// behind the first that of the results of the layer before. With a projection to P: w_hh_lk [G*H,P] and w_hr_lk [P,H].
///
/// Making one throws Error when a size or num_layers is below 1, dropout is not in [0, 1], or proj_size not in
/// [0, hidden). Calling one throws Error, naming the layer, the shapes and the user's line, when x is not floating, not
/// of the form given, or not of the size `in`, or when a state has another shape.
///
/// Called with one tensor, as in a Sequential, a layer gives the results of all steps.
class RecurrentLayer : public Module {
 protected:
  RecurrentLayer(const char* type, std::int64_t gates, std::optional<std::int64_t> in, std::int64_t hidden,
                 const LSTMOptions& options, const SourceLocation& where);
  /// The weights by layer and direction, declared when x is the first that the layer meets.
  std::vector<RecurrentWeights> weights_for(const Tensor& x) const;
  RecurrentOptions run_options() const;

 private:
  void declare(std::int64_t in) const;

  std::int64_t gates_, hidden_;
  LSTMOptions options_;
};

/// h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or relu.
class RNN : public RecurrentLayer {
 public:
  /// Without `in` (std::nullopt) it is that of what the layer meets first.
  RNN(std::optional<std::int64_t> in, std::int64_t hidden, const RNNOptions& options = {},
      SourceLocation where = SourceLocation::current());
  /// x [T,B,I] or [T,I], with batch_first [B,T,I]; h0 [layers*directions,B,H] (no B without a batch), zeros when
  /// undefined. The result: see Recurrent.
  Recurrent operator()(const Tensor& x, const Tensor& h0 = {}, SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  RnnActivation nonlinearity_;
};

/// Long short-term memory (Hochreiter and Schmidhuber 1997), gates in the order i, f, g, o.
class LSTM : public RecurrentLayer {
 public:
  LSTM(std::optional<std::int64_t> in, std::int64_t hidden, const LSTMOptions& options = {},
       SourceLocation where = SourceLocation::current());
  /// x as RNN's; h0 [layers*directions,B,H], or P with a projection instead of H; c0 [layers*directions,B,H]; zeros
  /// when undefined.
  Recurrent operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                       SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// Gated recurrent unit (Cho et al. 2014), gates in the order r, z, n.
class GRU : public RecurrentLayer {
 public:
  GRU(std::optional<std::int64_t> in, std::int64_t hidden, const RecurrentLayerOptions& options = {},
      SourceLocation where = SourceLocation::current());
  /// x and h0 as RNN's.
  Recurrent operator()(const Tensor& x, const Tensor& h0 = {}, SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// One step: x [B,I] and states [B,H], or without B; states that are undefined are zeros. Parameters: w_ih [G*H,I],
/// w_hh [G*H,H], b_ih [G*H], b_hh [G*H]. Making one throws Error when a size is below 1; calling one throws Error,
/// naming the cell, the shapes and the user's line, when x is not floating or x or a state has another shape.
class RecurrentCell : public Module {
 protected:
  RecurrentCell(const char* type, std::int64_t gates, std::int64_t in, std::int64_t hidden, bool bias,
                const SourceLocation& where);
  /// x [B,I] and h [B,H], or without B; an undefined h becomes zeros.
  Tensor state_for(const Tensor& x, const Tensor& h, const char* name) const;
  /// w_ih x + b_ih [B,G*H], and w_hh h + b_hh.
  Tensor from_input(const Tensor& x) const;
  Tensor from_state(const Tensor& h) const;
  /// Gate i of [B,G*H].
  Tensor gate(const Tensor& gates, std::int64_t i) const;

 private:
  std::int64_t in_, hidden_;
  bool bias_;
};

struct RNNCellOptions {
  bool bias = true;
  RnnActivation nonlinearity = RnnActivation::tanh;
};
class RNNCell : public RecurrentCell {
 public:
  RNNCell(std::int64_t in, std::int64_t hidden, const RNNCellOptions& options = {},
          SourceLocation where = SourceLocation::current());
  /// The next h [B,H].
  Tensor operator()(const Tensor& x, const Tensor& h = {}, SourceLocation where = SourceLocation::current()) const;

 private:
  RnnActivation nonlinearity_;
};

struct CellOptions {
  bool bias = true;
};
class LSTMCell : public RecurrentCell {
 public:
  struct State {
    Tensor h, c;
  };
  LSTMCell(std::int64_t in, std::int64_t hidden, const CellOptions& options = {},
           SourceLocation where = SourceLocation::current());
  /// The next h and c, [B,H] each.
  State operator()(const Tensor& x, const State& state = {}, SourceLocation where = SourceLocation::current()) const;
};

class GRUCell : public RecurrentCell {
 public:
  GRUCell(std::int64_t in, std::int64_t hidden, const CellOptions& options = {},
          SourceLocation where = SourceLocation::current());
  /// The next h [B,H].
  Tensor operator()(const Tensor& x, const Tensor& h = {}, SourceLocation where = SourceLocation::current()) const;
};

}  // namespace pullback::nn
