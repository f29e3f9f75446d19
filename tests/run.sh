#!/bin/sh
# Builds and runs all tests, from nothing or from what is there. Arguments go to ctest, for example -R passes.
set -e
cd "$(dirname "$0")/.."
sh .ci/install.sh
cmake --preset release -DPULLBACK_TESTS=ON
cmake --build --preset release
exec ctest --test-dir build --output-on-failure -j "$(nproc)" "$@"
