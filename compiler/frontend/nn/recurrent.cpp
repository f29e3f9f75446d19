// Recurrent layers over sequences.
#include <pullback/nn/recurrent.h>

#include <cmath>

#include <fmt/format.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

static std::string described(const char* type, std::optional<std::int64_t> in, std::int64_t hidden,
                             const LSTMOptions& options) {
  return fmt::format("{}({}{}{}{})", type, in ? std::to_string(*in) + ", " : "", hidden,
                     options.num_layers > 1 ? fmt::format(", layers={}", options.num_layers) : "",
                     options.bidirectional ? ", bidirectional" : "");
}

RecurrentLayer::RecurrentLayer(const char* type, std::int64_t gates, std::optional<std::int64_t> in,
                               std::int64_t hidden, const LSTMOptions& options, const SourceLocation& where)
    : Module(Layer{type, described(type, in, hidden, options)}), gates_(gates), hidden_(hidden), options_(options) {
  require_at_least(type, "hidden", hidden, 1, where);
  require_at_least(type, "num_layers", options.num_layers, 1, where);
  require_at_least(type, "proj_size", options.proj_size, 0, where);
  if (options.proj_size >= hidden)
    detail::fail(type, fmt::format("proj_size is {}: it must be below hidden, {}", options.proj_size, hidden), where);
  require_probability(type, "dropout", options.dropout, where);
  if (!in) return;
  require_at_least(type, "in", *in, 1, where);
  declare(*in);
}

// "l0", "l0_reverse", "l1", ...: the endings of the parameters' names.
static std::string ending(std::int64_t layer, bool backward) {
  return fmt::format("_l{}{}", layer, backward ? "_reverse" : "");
}

void RecurrentLayer::declare(std::int64_t in) const {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_));
  const Initializer first = Initializer::uniform(-bound, bound);
  const std::int64_t rows = gates_ * hidden_, state = options_.proj_size > 0 ? options_.proj_size : hidden_;
  const int directions = options_.bidirectional ? 2 : 1;
  for (std::int64_t layer = 0; layer < options_.num_layers; ++layer)
    for (int direction = 0; direction < directions; ++direction) {
      const std::string end = ending(layer, direction == 1);
      const auto add = [&](const std::string& name, const Shape& shape) {
        if (!has_parameter(name + end)) register_parameter(name + end, shape, first);  // it may be tied
      };
      add("w_ih", {rows, layer == 0 ? in : state * directions});
      add("w_hh", {rows, state});
      if (options_.bias) add("b_ih", {rows});
      if (options_.bias) add("b_hh", {rows});
      if (options_.proj_size > 0) add("w_hr", {state, hidden_});
    }
}

std::vector<RecurrentWeights> RecurrentLayer::weights_for(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, 2, 3, options_.batch_first ? "[B,T,in] or [T,in]" : "[T,B,in] or [T,in]");
  declare(known_size(label(), x, -1));
  require_size(label(), x, -1, parameter("w_ih_l0").size(1).constant(), "in");
  std::vector<RecurrentWeights> list;
  for (std::int64_t layer = 0; layer < options_.num_layers; ++layer)
    for (int direction = 0; direction < (options_.bidirectional ? 2 : 1); ++direction) {
      const std::string end = ending(layer, direction == 1);
      RecurrentWeights& weights = list.emplace_back();
      weights.w_ih = parameter("w_ih" + end);
      weights.w_hh = parameter("w_hh" + end);
      if (options_.bias) weights.b_ih = parameter("b_ih" + end);
      if (options_.bias) weights.b_hh = parameter("b_hh" + end);
      if (options_.proj_size > 0) weights.w_hr = parameter("w_hr" + end);
    }
  return list;
}

RecurrentOptions RecurrentLayer::run_options() const {
  return {.bidirectional = options_.bidirectional, .batch_first = options_.batch_first, .dropout = options_.dropout};
}

RNN::RNN(std::optional<std::int64_t> in, std::int64_t hidden, const RNNOptions& options, SourceLocation where)
    : RecurrentLayer("RNN", 1, in, hidden,
                     {options.num_layers, options.bias, options.batch_first, options.dropout, options.bidirectional, 0},
                     where),
      nonlinearity_(options.nonlinearity) {}

Recurrent RNN::operator()(const Tensor& x, const Tensor& h0, SourceLocation where) const {
  const Call call = enter(x, where);
  const Recurrent result = call.run([&] { return rnn(x, weights_for(x), h0, nonlinearity_, run_options()); });
  call.result(result.y);
  return result;
}

Tensor RNN::forward(const Tensor& x) const {
  return rnn(x, weights_for(x), {}, nonlinearity_, run_options()).y;
}

LSTM::LSTM(std::optional<std::int64_t> in, std::int64_t hidden, const LSTMOptions& options, SourceLocation where)
    : RecurrentLayer("LSTM", 4, in, hidden, options, where) {}

Recurrent LSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0, SourceLocation where) const {
  const Call call = enter(x, where);
  const Recurrent result = call.run([&] { return lstm(x, weights_for(x), h0, c0, run_options()); });
  call.result(result.y);
  return result;
}

Tensor LSTM::forward(const Tensor& x) const {
  return lstm(x, weights_for(x), {}, {}, run_options()).y;
}

GRU::GRU(std::optional<std::int64_t> in, std::int64_t hidden, const RecurrentLayerOptions& options,
         SourceLocation where)
    : RecurrentLayer("GRU", 3, in, hidden,
                     {options.num_layers, options.bias, options.batch_first, options.dropout, options.bidirectional, 0},
                     where) {}

Recurrent GRU::operator()(const Tensor& x, const Tensor& h0, SourceLocation where) const {
  const Call call = enter(x, where);
  const Recurrent result = call.run([&] { return gru(x, weights_for(x), h0, run_options()); });
  call.result(result.y);
  return result;
}

Tensor GRU::forward(const Tensor& x) const {
  return gru(x, weights_for(x), {}, run_options()).y;
}

}  // namespace pullback::nn
