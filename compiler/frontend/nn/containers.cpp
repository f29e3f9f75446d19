// Layers made of layers.
#include <pullback/nn/containers.h>

#include <fmt/format.h>

#include <pullback/operators.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

Lambda::Lambda(Body body, const std::string& type) : Lambda(std::move(body), type, type) {}

Lambda::Lambda(Body body, const std::string& type, const std::string& description)
    : Module(Layer{type, description}), body_(std::move(body)) {}

Tensor Lambda::forward(const Tensor& x) const {
  if (!body_) detail::fail(label(), "it has no function to call", line_of(x));
  const Tensor y = body_(x);
  if (!y.defined()) detail::fail(label(), "its function gives an undefined tensor", line_of(x));
  return y;
}

Sequential::Sequential(std::initializer_list<Named> layers, SourceLocation where)
    : Module(Layer{"Sequential", "Sequential", true}), layers_(std::make_shared<std::vector<AnyModule>>()) {
  for (const auto& [name, layer] : layers) add(name, layer, where);
}

Sequential& Sequential::add(AnyModule layer, SourceLocation where) {
  return add(std::to_string(size()), std::move(layer), where);
}

Sequential& Sequential::add(const std::string& name, AnyModule layer, SourceLocation where) {
  attach(name, *layer, where);
  layers_->push_back(std::move(layer));
  return *this;
}

Tensor Sequential::forward_at(const Tensor& x, SourceLocation where) const {
  Tensor y = x;
  for (const AnyModule& layer : *layers_) y = (*layer)(y, where);
  return y;
}

Residual::Residual(AnyModule inner) : Module(Layer{"Residual", "Residual", true}), inner_(std::move(inner)) {
  attach("inner", *inner_);
}

Residual::Residual(AnyModule inner, AnyModule shortcut) : Residual(std::move(inner)) {
  attach("shortcut", *shortcut);
  shortcut_.push_back(std::move(shortcut));
}

Tensor Residual::forward_at(const Tensor& x, SourceLocation where) const {
  const Tensor y = (*inner_)(x, where);
  const Tensor direct = shortcut_.empty() ? x : (*shortcut_.front())(x, where);
  if (direct.dtype() != y.dtype() || direct.shape() != y.shape())
    detail::fail(label(),
                 fmt::format("{} is added to {}: the inner layer must keep the shape, or there is a shortcut",
                             direct.type_string(), y.type_string()),
                 x.trace()->line(where));
  const detail::Pin pin(x, where);
  return direct + y;
}

}  // namespace pullback::nn
