// The op of docs/adding-an-op.md.
#pragma once

#include "compiler/ops/op_def.h"

namespace pullback::ops {

extern const OpDef op_softsign;

}  // namespace pullback::ops
