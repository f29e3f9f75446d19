#include "compiler/autodiff/gradient.h"

#include <fmt/format.h>

#include "compiler/autodiff/jvp.h"
#include "compiler/autodiff/reverse.h"
#include "compiler/ir/prune.h"
#include "compiler/ops/build.h"

namespace pullback::autodiff {
namespace {

void require_scalar_loss(const ir::Value& loss) {
  if (!is_float(loss.type.dtype))
    throw Error(fmt::format("gradient: the loss is {}: it must be floating; convert it with cast", describe(loss)),
                line_of(loss));
  if (loss.type.rank() != 0)
    throw Error(
        fmt::format("gradient: the loss is {}, not a scalar: reduce it, with mean(loss) or sum(loss)", describe(loss)),
        line_of(loss));
}

void require_cotangents(std::span<ir::Value* const> outputs, std::span<ir::Value* const> cotangents) {
  if (outputs.size() != cotangents.size())
    throw InternalError(fmt::format("gradient: {} outputs, but {} cotangents", outputs.size(), cotangents.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i]->type != cotangents[i]->type)
      throw Error(
          fmt::format("gradient: the cotangent of {} is {}", describe(*outputs[i]), ir::to_string(cotangents[i]->type)),
          line_of(*outputs[i]));
}

}  // namespace

std::vector<ir::Value*> gradients(ir::Builder& builder, std::span<ir::Value* const> outputs,
                                  std::span<ir::Value* const> cotangents, std::span<ir::Value* const> wrt,
                                  std::vector<std::size_t>* independent) {
  require_floating(outputs, "gradient of");
  require_floating(wrt, "gradient with respect to");
  require_cotangents(outputs, cotangents);
  std::vector<ir::Value*> result =
      reverse_walk(builder, outputs, cotangents, wrt, {0, builder.region().ops.size()}, "grad");
  const ir::LocationRef before = builder.location;
  builder.location.edit().role = "grad";
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (result[i]) continue;
    result[i] = ops::full(builder, wrt[i]->type, 0).value;
    if (!wrt[i]->name.empty()) result[i]->name = "d." + wrt[i]->name;
    if (independent) independent->push_back(i);
  }
  builder.location = before;
  return result;
}

std::vector<ir::Value*> gradients(ir::Builder& builder, ir::Value* loss, std::span<ir::Value* const> wrt,
                                  std::vector<std::size_t>* independent) {
  require_scalar_loss(*loss);
  const ir::LocationRef before = builder.location;
  builder.location.edit().line = line_of(*loss);
  builder.location.edit().role = "grad";
  ir::Value* one = ops::scalar(builder, loss->type.dtype, 1).value;
  builder.location = before;
  if (!loss->name.empty()) one->name = "d." + loss->name;
  return gradients(builder, std::span(&loss, 1), std::span(&one, 1), wrt, independent);
}

std::vector<ir::Value*> hessian_vector_product(ir::Builder& builder, ir::Value* loss, std::span<ir::Value* const> wrt,
                                               std::span<ir::Value* const> directions) {
  const std::vector<ir::Value*> first = gradients(builder, loss, wrt);
  return jvp(builder, first, wrt, directions);
}

FunctionGradient gradient(const ir::Function& function, const std::string& loss, const std::vector<std::string>& wrt) {
  FunctionGradient result;
  result.function = ir::clone(function);
  ir::Function& f = *result.function;
  ir::Value* loss_value = find_result(f, loss, "gradient");
  const std::vector<ir::Value*> wrt_values = find_arguments(f, wrt, "gradient");
  ir::Builder builder(f.body);
  std::vector<std::size_t> independent;
  const std::vector<ir::Value*> derivatives = gradients(builder, loss_value, wrt_values, &independent);
  for (const std::size_t i : independent) result.independent.push_back(wrt[i]);

  f.name = function.name + ".grad";
  f.results.clear();
  f.body.results.clear();
  for (std::size_t i = 0; i < wrt.size(); ++i) f.add_result(derivatives[i], "d." + wrt[i]);
  ir::keep_needed(f);
  return result;
}

std::string independence_warning(const std::string& name, const std::string& loss) {
  return fmt::format("{} does not affect {}: its gradient is zero", name, loss);
}

}  // namespace pullback::autodiff
