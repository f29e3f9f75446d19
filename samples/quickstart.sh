#!/bin/sh
# From a fresh Debian 12 to a trained network: installs packages, builds into build/, trains an MLP on handwritten
# digits that ship with the project, and writes what the compiler made of it, stage by stage, to build/quickstart/.
set -e
cd "$(dirname "$0")/.."
sh .ci/install.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --preset release -DPULLBACK_TESTS=OFF >"$log" 2>&1 || { cat "$log"; exit 1; }
echo "building (build/, a few minutes the first time)"
cmake --build --preset release
rm -rf build/quickstart
PULLBACK_DUMP=all PULLBACK_DUMP_DIR=build/quickstart build/bin/digits samples/data/mnist
