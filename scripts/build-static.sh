#!/bin/sh
# Builds the program without any shared library, as an empty image needs it, and prints its path.
#
#   scripts/build-static.sh     optimised; the Dockerfile and scripts/image.sh both use it
set -eu
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
*-linux-*) ;;
*)
    echo "build-static: error: an image needs a program for Linux, this is $host" >&2
    echo "build-static: hint: run it on Linux, or 'docker build .'" >&2
    exit 1
    ;;
esac
# With --target the flags reach the program and no build script, which runs on this machine.
RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" \
    ${CARGO:-cargo} build --release --locked --target "$host" -p interrex-cli >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/$host/release/interrex"
