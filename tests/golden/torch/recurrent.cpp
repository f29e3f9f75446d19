// Recurrent networks: torch._VF.lstm and the like.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

namespace {

/// [w_ih, w_hh, b_ih, b_hh, w_hr] for each layer and direction, without what there is not.
std::vector<RecurrentWeights> weights_of(const Arguments& a, bool may_project) {
  const std::vector<Tensor> all = a.tensors("params");
  const bool biases = a.flag("has_biases");
  std::size_t entries = static_cast<std::size_t>(a.integer("num_layers")) * (a.flag("bidirectional") ? 2 : 1);
  const std::size_t each = all.size() / entries;
  const bool projects = may_project && each == (biases ? 5U : 3U);
  std::vector<RecurrentWeights> weights;
  for (std::size_t at = 0; at < all.size(); at += each) {
    RecurrentWeights w{all[at], all[at + 1], {}, {}, {}};
    if (biases) w.b_ih = all[at + 2], w.b_hh = all[at + 3];
    if (projects) w.w_hr = all[at + each - 1];
    weights.push_back(w);
  }
  return weights;
}

RecurrentOptions options_of(const Arguments& a) {
  return {.bidirectional = a.flag("bidirectional"),
          .batch_first = a.flag("batch_first"),
          .dropout = a.flag("train") ? a.number("dropout") : 0};
}

Value rnn_of(const Arguments& a, RnnActivation activation) {
  const Recurrent r = rnn(a.tensor("input"), weights_of(a, false), a.tensor("hx"), activation, options_of(a));
  return list_of({r.y, r.h});
}

}  // namespace

FunctionTable recurrent_functions() {
  const std::string signature = "input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first";
  return {
      {"lstm", signature,
       [](const Arguments& a) {
         const std::vector<Tensor> states = a.tensors("hx");
         const Recurrent r = lstm(a.tensor("input"), weights_of(a, true), states.at(0), states.at(1), options_of(a));
         return list_of({r.y, r.h, r.c});
       }},
      {"gru", signature,
       [](const Arguments& a) {
         const Recurrent r = gru(a.tensor("input"), weights_of(a, false), a.tensor("hx"), options_of(a));
         return list_of({r.y, r.h});
       }},
      {"rnn_tanh", signature, [](const Arguments& a) { return rnn_of(a, RnnActivation::tanh); }},
      {"rnn_relu", signature, [](const Arguments& a) { return rnn_of(a, RnnActivation::relu); }},
  };
}

}  // namespace pullback::golden
