# shellcheck shell=bash disable=SC2154 # variables of base.sh
# Faults of hosts, of the API server and of containers. Each ends when its effect can be seen,
# within a deadline, and does nothing when the effect is there already.

# --- hosts ------------------------------------------------------------------------------------

fault_freeze() {
    host_is_up "$1" || die "$1 is without power" "fault boot $1"
    freeze_group "$1"
}

fault_thaw() { [[ ! -d $(freezer_of "$1") ]] || thaw_group "$1"; }

# The host's cable is out: nothing in, nothing out; its pods still reach each other.
fault_cut() {
    host_is_up "$1" || die "$1 is without power" "fault boot $1"
    in_control ip link set "$(port_of "$1")" down
    await 5 "cutting $1" port_is_down "$1"
}

fault_heal() {
    host_is_up "$1" || die "$1 is without power" "fault boot $1"
    in_control ip link set "$(port_of "$1")" up
    in_host "$1" nft delete table inet cut_api 2>/dev/null || true
    in_host "$1" nft delete table inet cut_peers 2>/dev/null || true
    await 10 "healing $1" reaches_control "$1"
}

# The host and its pods lose the API server; names, other hosts and clients stay.
fault_cut_api() {
    cut_by_rules "$1" cut_api 'tcp dport 6443 drop' 'tcp sport 6443 drop'
}

# The host and its pods lose the other hosts and their pods; API server, names, and clients in the
# namespace of the tests stay.
fault_cut_peers() {
    local other there='' and=''
    for other in "${nodes[@]}"; do
        [[ $other != "$1" ]] || continue
        there+="$and$(address_of "$other"), $(pods_of "$other")"
        and=', '
    done
    cut_by_rules "$1" cut_peers "ip daddr { $there } drop" "ip saddr { $there } drop"
}

# cut_by_rules NODE TABLE OUT IN: looks at packets whose service addresses are turned already.
cut_by_rules() {
    in_host "$1" nft -f - <<EOF_RULES
table inet $2
delete table inet $2
table inet $2 {
    chain out { type filter hook postrouting priority 90; $3; }
    chain in { type filter hook prerouting priority -90; $4; }
}
EOF_RULES
    await 5 "cutting $1" in_host "$1" nft list table inet "$2"
}

# Power off: silent in one instant. The cable goes first, since a process that dies still says
# goodbye to its peers.
fault_power_cut() {
    in_control ip link delete "$(port_of "$1")" 2>/dev/null || true
    await 5 "cutting $1" no_port "$1"
    stop_host "$1"
    remove_namespace "$(namespace_of "$1")"
}

# Power on: the disk as it was, everything else new.
fault_boot() {
    [[ -e /run/netns/$(namespace_of "$1") ]] || make_host_network "$1"
    start_host "$1"
    start_kubelet "$1"
}

no_port() { ! in_control ip link show "$(port_of "$1")"; }
port_is_down() { ! in_control ip -o link show "$(port_of "$1")" | grep '[<,]UP[,>]' >/dev/null; }
reaches_control() { in_host "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$control_ip/53"; }

# --- the API server ---------------------------------------------------------------------------

fault_api_stop() {
    stop_apiserver
    await 5 "stopping the API server" apiserver_is_gone
}

fault_api_start() {
    start_apiserver
    await 60 "the API server" apiserver_is_ready
}

# A slow network in front of the API server. Open connections are reset, so that they come back
# through the delay, and again when it ends.
fault_api_slow() {
    halt delay 1 TERM
    launch delay control ixk "$parts/delay" :6444 127.0.0.1:6443 "$1"
    await 5 "the delay of $1" in_control bash -c 'exec 3<>/dev/tcp/127.0.0.1/6444'
    in_control nft -f - <<EOF_RULES
table ip slow
delete table ip slow
table ip slow {
    chain arriving {
        type nat hook prerouting priority -110;
        ip daddr $control_ip tcp dport 6443 redirect to :6444
    }
    chain leaving {
        type nat hook output priority -110;
        ip daddr $control_ip tcp dport 6443 redirect to :6444
    }
}
EOF_RULES
    reset_api_connections
}

fault_api_fast() {
    in_control nft delete table ip slow 2>/dev/null || true
    halt delay 1 TERM
    reset_api_connections
    await 20 "the API server" apiserver_is_ready
}

# Both ends: the server's sockets are in ixk, and those of clients outside ixk get its reset.
reset_api_connections() {
    in_control ss --kill --tcp state established '( sport = 6443 )' >/dev/null
}

# --- pods, containers, engines ----------------------------------------------------------------

# find_container NAMESPACE POD CONTAINER: prints the host and the id of one that runs, as containerd
# knows it: works while the API server is stopped. CONTAINER may be empty: the first of the pod.
find_container() {
    local node id filter="labels.\"io.kubernetes.pod.namespace\"==$1"
    filter+=",labels.\"io.kubernetes.pod.name\"==$2,labels.\"io.cri-containerd.kind\"==container"
    [[ -z $3 ]] || filter+=",labels.\"io.kubernetes.container.name\"==$3"
    for node in "${nodes[@]}"; do
        # A frozen containerd never answers.
        if ! host_is_up "$node" || is_frozen "$node"; then
            continue
        fi
        for id in $(on_node_ctr "$node" containers list -q "$filter"); do
            ! container_runs "$node" "$id" || { echo "$node $id"; return 0; }
        done
    done
    return 1
}

# All of the list is read: one that is cut short fails its writer, and with it the pipe.
container_runs() { on_node_ctr "$1" tasks list | grep "^$2 .*RUNNING" >/dev/null; }
container_is_gone() { ! container_runs "$@"; }

fault_kill_container() {
    local found
    found=$(find_container "$@") ||
        die "no container ${3:-} of pod $1/$2 runs on a host that works" "kubectl -n $1 get pods"
    # shellcheck disable=SC2086 # host and id
    set -- $found
    on_node_ctr "$1" tasks kill --all --signal SIGKILL "$2"
    await 10 "killing container $2" container_is_gone "$1" "$2"
}

# The engine's process alone, under an agent or as the first of its container: whoever started it
# sees it die. A Sentinel is the same program: where there is one, the container must be named.
fault_kill_engine() {
    local pids pid
    mapfile -t pids < <(engine_pids "$@")
    ((${#pids[@]} > 0)) || die "no engine runs in pod $1/$2" "kubectl -n $1 logs $2"
    for pid in "${pids[@]}"; do
        kill -KILL "$pid"
        await 5 "killing process $pid" process_is_gone "$pid"
        say "killed engine process $pid of $1/$2"
    done
}

# Pods are ordinary processes of the machine; the pod is known by the cgroup that names its id.
engine_pids() {
    local node id pid found
    found=$(find_container "$1" "$2" "${3:-}") || return 0
    read -r node id <<<"$found"
    for pid in $(on_node_ctr "$node" tasks ps "$id" | awk 'NR > 1 { print $1 }'); do
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
        redis-server | valkey-server) echo "$pid" ;;
        esac
    done
}

process_is_gone() { [[ ! -e /proc/$1 || $(process_state "$1") == Z ]]; }

fault_drain() {
    kubectl drain "$1" --ignore-daemonsets --delete-emptydir-data --force \
        --timeout="${E2E_DRAIN_TIMEOUT:-120s}"
}

fault_undrain() { kubectl uncordon "$1"; }
