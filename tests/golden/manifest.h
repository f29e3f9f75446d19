// A directory of reference cases: manifest.json and the safetensors files beside it. README.md in cases/ describes the
// form.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/golden/safetensors.h"
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

/// An attribute as the manifest writes it; numbers that JSON has no word for stand as Python writes them.
using Attributes = std::vector<std::pair<std::string, Value>>;

struct TensorSpec {
  std::string name;
  std::string dtype;  ///< "float", "int64", "bool", ...
  std::vector<std::int64_t> dims;
  bool flag = false;  ///< of an input: its gradient is given; of an output: it has a cotangent
};

/// One function, evaluated by PyTorch.
struct OpCase {
  std::string name, category, op;
  std::string problem;  ///< why the manifest's entry can't be read; "" when it can
  std::string torch;    ///< the expression that PyTorch evaluated, in terms of inputs and attributes
  Attributes attributes;
  std::vector<TensorSpec> inputs, outputs;
  bool second_order = false;
  std::string file_f64, file_f32;
  /// PyTorch's own f32 error, max |f32 - f64| / max |f64|, of "out", "loss", "grad" and "hvp".
  std::map<std::string, double> f32_error;
  /// What the f64 results themselves are wrong by, in the same form; where it is not given, it has not been seen to
  /// matter.
  std::map<std::string, double> f64_error;
};

/// Twenty training steps by PyTorch.
struct Trajectory {
  std::string name, model, loss, optimizer;
  std::string problem;  ///< as above
  List model_arguments;
  Attributes optimizer_arguments;
  std::string schedule;  ///< "": a constant rate
  Attributes schedule_arguments;
  std::optional<double> clip_grad_norm;
  std::int64_t steps = 0;
  std::vector<std::string> parameters;
  std::string file_f64, file_f32;
  double f32_loss_error = 0;                       ///< relative
  std::map<std::string, double> f32_final_error;   ///< absolute, of each parameter
  double f64_loss_probe = 0, f64_final_probe = 0;  ///< relative; absolute: what a perturbation of 4e-16 does
  std::vector<std::string> f32_meaningless;        ///< their true gradient is zero; Adam scales rounding noise up
};

struct Manifest {
  std::vector<OpCase> ops;
  std::vector<Trajectory> trajectories;
};

/// Throws Error when the manifest is missing or not of the form.
Manifest read_manifest(const std::string& directory);

}  // namespace pullback::golden
