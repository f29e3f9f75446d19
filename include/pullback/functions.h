// Functions on tensors, one header for each theme.
#pragma once

#include <pullback/activations.h>
#include <pullback/control.h>
#include <pullback/creation.h>
#include <pullback/elementwise.h>
#include <pullback/indexing.h>
#include <pullback/norms.h>
#include <pullback/padding.h>
#include <pullback/products.h>
#include <pullback/random.h>
#include <pullback/recurrent.h>
#include <pullback/reductions.h>
#include <pullback/scans.h>
#include <pullback/shapes.h>
#include <pullback/sorting.h>
