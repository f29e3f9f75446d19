// One step of a recurrent network.
#include <cmath>

#include <fmt/format.h>

#include <pullback/activations.h>
#include <pullback/elementwise.h>
#include <pullback/indexing.h>
#include <pullback/nn/recurrent.h>
#include <pullback/operators.h>
#include <pullback/products.h>
#include <pullback/shapes.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

RecurrentCell::RecurrentCell(const char* type, std::int64_t gates, std::int64_t in, std::int64_t hidden, bool bias,
                             const SourceLocation& where)
    : Module(Layer{type, fmt::format("{}({}, {})", type, in, hidden)}), in_(in), hidden_(hidden), bias_(bias) {
  require_at_least(type, "in", in, 1, where);
  require_at_least(type, "hidden", hidden, 1, where);
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const Initializer first = Initializer::uniform(-bound, bound);
  register_parameter("w_ih", {gates * hidden, in}, first);
  register_parameter("w_hh", {gates * hidden, hidden}, first);
  if (!bias) return;
  register_parameter("b_ih", {gates * hidden}, first);
  register_parameter("b_hh", {gates * hidden}, first);
}

Tensor RecurrentCell::state_for(const Tensor& x, const Tensor& h, const char* name) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, 1, 2, "[B,in] or [in]");
  require_size(label(), x, -1, in_, "in");
  Shape shape = x.shape();
  shape.back() = Dim(hidden_);
  if (!h.defined()) return detail::fill(*x.trace(), x.dtype(), shape, 0, line_of(x));
  if (h.shape() != shape || h.dtype() != x.dtype())
    detail::fail(
        label(),
        fmt::format("{} is {}, but x is {}: {} is needed", name, h.type_string(), x.type_string(), to_string(shape)),
        line_of(x));
  return h;
}

Tensor RecurrentCell::from_input(const Tensor& x) const {
  const Tensor y = matmul(x, transpose(parameter("w_ih")));
  return bias_ ? y + parameter("b_ih") : y;
}

Tensor RecurrentCell::from_state(const Tensor& h) const {
  const Tensor y = matmul(h, transpose(parameter("w_hh")));
  return bias_ ? y + parameter("b_hh") : y;
}

Tensor RecurrentCell::gate(const Tensor& gates, std::int64_t i) const {
  return narrow(gates, -1, i * hidden_, hidden_);
}

RNNCell::RNNCell(std::int64_t in, std::int64_t hidden, const RNNCellOptions& options, SourceLocation where)
    : RecurrentCell("RNNCell", 1, in, hidden, options.bias, where), nonlinearity_(options.nonlinearity) {}

Tensor RNNCell::operator()(const Tensor& x, const Tensor& h, SourceLocation where) const {
  const Call call = enter(x, where);
  const Tensor sum = from_input(x) + from_state(state_for(x, h, "h"));
  return call.result(nonlinearity_ == RnnActivation::tanh ? tanh(sum) : relu(sum));
}

LSTMCell::LSTMCell(std::int64_t in, std::int64_t hidden, const CellOptions& options, SourceLocation where)
    : RecurrentCell("LSTMCell", 4, in, hidden, options.bias, where) {}

LSTMCell::State LSTMCell::operator()(const Tensor& x, const State& state, SourceLocation where) const {
  const Call call = enter(x, where);
  const Tensor h = state_for(x, state.h, "h"), c = state_for(x, state.c, "c");
  const Tensor gates = from_input(x) + from_state(h);
  const Tensor i = sigmoid(gate(gates, 0)), f = sigmoid(gate(gates, 1)), o = sigmoid(gate(gates, 3));
  const Tensor next = f * c + i * tanh(gate(gates, 2));
  return {call.result(o * tanh(next)), next};
}

GRUCell::GRUCell(std::int64_t in, std::int64_t hidden, const CellOptions& options, SourceLocation where)
    : RecurrentCell("GRUCell", 3, in, hidden, options.bias, where) {}

Tensor GRUCell::operator()(const Tensor& x, const Tensor& h, SourceLocation where) const {
  const Call call = enter(x, where);
  const Tensor before = state_for(x, h, "h");
  const Tensor input = from_input(x), state = from_state(before);
  const Tensor r = sigmoid(gate(input, 0) + gate(state, 0)), z = sigmoid(gate(input, 1) + gate(state, 1));
  const Tensor n = tanh(gate(input, 2) + r * gate(state, 2));
  return call.result((1.0 - z) * n + z * before);
}

}  // namespace pullback::nn
