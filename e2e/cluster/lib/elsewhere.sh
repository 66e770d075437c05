# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The faults that any cluster can be given, through its API (E2E_KUBECONFIG, E2E_CLUSTER=kind).
# On kind, a host is a container, so it can be frozen, cut and powered off by Docker.

elsewhere_kubectl() {
    local file=${E2E_KUBECONFIG:-$cache/kind.kubeconfig}
    env kubectl --kubeconfig "$file" "$@"
}

ready_elsewhere() {
    [[ $(elsewhere_kubectl get node "$1" --request-timeout=5s -o \
        jsonpath='{.status.conditions[?(@.type=="Ready")].status}') == True ]]
}

not_ready_elsewhere() { ! ready_elsewhere "$1"; }

fault_elsewhere() {
    local what=$1
    shift
    case $what in
    drain)
        elsewhere_kubectl drain "$1" --ignore-daemonsets --delete-emptydir-data --force \
            --timeout="${E2E_DRAIN_TIMEOUT:-120s}"
        ;;
    undrain) elsewhere_kubectl uncordon "$1" ;;
    await-ready) await "${2:-60}" "$1 to be ready" ready_elsewhere "$1" ;;
    await-not-ready) await "${2:-90}" "$1 to be not ready" not_ready_elsewhere "$1" ;;
    *)
        [[ $cluster == kind ]] || not_here "$what"
        fault_of_kind "$what" "$@"
        ;;
    esac
}

# Each names the state that it asks for, so that a second time changes nothing.
fault_of_kind() {
    local state
    state=$(docker inspect -f '{{.State.Status}}' "${2:-}" 2>/dev/null || true)
    case $1:$state in
    freeze:running) docker pause "$2" >/dev/null ;;
    thaw:paused) docker unpause "$2" >/dev/null ;;
    cut:*) docker network disconnect kind "$2" 2>/dev/null || true ;;
    heal:*) docker network connect kind "$2" 2>/dev/null || true ;;
    power-cut:running | power-cut:paused) docker kill "$2" >/dev/null ;;
    boot:exited) docker start "$2" >/dev/null ;;
    freeze:paused | thaw:running | power-cut:exited | boot:running) ;;
    *) not_here "$1" ;;
    esac
}

not_here() {
    die "'$1' is not to be had on a cluster that is not our own" \
        "leave E2E_KUBECONFIG and E2E_CLUSTER out, on Linux, as root" 4
}
