// Objects to one position-independent image, which the runtime loads without a linker.
#pragma once

#include <llvm/ADT/ArrayRef.h>

#include "runtime/code_image.h"

namespace pullback::codegen {

/// Places the objects' sections behind one another and resolves what they refer to among themselves; the runtime's
/// functions are reached through slots that the loader fills. Throws InternalError for a kind of reference that
/// position-independent code of the small model does not have.
runtime::CodeImage flatten(llvm::ArrayRef<llvm::ArrayRef<char>> objects);

}  // namespace pullback::codegen
