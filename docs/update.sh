#!/bin/sh
# Writes the generated parts of the documentation anew: the ops in ir.md. Needs build/bin/pullback.
set -e
cd "$(dirname "$0")"
ops=$(mktemp)
trap 'rm -f "$ops"' EXIT
../build/bin/pullback ops --markdown >"$ops"
awk -v ops="$ops" '
  /<!-- end of ops -->/ { skip = 0 }
  !skip { print }
  /<!-- pullback ops --markdown -->/ { print ""; while ((getline line < ops) > 0) print line; skip = 1 }
' ir.md >ir.md.new
mv ir.md.new ir.md
