// Layers made of layers.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <pullback/nn/module.h>

namespace pullback::nn {

/// A function without parameters as a layer: Lambda([](const Tensor& x) { return square(x); }).
class Lambda : public Module {
 public:
  using Body = std::function<Tensor(const Tensor&)>;
  explicit Lambda(Body body, const std::string& type = "Lambda");
  /// `description` is what summary() shows.
  Lambda(Body body, const std::string& type, const std::string& description);

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Body body_;
};

/// Any layer that takes one tensor and gives one: a module, or a function.
class AnyModule {
 public:
  template <std::derived_from<Module> Layer>
  AnyModule(Layer layer)
      : module_(std::make_shared<const Layer>(std::move(layer))) {}  // NOLINT: conversion is the point
  template <class Function>
    requires(!std::derived_from<Function, Module> && std::is_invocable_r_v<Tensor, Function, const Tensor&>)
  AnyModule(Function function) : AnyModule(Lambda(std::move(function))) {}  // NOLINT
  AnyModule(const AnyModule&) = default;                                    // moving copies the handle
  AnyModule& operator=(const AnyModule&) = default;

  const Module& operator*() const { return *module_; }
  const Module* operator->() const { return module_.get(); }

 private:
  std::shared_ptr<const Module> module_;
};

/// Layers one after the other. Their names are "0", "1", ... or given:
///   Sequential net(Linear(784, 512), ReLU(), Linear(512, 10));
///   Sequential net({{"fc1", Linear(784, 512)}, {"act", ReLU()}, {"fc2", Linear(512, 10)}});
class Sequential : public Module {
 public:
  using Named = std::pair<std::string, AnyModule>;
  template <std::derived_from<Module>... Layers>
    requires(!(sizeof...(Layers) == 1 && (std::same_as<Layers, Sequential> && ...)))
  explicit Sequential(Layers... layers) : Sequential(std::initializer_list<Named>{}) {
    (add(std::move(layers)), ...);
  }
  Sequential(std::initializer_list<Named> layers, SourceLocation where = SourceLocation::current());

  /// Appends a layer. Throws Error when the name is taken.
  Sequential& add(AnyModule layer, SourceLocation where = SourceLocation::current());
  Sequential& add(const std::string& name, AnyModule layer, SourceLocation where = SourceLocation::current());
  std::size_t size() const { return layers_->size(); }
  const Module& operator[](std::size_t i) const { return *layers_->at(i); }

 protected:
  Tensor forward_at(const Tensor& x, SourceLocation where) const override;

 private:
  std::shared_ptr<std::vector<AnyModule>> layers_;  // shared by all handles
};

/// x + inner(x) (He et al. 2016); with a shortcut, shortcut(x) + inner(x). The parts are named "inner" and "shortcut".
class Residual : public Module {
 public:
  explicit Residual(AnyModule inner);
  Residual(AnyModule inner, AnyModule shortcut);

 protected:
  Tensor forward_at(const Tensor& x, SourceLocation where) const override;

 private:
  AnyModule inner_;
  std::vector<AnyModule> shortcut_;  // none or one
};

/// A list of modules of one type, named "0", "1", ...; how they are called is up to its owner.
template <std::derived_from<Module> Part>
class ModuleList : public Module {
 public:
  ModuleList() : Module(Layer{"ModuleList", "ModuleList", true}), parts_(std::make_shared<std::vector<Part>>()) {}
  ModuleList(std::initializer_list<Part> parts) : ModuleList() {
    for (const Part& part : parts) push_back(part);
  }
  /// make(0), ..., make(count - 1).
  template <class Make>
  ModuleList(std::size_t count, Make make) : ModuleList() {
    for (std::size_t i = 0; i < count; ++i) push_back(make(i));
  }

  void push_back(Part part) {
    attach(std::to_string(size()), part);
    parts_->push_back(std::move(part));
  }
  std::size_t size() const { return parts_->size(); }
  const Part& operator[](std::size_t i) const { return parts_->at(i); }
  auto begin() const { return std::as_const(*parts_).begin(); }
  auto end() const { return std::as_const(*parts_).end(); }

 private:
  std::shared_ptr<std::vector<Part>> parts_;  // shared by all handles
};

}  // namespace pullback::nn
