// What a group's kernel depends on, written down so that equal groups can have one kernel: layers that repeat differ in
// their buffers only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"

namespace pullback::lower {

struct Signature {
  std::string key;                       ///< of equal keys, the groups' kernels are equal
  std::vector<const ir::Value*> places;  ///< for each storage that occurs, a value there, in order of appearance
  std::vector<const ir::Op*> ops;        ///< in order of appearance
};

/// Of a group whose results have their storages. Nothing when an op of it has regions, which are not compared.
std::optional<Signature> signature_of(const Group& group, const Placement& placement);

/// Appends all that is known of an op without its surroundings: which it is, attributes, types of operands and results.
void append_form(std::string& key, const ir::Op& op);

}  // namespace pullback::lower
