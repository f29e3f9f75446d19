// The networks that the benchmarks time, each with data bound and an optimizer. Inputs are random: speed does not
// depend on them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <pullback/pullback.h>

namespace pullback::bench {

/// A network over fixed sizes, and what to compile of it.
struct Network {
  Graph graph;
  Tensor prediction, loss;
  std::optional<Optimizer> optimizer;  ///< none: a step gives the gradients of the parameters
  std::vector<Feed> inputs;            ///< "x" and, for networks that have labels, "y"
};

struct Workload {
  std::string name, description;
  std::function<Network()> make;
};

/// In the order in which they are printed.
const std::vector<Workload>& workloads();
/// Throws Error, listing the names there are.
const Workload& workload(const std::string& name);

/// A step of training: forward, loss, backward, optimizer.
Program training(const Network& network, const CompileOptions& compile);
/// The prediction alone, with the inputs that it needs.
Program inference(const Network& network, const CompileOptions& compile);
/// The inputs that the program asks for.
std::vector<Feed> inputs_of(const Program& program, const Network& network);

}  // namespace pullback::bench
