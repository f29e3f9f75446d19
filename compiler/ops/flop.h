// How much contractions and whole functions compute.
#pragma once

namespace pullback::ir {
class Region;
}

namespace pullback::ops {

struct ContractionSpec;

/// Floating operations, two for each product: of all products, and of those whose elements lie within A and B, which
/// padding does not.
struct FlopCount {
  double nominal = 0, in_bounds = 0;
};
FlopCount count_flop(const ContractionSpec& spec);

/// Read off a function's ops: of its contractions (and of ops that count their own), all iterations of scans among
/// them. Of branches the more expensive side; a while loop counts once, since nobody knows how often it runs.
FlopCount flop_of(const ir::Region& region);

}  // namespace pullback::ops
