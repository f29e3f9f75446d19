// Recurrent networks: what does not depend on the state, w_ih x + b_ih, is one product for all time steps; a scan does
// the rest.
#include <fmt/format.h>

#include <pullback/activations.h>
#include <pullback/control.h>
#include <pullback/elementwise.h>
#include <pullback/indexing.h>
#include <pullback/operators.h>
#include <pullback/products.h>
#include <pullback/random.h>
#include <pullback/recurrent.h>
#include <pullback/shapes.h>

#include "compiler/frontend/operands.h"

namespace pullback {

namespace {

/// One kind of recurrent network.
struct Cell {
  const char* name;
  std::int64_t gates;
  bool has_cell_state;
  /// New states from those before and w_ih x + b_ih of this time step. States: h, and c where there is one.
  std::function<std::vector<Tensor>(const std::vector<Tensor>& states, const Tensor& from_x, const RecurrentWeights& w)>
      step;
};

/// [B,G*H] -> G times [B,H].
std::vector<Tensor> gates_of(const Tensor& all, std::int64_t count) {
  const std::int64_t size = all.size(-1).constant() / count;
  std::vector<Tensor> gates;
  for (std::int64_t i = 0; i < count; ++i) gates.push_back(narrow(all, -1, i * size, size));
  return gates;
}

/// w h + b; b may be missing. h:[B,P] w:[N,P] -> [B,N]
Tensor affine(const Tensor& h, const Tensor& w, const Tensor& b) {
  const Tensor product = matmul(h, transpose(w));
  return b.defined() ? product + b : product;
}

Cell rnn_cell(RnnActivation activation) {
  return {activation == RnnActivation::tanh ? "rnn_tanh" : "rnn_relu", 1, false,
          [activation](const std::vector<Tensor>& states, const Tensor& from_x, const RecurrentWeights& w) {
            const Tensor sum = from_x + affine(states[0], w.w_hh, w.b_hh);
            return std::vector{activation == RnnActivation::tanh ? tanh(sum) : relu(sum)};
          }};
}

std::vector<Tensor> lstm_step(const std::vector<Tensor>& states, const Tensor& from_x, const RecurrentWeights& w) {
  const std::vector<Tensor> gates = gates_of(from_x + affine(states[0], w.w_hh, w.b_hh), 4);
  const Tensor c = sigmoid(gates[1]) * states[1] + sigmoid(gates[0]) * tanh(gates[2]);
  const Tensor h = sigmoid(gates[3]) * tanh(c);
  return {w.w_hr.defined() ? matmul(h, transpose(w.w_hr)) : h, c};
}

std::vector<Tensor> gru_step(const std::vector<Tensor>& states, const Tensor& from_x, const RecurrentWeights& w) {
  const std::vector<Tensor> x = gates_of(from_x, 3), h = gates_of(affine(states[0], w.w_hh, w.b_hh), 3);
  const Tensor r = sigmoid(x[0] + h[0]), z = sigmoid(x[1] + h[1]), n = tanh(x[2] + r * h[2]);
  return {(1 - z) * n + z * states[0]};
}

/// Checks and runs all layers of one network.
class Network {
 public:
  Network(const Cell& cell, const std::vector<RecurrentWeights>& layers, const RecurrentOptions& options,
          const SourceLine& line)
      : cell_(cell), layers_(layers), options_(options), line_(line), directions_(options.bidirectional ? 2 : 1) {}

  Recurrent run(Tensor x, const std::vector<Tensor>& initial) {
    require(!layers_.empty() && layers_.size() % directions_ == 0,
            fmt::format("{} weights are given for {} direction{} each", layers_.size(), directions_,
                        directions_ > 1 ? "s" : ""));
    require(x.rank() == 2 || x.rank() == 3,
            fmt::format("x is {}: [T,B,I], or [T,I] without a batch, is needed", x.type_string()));
    const bool batched = x.rank() == 3;
    if (!batched) x = unsqueeze(x, 1);
    if (batched && options_.batch_first) x = transpose(x, 0, 1);
    batch_ = x.size(1);
    std::vector<std::vector<Tensor>> last(cell_.has_cell_state ? 2 : 1);
    for (std::size_t layer = 0; layer < layers_.size() / directions_; ++layer) {
      if (layer > 0 && options_.dropout != 0) x = dropout(x, options_.dropout);
      std::vector<Tensor> ys;
      for (std::size_t direction = 0; direction < directions_; ++direction) {
        const ScanResult result = run_direction(x, layer * directions_ + direction, direction == 1, initial, batched);
        ys.push_back(result.ys.front());
        for (std::size_t s = 0; s < last.size(); ++s) last[s].push_back(result.carry[s]);
      }
      x = ys.size() == 1 ? ys.front() : concat(ys, -1);
    }
    if (batched && options_.batch_first) x = transpose(x, 0, 1);
    Recurrent result{batched ? x : squeeze(x, 1), stacked(last[0], batched), {}};
    if (cell_.has_cell_state) result.c = stacked(last[1], batched);
    return result;
  }

