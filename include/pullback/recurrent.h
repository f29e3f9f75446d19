// Recurrent networks over sequences: functions of weights that the caller has; layers that own theirs are in nn.h.
// Equations, the layout of weights and the order of gates are PyTorch's (torch.nn.RNN, LSTM, GRU).
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// The weights of one layer in one direction. G gates: 1 in an rnn, 4 (i, f, g, o) in an lstm, 3 (r, z, n) in a gru.
struct RecurrentWeights {
  Tensor w_ih;  ///< [G*H, I]: rows gate by gate
  Tensor w_hh;  ///< [G*H, P]; P = H unless states are projected
  Tensor b_ih;  ///< [G*H], or undefined: none
  Tensor b_hh;  ///< [G*H], or undefined: none
  Tensor w_hr;  ///< [P, H], of an lstm with projection: h becomes w_hr h; else undefined
};

struct RecurrentOptions {
  bool bidirectional = false;  ///< each layer also runs from the end; both directions' results are concatenated
  bool batch_first = false;    ///< x and the result are [B,T,..] instead of [T,B,..]
  double dropout = 0;          ///< while training, on each layer's result but the last's
};

/// What a recurrent network gives.
struct Recurrent {
  Tensor y;  ///< [T,B,D*P]: the last layer's states; D is 2 when bidirectional, else 1
  Tensor h;  ///< [L*D,B,P]: each layer's and direction's last state
  Tensor c;  ///< [L*D,B,H]: of an lstm, the cells; else undefined
};

enum class RnnActivation : std::uint8_t { tanh, relu };

/// h' = activation(w_ih x + b_ih + w_hh h + b_hh). x: [T,B,I], or [T,I] without a batch (then results have no B).
/// `layers` holds L layers, D entries each: forward, then backward. h0: [L*D,B,H], or undefined: zeros.
Recurrent rnn(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0 = {},
              RnnActivation activation = RnnActivation::tanh, const RecurrentOptions& options = {},
              SourceLocation where = SourceLocation::current());

/// i, f, o = sigmoid(..), g = tanh(..) of w_ih x + b_ih + w_hh h + b_hh; c' = f c + i g; h' = o tanh(c'), projected by
/// w_hr where that is given (Hochreiter and Schmidhuber 1997; Sak et al. 2014). h0: [L*D,B,P], c0: [L*D,B,H].
Recurrent lstm(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0 = {},
               const Tensor& c0 = {}, const RecurrentOptions& options = {},
               SourceLocation where = SourceLocation::current());

/// r, z = sigmoid(w_ih x + b_ih + w_hh h + b_hh), n = tanh(w_in x + b_in + r (w_hn h + b_hn)); h' = (1 - z) n + z h
/// (Cho et al. 2014, with the reset gate behind the product).
Recurrent gru(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0 = {},
              const RecurrentOptions& options = {}, SourceLocation where = SourceLocation::current());

}  // namespace pullback
