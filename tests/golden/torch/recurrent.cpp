// Recurrent networks and cells, as torch._VF and torch name them.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

/// PyTorch's flat list of weights: for each layer and direction w_ih, w_hh, the biases if there are any, and w_hr if
/// the states are projected.
std::vector<RecurrentWeights> weights_of(const Arguments& a) {
  const std::vector<Tensor> flat = a.tensors("params");
  const auto layers = static_cast<std::size_t>(a.integer("num_layers")) * (a.flag("bidirectional") ? 2 : 1);
  const std::size_t biases = a.flag("has_biases") ? 2 : 0;
  if (layers == 0 || flat.size() % layers != 0 || flat.size() / layers < 2 + biases ||
      flat.size() / layers > 3 + biases)
    a.fail("params", "has " + std::to_string(flat.size()) + " tensors, which don't fit the layers");
  const std::size_t each = flat.size() / layers;
  std::vector<RecurrentWeights> result(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    const Tensor* own = &flat[i * each];
    result[i].w_ih = own[0];
    result[i].w_hh = own[1];
    if (biases > 0) result[i].b_ih = own[2];
    if (biases > 0) result[i].b_hh = own[3];
    if (each > 2 + biases) result[i].w_hr = own[2 + biases];
  }
  return result;
}

RecurrentOptions options_of(const Arguments& a) {
  if (a.flag("train") && a.number("dropout") != 0) a.fail("dropout", "is not 0: random numbers can't be compared");
  return {.bidirectional = a.flag("bidirectional"), .batch_first = a.flag("batch_first")};
}

const char* const kSequence = "input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first";

TorchFunction plain_rnn(std::string name, RnnActivation activation) {
  return {std::move(name), kSequence, [activation](const Arguments& a) {
            const Recurrent result = rnn(a.tensor("input"), weights_of(a), a.tensor("hx"), activation, options_of(a));
            return list_of({result.y, result.h});
          }};
}

/// One step of a layer: a sequence of length 1.
RecurrentWeights cell_weights(const Arguments& a) {
  return {a.tensor("w_ih"), a.tensor("w_hh"), a.optional_tensor("b_ih"), a.optional_tensor("b_hh"), {}};
}

const char* const kCell = "input, hx, w_ih, w_hh, b_ih=None, b_hh=None";

TorchFunction rnn_cell(std::string name, RnnActivation activation) {
  return {std::move(name), kCell, [activation](const Arguments& a) {
            return squeeze(
                rnn(unsqueeze(a.tensor("input"), 0), {cell_weights(a)}, unsqueeze(a.tensor("hx"), 0), activation).h, 0);
          }};
}

}  // namespace

FunctionTable recurrent_functions() {
  return {
      plain_rnn("rnn_tanh", RnnActivation::tanh),
      plain_rnn("rnn_relu", RnnActivation::relu),
      {"lstm", kSequence,
       [](const Arguments& a) {
         const std::vector<Tensor> states = a.tensors("hx");
         if (states.size() != 2) a.fail("hx", "is not (h0, c0)");
         const Recurrent result = lstm(a.tensor("input"), weights_of(a), states[0], states[1], options_of(a));
         return list_of({result.y, result.h, result.c});
       }},
      {"gru", kSequence,
       [](const Arguments& a) {
         const Recurrent result = gru(a.tensor("input"), weights_of(a), a.tensor("hx"), options_of(a));
         return list_of({result.y, result.h});
       }},
      rnn_cell("rnn_tanh_cell", RnnActivation::tanh),
      rnn_cell("rnn_relu_cell", RnnActivation::relu),
      {"lstm_cell", kCell,
       [](const Arguments& a) {
         const std::vector<Tensor> states = a.tensors("hx");
         if (states.size() != 2) a.fail("hx", "is not (h, c)");
         const Recurrent result =
             lstm(unsqueeze(a.tensor("input"), 0), {cell_weights(a)}, unsqueeze(states[0], 0), unsqueeze(states[1], 0));
         return list_of({squeeze(result.h, 0), squeeze(result.c, 0)});
       }},
      {"gru_cell", kCell,
       [](const Arguments& a) {
         return squeeze(gru(unsqueeze(a.tensor("input"), 0), {cell_weights(a)}, unsqueeze(a.tensor("hx"), 0)).h, 0);
       }},
  };
}

}  // namespace pullback::golden
