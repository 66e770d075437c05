# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The rows of the self-test: what it looks at, how long it took, and the table.

passed=0
failed=0
table=()
rest=

# row WHAT WANTED COMMAND…: tries the command until it succeeds, for 60 s at most, and times it.
row() {
    local what=$1 wanted=$2 begun output code=0
    shift 2
    begun=$(now_ms)
    output=$(mktemp)
    # shellcheck disable=SC2094 # both only write, one after the other
    (trap - EXIT; await 60 "$what" try "$output" "$@") 2>>"$output" || code=$?
    judge "$what" "$wanted" "$code" $(($(now_ms) - begun)) "$output"
}

# A command of ours that fails is not tried again: only looks at a condition are.
try() {
    local output=$1
    shift
    if [[ $1 == "$here"/* ]]; then
        "$@" >"$output" 2>&1 || exit 1
    else
        "$@" >"$output" 2>&1
    fi
}

# fault NAME ARGUMENT… :: CONDITION…: breaks or mends, and times both the command and its effect.
fault() {
    local command=() begun output code=0 done_ms
    while [[ $1 != :: ]]; do
        command+=("$1")
        shift
    done
    shift
    [[ ${command[0]} != drain ]] || drained=${command[1]}
    output=$(mktemp)
    begun=$(now_ms)
    "$here/fault" "${command[@]}" >"$output" 2>&1 || code=$?
    done_ms=$(($(now_ms) - begun))
    if ((code == 0)); then
        (trap - EXIT; await 60 "${command[*]}" "$@") >>"$output" 2>&1 || code=$?
    fi
    judge "fault ${command[*]}" "done in $done_ms ms; then $*" "$code" \
        $(($(now_ms) - begun)) "$output"
    # Whatever the state is: the same again changes nothing, except that it kills once more.
    if [[ ${command[0]} != kill-* ]] && ! "$here/fault" "${command[@]}" >"$output" 2>&1; then
        judge "fault ${command[*]}, again" "does nothing" 1 0 "$output"
    fi
    rm -f "$output"
}

judge() {
    local verdict=ok
    if (($3 == 0)); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        verdict=FAILED
        say "FAILED: $1: $(tail -n 3 "$5")"
    fi
    table+=("$(printf '%-6s %7s ms  %-36s %s' "$verdict" "$4" "$1" "$2")")
    say "${table[-1]}"
    rm -f "$5"
}

finish() {
    local code=$?
    printf '\n%s\n' "what was tried, how long until it was seen, what was wanted"
    printf '%s\n' ${table[@]+"${table[@]}"}
    [[ -z $rest ]] || echo "$rest"
    if ((failed > 0 || code > 0)); then
        say "the cluster is left as it is: e2e/cluster/enter kubectl get all -A; logs: $state/log"
    fi
    echo "$passed passed, $failed failed"
    ((failed == 0 && code == 0)) || exit 1
}

# --- conditions -------------------------------------------------------------------------------

of_pod() { kubectl -n selftest get pod "$1" --request-timeout=5s -o jsonpath="{$2}"; }
node_of_pod() { of_pod "$1" .spec.nodeName; }
address_of_pod() { of_pod "$1" .status.podIP; }
in_pod() { kubectl -n selftest exec "$1" --request-timeout=10s -- "${@:2}"; }

engines_ready() {
    sed 's|IMAGE|redis:7.0|' "$here/manifests/selftest.yaml" | kubectl apply -f - &&
        kubectl -n selftest rollout status statefulset/engine --timeout=60s &&
        [[ $(kubectl -n selftest get pods -o jsonpath='{.items[*].spec.nodeName}' |
            tr ' ' '\n' | sort | tr '\n' ' ') == "node1 node2 node3 " ]] &&
        in_pod engine-0 redis-cli set kept yes && in_pod engine-1 redis-cli set kept yes
}

# answers WHERE: whether an engine says PONG to the namespace of the tests, names included.
answers() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    "$here/enter" timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/6379"; printf "PING\r\n" >&3
        read -r -u 3 line; [[ $line == +PONG* ]]' "$1"
}

silent() { ! answers "$1"; }
looks_up() {
    in_pod engine-0 nslookup engine-1.engine-peers.selftest.svc.cluster.local |
        grep -qF "$(address_of_pod engine-1)"
}
# Each of the three in turn, so also the asking pod itself: by the service, and back to where it is.
reaches_itself() {
    local count
    count=$(in_pod engine-0 sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        timeout 1 redis-cli -h engine info server | grep run_id; done' | sort -u | wc -l)
    ((count == 3))
}
speaks() {
    kubectl -n selftest logs engine-0 | grep 'Ready to accept connections' >/dev/null &&
        [[ $(in_pod engine-0 id -u) == 999 ]]
}
may_not() {
    [[ $(kubectl auth can-i list secrets -n selftest --quiet=false \
        --as=system:serviceaccount:selftest:default 2>&1) == no* ]]
}
grows() {
    kubectl -n selftest patch pvc data-engine-0 --type merge \
        -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' &&
        "$here/volumes" grow &&
        [[ $(kubectl -n selftest get pvc data-engine-0 -o jsonpath='{.status.capacity.storage}') \
            == 2Gi ]]
}
loses_api() { ! in_host "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$control_ip/6443"; }
finds_api() { in_host "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$control_ip/6443"; }
pod_answers() { in_pod "$1" timeout 2 redis-cli -h "$2" ping | grep PONG >/dev/null; }
pod_silent() { ! pod_answers "$@"; }
restarted() { (($(of_pod "$1" '.status.containerStatuses[0].restartCount') >= $2)); }
api_silent() { ! kubectl get --raw /readyz --request-timeout=2s; }

took_ms() {
    local begun
    begun=$(now_ms)
    kubectl get --raw /readyz --request-timeout=10s >/dev/null || return 1
    echo $(($(now_ms) - begun))
}
slower_than() { local ms; ms=$(took_ms) && ((ms > $1)); }
faster_than() { local ms; ms=$(took_ms) && ((ms < $1)); }

pod_ready_again() {
    [[ $(of_pod "$1" '.status.conditions[?(@.type=="Ready")].status') == True ]] &&
        answers "$(address_of_pod "$1")"
}
# Evicted: away, or a new pod of that name that waits for a host.
pod_gone() { [[ $(of_pod "$1" .status.phase 2>/dev/null) != Running ]]; }
has_key() { [[ $(in_pod "$1" redis-cli get kept) == yes ]]; }

# --- at rest, and afterwards ------------------------------------------------------------------

all_pids() {
    local group
    for group in control "${nodes[@]}"; do
        pids_in "$group"
    done
}

# Ticks of processor time of every process of the cluster.
ticks() {
    local pid total=0 stat
    for pid in $(all_pids); do
        stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        stat=${stat##*) }
        # shellcheck disable=SC2086 # words
        set -- $stat
        total=$((total + ${12} + ${13}))
    done
    echo "$total"
}

# The share of a core and the memory of everything, three engines included, over 10 s.
at_rest() {
    local before begun after kilobytes
    begun=$(now_ms)
    before=$(ticks)
    read -r -t 10 -u "$never" || true
    after=$(ticks)
    kilobytes=$(for pid in $(all_pids); do
        sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null || true
    done | awk '{ sum += $1 } END { print sum }')
    rest="at rest: $(((after - before) * 1000 / ($(now_ms) - begun))) % of a core,"
    rest+=" $((kilobytes / 1024)) MB of memory, $(all_pids | wc -l) processes"
}

nothing_left() {
    local found=0 left
    for left in /run/netns/ix* "$cgroup_root"/*/"$cgroup_top" "$cgroup_root/$cgroup_top" \
        "$state"; do
        [[ ! -e $left ]] || { echo "left: $left"; found=1; }
    done
    ! grep -F "$state" /proc/[0-9]*/mountinfo 2>/dev/null || found=1
    # By what they were called with; this very process is not one of them.
    ! grep -lzE "^($parts|$state)/" /proc/[0-9]*/cmdline 2>/dev/null || found=1
    return $found
}
