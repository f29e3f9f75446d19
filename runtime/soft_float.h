// C symbols that generated code may call, beside runtime/abi.h: operations that some targets have no instruction for.
// Exact by definition, so that they give the same bits everywhere.
#pragma once

extern "C" {
/// x*y + z, rounded once.
double pullback_fma_f64(double x, double y, double z);
/// The remainder of x/y with the sign of x, exact.
float pullback_fmod_f32(float x, float y);
double pullback_fmod_f64(double x, double y);
}