 private:
  void require(bool holds, const std::string& message) const {
    if (!holds) detail::fail(cell_.name, message, line_);
  }

  static Tensor stacked(const std::vector<Tensor>& states, bool batched) {
    const Tensor all = stack(states);
    return batched ? all : squeeze(all, 1);
  }

  void require_shape(const Tensor& w, const char* what, std::size_t position, const Shape& shape) const {
    require(w.shape() == shape,
            fmt::format("{} of entry {} is {}, not {}", what, position, w.type_string(), to_string(shape)));
  }

  void check_weights(const RecurrentWeights& w, std::size_t position, const Tensor& x) const {
    require(w.w_ih.defined() && w.w_hh.defined(), fmt::format("entry {} lacks w_ih or w_hh", position));
    require(w.w_ih.rank() == 2 && w.w_ih.size(0).divided_by(cell_.gates).has_value(),
            fmt::format("w_ih of entry {} is {}: [{}H,I] is needed", position, w.w_ih.type_string(), cell_.gates));
    const Dim hidden = *w.w_ih.size(0).divided_by(cell_.gates);
    require_shape(w.w_ih, "w_ih", position, {hidden * cell_.gates, x.size(-1)});
    require(cell_.has_cell_state || !w.w_hr.defined(), "only an lstm has a projection w_hr");
    const Dim state = w.w_hr.defined() ? w.w_hr.size(0) : hidden;
    if (w.w_hr.defined()) require_shape(w.w_hr, "w_hr", position, {state, hidden});
    require_shape(w.w_hh, "w_hh", position, {hidden * cell_.gates, state});
    if (w.b_ih.defined()) require_shape(w.b_ih, "b_ih", position, {hidden * cell_.gates});
    if (w.b_hh.defined()) require_shape(w.b_hh, "b_hh", position, {hidden * cell_.gates});
  }

  /// The initial state s of an entry: [B,size].
  Tensor initial_state(const Tensor& all, const char* what, std::size_t position, const Dim& size, DType dtype,
                       bool batched) const {
    if (!all.defined()) return detail::fill(*layers_.front().w_ih.trace(), dtype, {batch_, size}, 0, line_);
    const Dim count(static_cast<std::int64_t>(layers_.size()));
    require(all.shape() == (batched ? Shape{count, batch_, size} : Shape{count, size}),
            fmt::format("{} is {}, not {}", what, all.type_string(),
                        to_string(batched ? Shape{count, batch_, size} : Shape{count, size})));
    return squeeze(narrow(batched ? all : unsqueeze(all, 1), 0, static_cast<std::int64_t>(position), 1), 0);
  }

  ScanResult run_direction(const Tensor& x, std::size_t position, bool reverse, const std::vector<Tensor>& initial,
                           bool batched) {
    const RecurrentWeights& w = layers_[position];
    check_weights(w, position, x);
    const Dim hidden = *w.w_ih.size(0).divided_by(cell_.gates);
    std::vector<Tensor> states{
        initial_state(initial[0], "h0", position, w.w_hr.defined() ? w.w_hr.size(0) : hidden, x.dtype(), batched)};
    if (cell_.has_cell_state) states.push_back(initial_state(initial[1], "c0", position, hidden, x.dtype(), batched));
    const auto step = [&](const std::vector<Tensor>& before, const std::vector<Tensor>& slices) -> ScanResult {
      std::vector<Tensor> after = cell_.step(before, slices.front(), w);
      const Tensor h = after.front();
      return {std::move(after), {h}};
    };
    return scan(states, {affine(x, w.w_ih, w.b_ih)}, step, {.reverse = reverse});
  }

  const Cell& cell_;
  const std::vector<RecurrentWeights>& layers_;
  const RecurrentOptions& options_;
  SourceLine line_;
  std::size_t directions_;
  Dim batch_;
};

Recurrent run(const Cell& cell, const Tensor& x, const std::vector<RecurrentWeights>& layers,
              const std::vector<Tensor>& initial, const RecurrentOptions& options, SourceLocation where) {
  detail::require_defined(cell.name, x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float(cell.name, x, line);
  return Network(cell, layers, options, line).run(x, initial);
}

}  // namespace

Recurrent rnn(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0, RnnActivation activation,
              const RecurrentOptions& options, SourceLocation where) {
  return run(rnn_cell(activation), x, layers, {h0}, options, where);
}

Recurrent lstm(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0, const Tensor& c0,
               const RecurrentOptions& options, SourceLocation where) {
  return run({"lstm", 4, true, lstm_step}, x, layers, {h0, c0}, options, where);
}

Recurrent gru(const Tensor& x, const std::vector<RecurrentWeights>& layers, const Tensor& h0,
              const RecurrentOptions& options, SourceLocation where) {
  return run({"gru", 3, false, gru_step}, x, layers, {h0}, options, where);
}

}  // namespace pullback
