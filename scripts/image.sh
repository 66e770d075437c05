#!/usr/bin/env bash
# Makes the same image as the Dockerfile, without Docker: FROM scratch, one static program, no root.
#
#   scripts/image.sh [BINARY [NAME [OUT]]]
#
# BINARY is built when it is left out; NAME is interrex.io/interrex:<version> unless given. Prints
# the path of a docker archive (target/image.tar unless given), and its size. It is loaded by
# `docker load -i`, `kind load image-archive`, `ctr -n k8s.io images import`, or pushed by
# `skopeo copy docker-archive:…`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# die WHAT HINT: what is wrong and the way out.
die() {
    echo "image: error: $1" >&2
    echo "image: hint: $2" >&2
    exit 1
}
# shellcheck source=lib/pack.sh
source "$root/scripts/lib/pack.sh"

(($# <= 3)) || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
binary=${1:-$("$root/scripts/build-static.sh")}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
name=${2:-interrex.io/interrex:$version}
out=${3:-$root/target/image.tar}

[[ -x $binary ]] || die "$binary is no program" "leave it out, and it is built"
! ldd "$binary" 2>/dev/null | grep '=>' >/dev/null ||
    die "$binary needs shared libraries, and an empty image has none" \
        "build it by scripts/build-static.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/image"
install -m 0755 "$binary" "$work/image/interrex"
pack "$name" "$work/image" "$out" '{"Entrypoint":["/interrex"],"User":"65532:65532"}'
bytes=$(stat -c %s "$out")
echo "image $name: $((bytes / 1000000)).$((bytes / 100000 % 10)) MB" >&2
echo "$out"
