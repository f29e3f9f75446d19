// Contractions whose B has elements that lie apart, with zeros between them (the gradient of a strided convolution), as
// contractions without: elements of C that are as far apart meet the same elements of A.
#pragma once

#include <vector>

#include "compiler/ops/contraction.h"

namespace pullback::lower {

/// Do elements of B lie apart?
bool has_spread_elements(const ops::ContractionSpec& spec);

/// Together they compute all of C, each of them elements at equal distances; that with most products comes first. A
/// phase of C that meets no elements has a sum over nothing. The contraction itself, where none of B lies apart;
/// nothing, where C is not walked element by element.
std::vector<ops::ContractionSpec> phases_of(const ops::ContractionSpec& spec);

}  // namespace pullback::lower
