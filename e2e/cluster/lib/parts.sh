# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The programs of the cluster: built from Go modules and unpacked from Debian packages, once.
#
# They lie in $cache/parts-KEY, whose key is the versions and our own sources: another version is
# another directory. Whatever is there is whole: each part is made beside its place and moved.

go_tree=$cache/go

parts_key() {
    {
        echo "$kubernetes_version $coredns_version $(debian_release)"
        cat "$here"/hyperkube/*.go "$here"/tools/*/*.go
    } | sha256sum | cut -c1-12
}

debian_release() {
    # shellcheck source=/dev/null
    (. /etc/os-release && echo "$ID-${VERSION_ID:-rolling}")
}

parts=$cache/parts-$kubernetes_version-$(parts_key)

# make_parts: everything that `up` needs; does nothing when it is there.
make_parts() {
    local program
    install_tools
    mkdir -p "$parts"
    [[ -d $parts/debian ]] || unpack_debian
    [[ -x $parts/pause ]] || build_tools
    [[ -x $parts/hyperkube ]] || build_hyperkube
    [[ -x $parts/coredns ]] ||
        build_module coredns "github.com/coredns/coredns@v$coredns_version"
    for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
        [[ -e $parts/$program ]] || ln -s hyperkube "$parts/$program"
    done
    drop_go_tree
}

