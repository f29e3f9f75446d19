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
  using Make = std::function<std::unique_ptr<ir::Function>()>;

  explicit FunctionSource(std::shared_ptr<const ir::Function> function)
      : declaration_(function), whole_(std::move(function)) {}
  /// The `declaration` has the name, the arguments and the results' names of what `make` makes, the same each time, and
  /// of `made`, if that is not null: the function as it was made once already. Functions of one `identity` have the
  /// same code; without one they are known by their ops.
  FunctionSource(std::shared_ptr<const ir::Function> declaration, std::string identity, Make make,
                 std::unique_ptr<ir::Function> made = nullptr)
      : declaration_(std::move(declaration)),
        identity_(std::move(identity)),
        make_(std::move(make)),
        made_(std::move(made)) {}

  /// Name, arguments and results' names; what is computed is not to be read.
  const ir::Function& declaration() const { return *declaration_; }
  /// The function. It is kept from now on.
  std::shared_ptr<const ir::Function> whole() const;
  /// One to be changed. It is not kept: what is asked for next is made again, unless whole() was asked for.
  std::unique_ptr<ir::Function> copy() const;
  /// Bytes by which the cache on disk knows the function, behind `key`.
  void add_identity(std::string& key) const;

 private:
  std::shared_ptr<const ir::Function> declaration_;
  std::string identity_;
  Make make_;  ///< empty: it is whole
  mutable std::mutex mutex_;
  mutable std::unique_ptr<ir::Function> made_;  ///< which nobody has seen yet
  mutable std::shared_ptr<const ir::Function> whole_;
};

/// The function without its ops.
std::shared_ptr<const ir::Function> declaration_of(const ir::Function& function);

}  // namespace pullback::driver
