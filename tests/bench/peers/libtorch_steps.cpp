// Times small networks in PyTorch from C++, without Python's share of a step, on demand:
//   libtorch_steps THREADS
// Reads lines "WORKLOAD SECONDS" from standard input, where WORKLOAD is tiny_b1, mlp_b1 or mlp_b128 (the networks of
// tests/bench/workloads.cpp) or "inference NAME", and answers each with the median microseconds of a step, or "none".
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace {

namespace nn = torch::nn;
using Clock = std::chrono::steady_clock;
using Step = std::function<void()>;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Network {
  nn::Sequential layers;
  torch::Tensor x, y;
  std::function<torch::Tensor(const torch::Tensor& out, const torch::Tensor& y)> loss;
  std::shared_ptr<torch::optim::Optimizer> optimizer;

  void train() {
    // As PyTorch's own zero_grad(set_to_none=True): the gradient is written instead of added to zeros.
    for (torch::Tensor& parameter : layers->parameters()) parameter.mutable_grad().reset();
    loss(layers->forward(x), y).backward();
    optimizer->step();
  }
  void infer() {
    const torch::InferenceMode guard;
    layers->forward(x);
  }
};

Network xor_network() {
  const nn::Sequential layers(nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 1));
  return {layers, torch::tensor({{0.F, 0.F}, {0.F, 1.F}, {1.F, 0.F}, {1.F, 1.F}}),
          torch::tensor({{0.F}, {1.F}, {1.F}, {0.F}}),
          [](const torch::Tensor& out, const torch::Tensor& y) { return torch::mse_loss(out, y); },
          std::make_shared<torch::optim::SGD>(layers->parameters(), 0.1)};
}

Network mlp(std::int64_t batch) {
  const nn::Sequential layers(nn::Linear(784, 512), nn::ReLU(), nn::Linear(512, 512), nn::ReLU(), nn::Linear(512, 10));
  std::shared_ptr<torch::optim::Optimizer> optimizer;
  if (batch == 1)
    optimizer = std::make_shared<torch::optim::SGD>(layers->parameters(), 1e-3);
  else
    optimizer = std::make_shared<torch::optim::Adam>(layers->parameters(), 1e-4);
  return {layers, torch::randn({batch, 784}), torch::randint(10, {batch}, torch::kLong),
          [](const torch::Tensor& out, const torch::Tensor& y) { return torch::cross_entropy_loss(out, y); },
          optimizer};
}

Step step_of(const std::string& workload) {
  const std::string prefix = "inference ";
  const bool inference = workload.rfind(prefix, 0) == 0;
  const std::string name = inference ? workload.substr(prefix.size()) : workload;
  std::shared_ptr<Network> network;
  if (name == "tiny_b1") network = std::make_shared<Network>(xor_network());
  if (name == "mlp_b1") network = std::make_shared<Network>(mlp(1));
  if (name == "mlp_b128") network = std::make_shared<Network>(mlp(128));
  if (!network) return {};
  if (inference) return [network] { network->infer(); };
  return [network] { network->train(); };
}

double median(const Step& step, double seconds) {
  const auto warm_up = Clock::now();
  for (int i = 0; i < 3 || microseconds_since(warm_up) < seconds / 4 * 1e6; ++i) step();
  std::vector<double> times;
  for (const auto start = Clock::now(); times.size() < 3 || microseconds_since(start) < seconds * 1e6;) {
    const auto before = Clock::now();
    step();
    times.push_back(microseconds_since(before));
  }
  std::sort(times.begin(), times.end());
  return (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
}

}  // namespace

int main(int argc, char** argv) {
  torch::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  torch::manual_seed(1);
  std::map<std::string, Step> steps;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t space = line.rfind(' ');
    const std::string workload = line.substr(0, space);
    if (!steps.count(workload)) steps[workload] = step_of(workload);
    const Step& step = steps[workload];
    if (step)
      std::cout << median(step, std::stod(line.substr(space + 1))) << std::endl;
    else
      std::cout << "none" << std::endl;
  }
}