# Small tools that the machine itself must have, of its own package manager.
install_tools() {
    local tool missing=()
    for tool in ip:iproute2 nft:nftables openssl:openssl nsenter:util-linux flock:util-linux; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
    done
    compgen -G '/lib/*/libseccomp.so.2' >/dev/null ||
        compgen -G '/usr/lib*/*/libseccomp.so.2' >/dev/null || missing+=(libseccomp2)
    ((${#missing[@]} > 0)) || return 0
    command -v apt-get >/dev/null ||
        die "missing on this machine: ${missing[*]}" "install them; there is no apt-get to do it"
    say "installing ${missing[*]}"
    {
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
            "${missing[@]}" || {
            apt-get update -q
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
                "${missing[@]}"
        }
    } >&2 || die "${missing[*]} could not be installed" "try: apt-get install ${missing[*]}"
}

# etcd, containerd, runc, CNI plug-ins and busybox are unpacked, not installed: nothing of the
# machine's own containerd, services or paths changes.
unpack_debian() {
    local work=$parts/debian.new package
    command -v apt-get >/dev/null ||
        die "this machine has no apt-get, from which $debian_packages come" \
            "use Debian or Ubuntu, or set E2E_KUBECONFIG or E2E_CLUSTER=kind"
    say "unpacking $debian_packages"
    rm -rf "$work"
    mkdir -p "$work/packages"
    # shellcheck disable=SC2086 # a list of package names
    (
        cd "$work/packages"
        fetch="apt-get download -q -o APT::Sandbox::User=root $debian_packages"
        $fetch || { apt-get update -q && $fetch; }
    ) >&2 || die "$debian_packages could not be fetched" "does 'apt-get update' work here?"
    for package in "$work"/packages/*.deb; do
        dpkg -x "$package" "$work"
    done
    rm -rf "$work/packages"
    ln -s usr/lib/cni "$work/cni"
    mv "$work" "$parts/debian"
}

# --- Go ---------------------------------------------------------------------------------------

go_build() {
    local go=${GO:-go} version
    command -v "$go" >/dev/null ||
        die "no Go on this machine, and the cluster's programs are built from Go modules" \
            "install Go 1.24 or newer ('apt-get install golang-go' on Debian 13), or name it by GO"
    version=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    ((${version:-0} >= 21)) ||
        die "$("$go" version) is too old: 1.24 is needed, and 1.21 to fetch that by itself" \
            "install Go 1.24 or newer, or name it by GO"
    # Caches of our own, so that they can be dropped; GOFLAGS and GOPROXY stay as the user set them.
    GOMODCACHE=$go_tree/mod GOCACHE=$go_tree/build GOBIN='' GOPATH=$go_tree/path GOWORK=off \
        CGO_ENABLED=0 nice "$go" "$@"
}

# 3 to 4 GB of sources and objects that are of no use once everything is built.
drop_go_tree() {
    [[ -d $go_tree && -z ${E2E_KEEP_GO_CACHE:-} ]] || return 0
    chmod -R u+w "$go_tree"
    rm -rf "$go_tree"
}

build_hyperkube() {
    local source=$go_tree/hyperkube begun=$SECONDS flags
    say "building Kubernetes $kubernetes_version (minutes, the first time)"
    rm -rf "$source"
    mkdir -p "$source"
    cp "$here"/hyperkube/*.go "$source/"
    write_go_mod "$source" || die "k8s.io/kubernetes v$kubernetes_version could not be fetched" \
        "is a Go module proxy reachable? 'go env GOPROXY' names it"
    (cd "$source" && go_build mod tidy) >"$parts/hyperkube.log" 2>&1 ||
        die "the modules of Kubernetes could not be fetched" "see $parts/hyperkube.log"
    # Without a version the programs call themselves v0.0.0, and clients refuse to work with that.
    flags="-s -w"
    flags+=" -X k8s.io/component-base/version.gitVersion=v$kubernetes_version"
    flags+=" -X k8s.io/component-base/version.gitMajor=${kubernetes_version%%.*}"
    flags+=" -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<"$kubernetes_version")"
    (cd "$source" && go_build build -trimpath -ldflags "$flags" -o "$parts/hyperkube.new" .) \
        >>"$parts/hyperkube.log" 2>&1 ||
        die "Kubernetes could not be built" "see $parts/hyperkube.log"
    mv "$parts/hyperkube.new" "$parts/hyperkube"
    say "Kubernetes $kubernetes_version built in $((SECONDS - begun)) s"
}

# k8s.io/kubernetes replaces its staging modules by directories that its module does not carry. What
# depends on it has to say instead which published version of each stands for them: v0.X.Y.
write_go_mod() {
    local theirs staging=v0.${kubernetes_version#*.} module
    theirs=$(cd "$1" && GOFLAGS=-mod=mod go_build mod download -json \
        "k8s.io/kubernetes@v$kubernetes_version" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
    [[ -f $theirs ]] || return 1
    {
        echo "module interrex.io/e2e/hyperkube"
        sed -n '/^go /p;/^godebug /p' "$theirs"
        echo "require k8s.io/kubernetes v$kubernetes_version"
        sed -n 's|^\t\(k8s\.io/[^ ]*\) => \./staging/.*|\1|p' "$theirs" |
            grep -v '/sample-c' | while read -r module; do
            echo "require $module $staging"
            echo "replace $module => $module $staging"
        done
    } >"$1/go.mod"
}

# build_module NAME PACKAGE@VERSION: one program of one module, as its authors pinned it.
build_module() {
    local begun=$SECONDS log=$parts/$1.log
    say "building $1 (${2##*@})"
    # GOBIN cannot be had together with a name of our own, so it goes through a directory.
    (
        mkdir -p "$go_tree/bin"
        GOMODCACHE=$go_tree/mod GOCACHE=$go_tree/build GOPATH=$go_tree/path GOBIN=$go_tree/bin \
            GOWORK=off CGO_ENABLED=0 nice "${GO:-go}" install -trimpath -ldflags '-s -w' "$2"
    ) >"$log" 2>&1 || die "$1 could not be built" "see $log"
    mv "$go_tree/bin/$1" "$parts/$1"
    say "$1 built in $((SECONDS - begun)) s"
}

build_tools() {
    local tool
    for tool in delay pause; do
        (cd "$here/tools/$tool" && GO111MODULE=off go_build build -trimpath -ldflags '-s -w' \
            -o "$parts/$tool.new" main.go) || die "$tool could not be built" "see above"
        mv "$parts/$tool.new" "$parts/$tool"
    done
}
