// Everything a user of Pullback includes.
#pragma once

#include <pullback/array.h>
#include <pullback/attention.h>
#include <pullback/convolution.h>
#include <pullback/data.h>
#include <pullback/fit.h>
#include <pullback/functions.h>
#include <pullback/graph.h>
#include <pullback/initializers.h>
#include <pullback/losses.h>
#include <pullback/metrics.h>
#include <pullback/nn.h>
#include <pullback/normalization.h>
#include <pullback/operators.h>
#include <pullback/optimizers.h>
#include <pullback/pooling.h>
#include <pullback/program.h>
#include <pullback/resize.h>
#include <pullback/schedules.h>
#include <pullback/state.h>
#include <pullback/trainer.h>
