# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The same three hosts by kind, where Docker and kind are installed (E2E_CLUSTER=kind).

kind_name=interrex-e2e
kind_kubeconfig=$cache/kind.kubeconfig

require_kind() {
    command -v kind >/dev/null ||
        die "E2E_CLUSTER=kind, and there is no kind on this machine" \
            "install it, or leave E2E_CLUSTER out: on Linux, root needs no kind"
    docker info >/dev/null 2>&1 ||
        die "kind needs Docker, and no Docker engine answers" "start it, or leave E2E_CLUSTER out"
}

kind_up() {
    local archive
    require_kind
    mkdir -p "$cache"
    if ! kind get clusters 2>/dev/null | grep -x "$kind_name" >/dev/null; then
        kind create cluster --name "$kind_name" --kubeconfig "$kind_kubeconfig" --wait 120s \
            --image "kindest/node:v$kubernetes_version" --config "$here/manifests/kind.yaml" >&2 ||
            die "kind made no cluster" "kind delete cluster --name $kind_name, and try again"
    fi
    for archive in "$images"/*.tar; do
        [[ ! -f $archive ]] ||
            kind load image-archive --name "$kind_name" "$archive" >&2 ||
            die "$archive could not be loaded" "see above"
    done
    echo "$kind_kubeconfig"
}

kind_down() {
    require_kind
    kind delete cluster --name "$kind_name" --kubeconfig "$kind_kubeconfig" >&2
    rm -f "$kind_kubeconfig"
}
