# shellcheck shell=bash
# What every command of the test cluster shares: places, words, waiting, and long-running processes.
#
# A command sources this file first; it sources the others that it needs by `need NAME…`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../versions.sh
source "$here/versions.sh"

# Built parts: survive `down`, shared by every tree of this user. Remove it to start over.
cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/interrex/e2e
# All of the running cluster: gone after `down`. One cluster a machine, so one fixed place.
# Not under /run, /var/lib or /var/log, of which each host has its own (lib/hosts.sh).
state=/var/cache/interrex-e2e
kubeconfig=$state/kubeconfig
nodes=(node1 node2 node3)

say() { echo "e2e: $*" >&2; }

# die WHAT HINT [CODE]: what is wrong and the way out.
die() {
    echo "e2e: error: $1" >&2
    echo "e2e: hint: $2" >&2
    exit "${3:-1}"
}

need() {
    local name
    for name in "$@"; do
        # shellcheck source=/dev/null
        source "$here/lib/$name.sh"
    done
}

# Milliseconds of a clock that nobody sets.
now_ms() {
    local up rest
    read -r up rest </proc/uptime
    echo $((${up/./} * 10))
}

# await SECONDS WHAT COMMAND…: runs the command until it succeeds; dies with WHAT at the deadline.
await() {
    local deadline=$((SECONDS + $1)) what=$2 looks=0
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS <= deadline)) || die "$what: not within its deadline" "the logs are in $state/log"
        pause $((++looks))
    done
}

# The pause between two looks at a condition, without starting a process: 50 ms, and 200 ms after
# ten looks, since looking costs the processor that the other side needs to get there.
exec {never}<> <(:)
pause() {
    local seconds=0.05
    ((${1:-0} <= 10)) || seconds=0.2
    read -r -t "$seconds" -u "$never" || true
}

# --- long-running processes -------------------------------------------------------------------
#
# One file a process in $state/pid: its id and the tick at which it started, so that an id that the
# kernel has handed to somebody else since is never signalled.

started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) } # the name may hold blanks; field 22 is the 20th after it
    # shellcheck disable=SC2086 # words
    set -- $stat
    echo "${20}"
}

record() { echo "$2 $(started_at "$2")" >"$state/pid/$1"; }

# pid_of NAME: prints the id of a recorded process that is alive, fails when there is none.
pid_of() {
    local pid tick
    { read -r pid tick <"$state/pid/$1"; } 2>/dev/null || return 1
    [[ $(started_at "$pid") == "$tick" && $(process_state "$pid") != Z ]] || return 1
    echo "$pid"
}

process_state() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    echo "${stat%% *}"
}

# launch NAME CGROUP NAMESPACE[:HOST] COMMAND…: starts a process that outlives this script. HOST
# is a recorded process whose mounts and host name it gets. Does nothing when it runs.
launch() {
    local name=$1 group=$2 namespace=${3%%:*} host=${3#*:} within=()
    shift 3
    pid_of "$name" >/dev/null && return
    [[ $host == "$namespace" ]] || within=(-t "$(pid_of "$host")" -m -u)
    (
        join_group "$group" "$BASHPID"
        exec setsid nsenter --net="/run/netns/$namespace" ${within[@]+"${within[@]}"} "$@"
    ) </dev/null >>"$state/log/$name.log" 2>&1 9>&- &
    record "$name" $!
    disown $!
}

# halt NAME SECONDS SIGNAL: ends a recorded process, by force at the deadline.
halt() {
    local pid deadline=$((SECONDS + $2))
    pid=$(pid_of "$1") || { rm -f "$state/pid/$1"; return 0; }
    kill "-$3" "$pid" 2>/dev/null || true
    while pid_of "$1" >/dev/null; do
        ((SECONDS <= deadline)) || kill -KILL "$pid" 2>/dev/null || true
        pause
    done
    rm -f "$state/pid/$1"
}

# --- who may, and which cluster ---------------------------------------------------------------

cluster_kind() {
    if [[ -n ${E2E_KUBECONFIG:-} ]]; then
        echo given
    elif [[ ${E2E_CLUSTER:-own} == kind ]]; then
        echo kind
    elif [[ ${E2E_CLUSTER:-own} == own ]]; then
        echo own
    else
        die "E2E_CLUSTER=$E2E_CLUSTER is no kind of cluster" "set it to kind, or leave it out"
    fi
}

# Where the cluster comes from: `given` (E2E_KUBECONFIG), `kind`, or `own`.
cluster=$(cluster_kind)

require_root() {
    [[ $(uname -s) == Linux ]] ||
        die "the test cluster needs Linux, this is $(uname -s)" \
            "set E2E_KUBECONFIG to a cluster of yours, or E2E_CLUSTER=kind"
    [[ $(id -u) -eq 0 ]] ||
        die "the test cluster needs root (namespaces, mounts, cgroups), this is $(id -un)" \
            "run it by 'sudo -E', or set E2E_KUBECONFIG, or E2E_CLUSTER=kind"
}

require_running() {
    [[ -f $state/ready ]] || die "no test cluster is up" "run 'make e2e-cluster'"
}

# Only one command changes the cluster at a time.
lock() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -w "${1:-900}" 9 || die "another command holds $cache/lock" "wait for it to end"
}

kubectl() { in_control "$parts/kubectl" --kubeconfig "$kubeconfig" "$@"; }
in_control() { nsenter --net=/run/netns/ixk "$@"; }
