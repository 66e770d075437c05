#!/bin/sh
# Makes sure that an engine is on the PATH: redis-server or valkey-server.
#
#   scripts/install-engine.sh     does nothing when there is one; else asks the package manager
#
# It installs a program and no service: Debian's package would start one on port 6379, now and at
# every boot, so that is held back while it installs and switched off after it.
set -eu

say() { echo "install-engine: $*" >&2; }
die() { say "error: $1"; say "hint: $2"; exit 1; }

engine() { command -v redis-server || command -v valkey-server; }

if found=$(engine); then
    say "using $found ($("$found" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p'))"
    exit 0
fi

case $(uname -s) in
Darwin)
    command -v brew >/dev/null ||
        die "no engine and no Homebrew" "install Homebrew, or put redis-server on the PATH"
    say "no engine found: brew install redis"
    brew install redis
    ;;
Linux)
    command -v apt-get >/dev/null ||
        die "no engine and no apt-get" "install redis or valkey with this system's own tool"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "no engine, and no right to install one" "ask an administrator for redis-server"
        as_root=sudo
    fi
    say "no engine found: installing redis-server by apt-get"
    # Debian's way to keep a package from starting its service; ours to remove only if we put it.
    policy=/usr/sbin/policy-rc.d
    held=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 0755 "$policy"
        held=yes
    fi
    release() { [ -z "$held" ] || $as_root rm -f "$policy"; }
    trap release EXIT
    trap 'exit 1' INT TERM
    env="env DEBIAN_FRONTEND=noninteractive"
    $as_root $env apt-get update -q >&2 || say "the package lists could not be read: going on"
    $as_root $env apt-get install -q -y --no-install-recommends redis-server >&2 ||
        die "redis-server could not be installed" "does 'apt-get update' work on this machine?"
    if command -v systemctl >/dev/null; then
        $as_root systemctl --quiet disable redis-server 2>/dev/null || true
    fi
    ;;
*)
    die "no engine on this system" "put redis-server or valkey-server on the PATH"
    ;;
esac

found=$(engine) || die "installed, but no engine is on the PATH" "add its directory to PATH"
say "installed $found"
