#include "compiler/driver/function_source.h"

#include "compiler/ir/canonical.h"

namespace pullback::driver {

std::shared_ptr<const ir::Function> FunctionSource::whole() const {
  const std::lock_guard lock(mutex_);
  if (!whole_) whole_ = made_ ? std::move(made_) : make_();
  return whole_;
}

// Most functions are copied once, to be compiled. One that can be made again is given away rather than copied.
std::unique_ptr<ir::Function> FunctionSource::copy() const {
  const std::lock_guard lock(mutex_);
  if (whole_) return ir::clone(*whole_);
  return made_ ? std::move(made_) : make_();
}

// A first byte keeps the two kinds apart.
void FunctionSource::add_identity(std::string& key) const {
  key += identity_.empty() ? 'f' : 's';
  key += identity_.empty() ? ir::canonical_bytes(*whole()) : identity_;
}

std::shared_ptr<const ir::Function> declaration_of(const ir::Function& function) {
  auto declaration = std::make_shared<ir::Function>();
  declaration->name = function.name;
  for (std::size_t i = 0; i < function.roles.size(); ++i)
    declaration->add_argument(function.body.arguments[i]->type, function.body.arguments[i]->name, function.roles[i]);
  declaration->results = function.results;
  return declaration;
}

}  // namespace pullback::driver
