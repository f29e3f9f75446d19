// A program's function, which need not be there as long as nobody asks for its ops.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "compiler/ir/graph.h"

namespace pullback::driver {

class FunctionSource {
 public:
  using Make = std::function<std::shared_ptr<const ir::Function>()>;

  explicit FunctionSource(std::shared_ptr<const ir::Function> function)
      : declaration_(function), whole_(std::move(function)) {}
  /// The `declaration` has the name, the arguments and the results' names of what `make` makes, with ops or without.
  /// Functions of one `identity` have the same code.
  FunctionSource(std::shared_ptr<const ir::Function> declaration, std::string identity, Make make)
      : declaration_(std::move(declaration)), identity_(std::move(identity)), make_(std::move(make)) {}

  /// Name, arguments and results' names; what is computed is not to be read.
  const ir::Function& declaration() const { return *declaration_; }
  /// The function, made at the first call.
  const std::shared_ptr<const ir::Function>& whole() const;
  /// Bytes by which the cache on disk knows the function.
  std::string identity() const;

 private:
  std::shared_ptr<const ir::Function> declaration_;
  std::string identity_;  ///< empty: the function itself
  Make make_;
  mutable std::once_flag made_;
  mutable std::shared_ptr<const ir::Function> whole_;
};

}  // namespace pullback::driver
