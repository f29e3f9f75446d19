#include "compiler/driver/function_source.h"

#include "compiler/ir/canonical.h"

namespace pullback::driver {

const std::shared_ptr<const ir::Function>& FunctionSource::whole() const {
  std::call_once(made_, [this] {
    if (!whole_) whole_ = make_();
  });
  return whole_;
}

// The first byte keeps the two kinds apart.
std::string FunctionSource::identity() const {
  return identity_.empty() ? "f" + ir::canonical_bytes(*declaration_) : "s" + identity_;
}

}  // namespace pullback::driver
