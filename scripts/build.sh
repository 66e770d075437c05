#!/usr/bin/env bash
# Builds the optimised program as target/release/interrex. On Linux it needs no shared library, so
# that the one that runs on a laptop is the one that goes into the image.
set -euo pipefail
cd "$(dirname "$0")/.."

built=${CARGO_TARGET_DIR:-$PWD/target}/release/interrex
# Some distributions package the static half of the C library apart.
if [ "$(uname -s)" = Linux ] && [ -e "$(${CC:-cc} -print-file-name=libc.a)" ]; then
    built=$(scripts/build-static.sh)
else
    ${CARGO:-cargo} build --release --locked -p interrex-cli
fi
mkdir -p target/release
[ "$built" -ef target/release/interrex ] || ln -f "$built" target/release/interrex 2>/dev/null ||
    cp "$built" target/release/interrex
