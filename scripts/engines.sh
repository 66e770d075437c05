#!/bin/sh
# Unpacks other versions of the engines beside the installed one, for tests. Installs nothing.
#
#   scripts/engines.sh            prints one path a line: plain commands such as valkey-server-8.1
#
# Where from: the Debian mirror that this machine's apt is set up for, other suites of it, through
# apt itself and its keys, with an apt state of our own. Where to: $INTERREX_ENGINES, by default
# ${XDG_CACHE_HOME:-~/.cache}/interrex/engines; remove that directory to start over. A second run
# finds everything in place and only prints. Each command execs the engine, so its pid is the
# engine's, and it runs on the libraries of its own suite, not on this machine's.
set -eu

home=${INTERREX_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/interrex/engines}

say() { echo "engines: $*" >&2; }
die() { say "error: $1"; say "hint: $2"; exit 1; }

# root directory | suite of the engines | suite of their libraries | engines | libssl of that suite
roots='
bookworm-backports|bookworm-backports|bookworm|valkey|libssl3
trixie|trixie|trixie|redis valkey|libssl3t64
'
libraries='libc6 liblzf1 libsystemd0 liblzma5 libzstd1 libcap2 liblz4-1 libgcc-s1 libstdc++6
zlib1g libatomic1 libjemalloc2 libgcrypt20 libgpg-error0'

for tool in apt-get dpkg flock; do
    command -v "$tool" >/dev/null ||
        die "this machine has no $tool" "the script needs Debian; elsewhere name engines: --engine"
done

# The Debian mirror as apt itself understands its configuration (old and new style lists).
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk '$2 ~ /^(bookworm|trixie|stable|testing)$/ { print $1; exit }'
}

# apt with a state of its own: the machine's lists, cache and sources stay as they are.
private_apt() {
    command=$1
    shift
    "$command" -q -o Dir::Etc::sourcelist="$home/apt/engines.sources" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$home/apt/lists" \
        -o Dir::Cache="$home/apt/cache" -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

prepare_apt() {
    uri=$(mirror)
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -n "$uri" ] || die "apt on this machine names no Debian mirror" \
        "add one under /etc/apt/sources.list.d, or name engines by --engine"
    mkdir -p "$home/apt/lists/partial" "$home/apt/cache/archives/partial"
    {
        echo "Types: deb"
        echo "URIs: $uri"
        echo "Suites: bookworm bookworm-backports trixie"
        echo "Components: main"
        [ ! -f "$keyring" ] || echo "Signed-By: $keyring"
    } >"$home/apt/engines.sources"
    say "reading the package lists of $uri"
    private_apt apt-get update >&2 ||
        die "the package lists of $uri could not be read" "is the mirror reachable?"
}

# Unpacks one root: engines of suite $2 with libraries of suite $3.
unpack() {
    root=$1 suite=$2 library_suite=$3 engines=$4 ssl=$5
    packages=
    for engine in $engines; do
        packages="$packages $engine-server/$suite $engine-tools/$suite"
    done
    for library in $libraries $ssl; do
        packages="$packages $library/$library_suite"
    done
    rm -rf "$home/$root.new"
    mkdir -p "$home/$root.new/packages"
    say "unpacking$packages"
    # shellcheck disable=SC2086 # a list of package names
    (cd "$home/$root.new/packages" && private_apt apt-get download $packages >&2) ||
        die "packages of $suite could not be fetched" "remove $home and try again"
    for package in "$home/$root.new/packages"/*.deb; do
        dpkg -x "$package" "$home/$root.new"
    done
    rm -rf "$home/$root.new/packages" "${home:?}/$root"
    mv "$home/$root.new" "$home/$root"
}

# Writes the command of one engine of one root; its name ends with the version it reports.
wrap() {
    root=$1 engine=$2-server
    loader=$(find "$home/$root" -name 'ld-linux*.so.*' -type f | head -n 1)
    path=$(find "$home/$root" -name 'lib*.so.*' -exec dirname {} + | sort -u | paste -sd: -)
    {
        echo '#!/bin/sh'
        echo "# $engine of $root on its own libraries; written by scripts/engines.sh"
        echo "exec '$loader' --library-path '$path' --argv0 $engine \\"
        echo "    '$home/$root/usr/bin/$engine' \"\$@\""
    } >"$home/bin/.$engine-$root.new"
    chmod 0755 "$home/bin/.$engine-$root.new"
    version=$("$home/bin/.$engine-$root.new" --version |
        sed -n 's/.* v=\([0-9]*\.[0-9]*\).*/\1/p')
    [ -n "$version" ] || die "$engine of $root does not start" "remove $home/$root and try again"
    mv "$home/bin/.$engine-$root.new" "$home/bin/$engine-$version"
    echo "$engine-$version" >>"$home/$root/commands.new"
}

mkdir -p "$home/bin"
exec 9>"$home/lock"
flock 9
echo "$roots" | while IFS='|' read -r root suite library_suite engines ssl; do
    [ -n "$root" ] || continue
    if [ ! -f "$home/$root/commands" ]; then
        [ -f "$home/apt/ready" ] || { prepare_apt && touch "$home/apt/ready"; }
        unpack "$root" "$suite" "$library_suite" "$engines" "$ssl"
        for engine in $engines; do
            wrap "$root" "$engine"
        done
        mv "$home/$root/commands.new" "$home/$root/commands"
    fi
    sed "s|^|$home/bin/|" "$home/$root/commands"
done
rm -rf "$home/apt"
