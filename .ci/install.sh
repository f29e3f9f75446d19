#!/bin/sh
# Installs what the build needs, and only what is missing: Debian 12 packages, as root or through sudo.
set -e
packages="g++ cmake ninja-build ccache llvm-19-dev libfmt-dev catch2 libcli11-dev nlohmann-json3-dev zlib1g-dev"
packages="$packages libmpfr-dev libbenchmark-dev"
missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "error: run as root or install sudo; missing packages:$missing" >&2; exit 1; }
  as_root="sudo"
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
