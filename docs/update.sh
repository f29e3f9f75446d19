#!/bin/sh
# Writes the generated parts of the documentation anew: the ops in ir.md, the dumps in tour.md. Needs a build in build/.
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
(cd .. && PULLBACK_UPDATE_DOCS=1 build/bin/test_docs "the tour*" >/dev/null)
