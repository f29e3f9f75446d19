// What a group's kernel depends on, written down so that equal groups can have one kernel: layers that repeat differ in
// their buffers only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/lower/emitter.h"
#include "compiler/lower/form_numbers.h"
#include "compiler/lower/group.h"

namespace pullback::lower {

struct Signature {
  std::string key;                       ///< of equal keys, the groups' kernels are equal
  std::vector<const ir::Value*> places;  ///< for each storage that occurs, a value there, in order of appearance
  std::vector<const ir::Op*> ops;        ///< in order of appearance
};

/// Of a group whose results have their storages. Nothing when an op of it has regions, which are not compared. Keys can
/// be compared where `forms` were the same.
std::optional<Signature> signature_of(const Group& group, const Placement& placement, FormNumbers& forms);

}  // namespace pullback::lower
