# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The programs of the cluster: built from Go modules and unpacked from Debian packages, once.
#
# Each lies in $cache/built under its name, version and, where our own source is in it, its sum; the
# set that a cluster runs is $parts, of hard links. Whatever is there is whole: a part is made
# beside its place and moved.

go_tree=$cache/go
built=$cache/built

sum_of() { cat "$@" | sha256sum | cut -c1-12; }

# shellcheck source=/dev/null
debian_release() { (. /etc/os-release && echo "$ID-${VERSION_ID:-rolling}"); }

hyperkube_key=hyperkube-$kubernetes_version-$(sum_of "$here"/hyperkube/*.go)
coredns_key=coredns-$coredns_version
tools_key=tools-$(sum_of "$here"/tools/*/*.go)
debian_key=debian-$(debian_release)
parts=$cache/parts-$kubernetes_version-$(
    echo "$hyperkube_key $coredns_key $tools_key $debian_key" | sum_of
)

# make_parts: everything that `up` needs; does nothing when it is there.
make_parts() {
    local program
    install_tools
    [[ ! -f $parts/whole ]] || return 0
    [[ -x $built/$hyperkube_key && -x $built/$coredns_key ]] || require_go
    mkdir -p "$parts" "$built"
    unpack_debian
    build_tools
    build_hyperkube
    build_module coredns "$coredns_key" "github.com/coredns/coredns@v$coredns_version"
    cp -al "$built/$debian_key" "$parts/debian.new"
    rm -rf "$parts/debian"
    mv "$parts/debian.new" "$parts/debian"
    ln -f "$built/$tools_key"/* "$parts/"
    ln -f "$built/$hyperkube_key" "$parts/hyperkube"
    ln -f "$built/$coredns_key" "$parts/coredns"
    for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy \
        kubectl; do
        ln -sf hyperkube "$parts/$program"
    done
    drop_go_tree
    touch "$parts/whole"
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
    local work=$built/$debian_key.new package
    [[ ! -d $built/$debian_key ]] || return 0
    command -v apt-get >/dev/null ||
        die "this machine has no apt-get, from which $debian_packages come" \
            "use Debian or Ubuntu, or set E2E_KUBECONFIG or E2E_CLUSTER=kind"
    say "unpacking $debian_packages"
    rm -rf "$work"
    mkdir -p "$work/packages"
    # shellcheck disable=SC2086 # a list of package names
    (
        cd "$work/packages"
        fetch="apt-get download -qq -o APT::Sandbox::User=root $debian_packages"
        $fetch || { apt-get update -q && $fetch; }
    ) >&2 || die "$debian_packages could not be fetched" "does 'apt-get update' work here?"
    for package in "$work"/packages/*.deb; do
        dpkg -x "$package" "$work"
    done
    rm -rf "$work/packages"
    ln -s usr/lib/cni "$work/cni"
    mv "$work" "$built/$debian_key"
}

# --- Go ---------------------------------------------------------------------------------------

require_go() {
    local go=${GO:-go} version
    command -v "$go" >/dev/null ||
        die "no Go on this machine, and the cluster's programs are built from Go modules" \
            "install Go 1.24 or newer ('apt-get install golang-go' on Debian 13), or name it by GO"
    version=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    ((${version:-0} >= 21)) ||
        die "$("$go" version) is too old: 1.24 is needed, and 1.21 to fetch that by itself" \
            "install Go 1.24 or newer, or name it by GO"
}

go_build() {
    # Caches of our own, so that they can be dropped; GOFLAGS and GOPROXY stay as the user set them.
    GOMODCACHE=$go_tree/mod GOCACHE=$go_tree/build GOPATH=$go_tree/path GOBIN=${install_to:-} \
        GOWORK=off CGO_ENABLED=0 nice "${GO:-go}" "$@"
}

# 3 to 4 GB of sources and objects that are of no use once everything is built.
drop_go_tree() {
    [[ -d $go_tree && -z ${E2E_KEEP_GO_CACHE:-} ]] || return 0
    chmod -R u+w "$go_tree"
    rm -rf "$go_tree"
}

build_hyperkube() {
    local source=$go_tree/hyperkube begun=$SECONDS flags out=$built/$hyperkube_key
    [[ ! -x $out ]] || return 0
    say "building Kubernetes $kubernetes_version (minutes, the first time)"
    rm -rf "$source"
    mkdir -p "$source"
    cp "$here"/hyperkube/*.go "$source/"
    write_go_mod "$source" || die "k8s.io/kubernetes v$kubernetes_version could not be fetched" \
        "is a Go module proxy reachable? 'go env GOPROXY' names it"
    (cd "$source" && go_build mod tidy) >"$out.log" 2>&1 ||
        die "the modules of Kubernetes could not be fetched" "see $out.log"
    # Without a version the programs call themselves v0.0.0, and clients refuse to work with that.
    flags="-s -w"
    flags+=" -X k8s.io/component-base/version.gitVersion=v$kubernetes_version"
    flags+=" -X k8s.io/component-base/version.gitMajor=${kubernetes_version%%.*}"
    flags+=" -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<"$kubernetes_version")"
    (cd "$source" && go_build build -trimpath -ldflags "$flags" -o "$out.new" .) \
        >>"$out.log" 2>&1 ||
        die "Kubernetes could not be built" "see $out.log"
    mv "$out.new" "$out"
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

# build_module NAME KEY PACKAGE@VERSION: one program of one module, as its authors pinned it.
build_module() {
    local begun=$SECONDS out=$built/$2
    [[ ! -x $out ]] || return 0
    say "building $1 (${3##*@})"
    mkdir -p "$go_tree/bin"
    # `go install` of another module knows no name of the result, only a directory.
    install_to=$go_tree/bin go_build install -trimpath -ldflags '-s -w' "$3" >"$out.log" 2>&1 ||
        die "$1 could not be built" "see $out.log"
    mv "$go_tree/bin/$1" "$out"
    say "$1 built in $((SECONDS - begun)) s"
}

build_tools() {
    local tool out=$built/$tools_key
    [[ ! -d $out ]] || return 0
    rm -rf "$out.new"
    mkdir -p "$out.new"
    for tool in delay pause; do
        (cd "$here/tools/$tool" && GO111MODULE=off go_build build -trimpath -ldflags '-s -w' \
            -o "$out.new/$tool" main.go) || die "$tool could not be built" "see above"
    done
    mv "$out.new" "$out"
}
