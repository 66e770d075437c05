# shellcheck shell=bash disable=SC2154 # variables of base.sh
# What the machine must be able to do, said in words before anything is started.

check_machine() {
    local missing
    # shellcheck disable=SC2016 # expanded by nobody
    # One probe in a namespace of its own; it prints what it could not do. nft may come later.
    missing=$(unshare --net --mount sh -c '
        ip link add ixprobe type bridge || echo bridge
        ip link add ixprobe1 type veth peer name ixprobe2 || echo veth
        ! command -v nft >/dev/null || nft add table ip ixprobe "{ chain c {
            type nat hook postrouting priority 0; masquerade; }; }" || echo nf_tables' \
        2>/dev/null) ||
        die "root may make no namespaces here" \
            "in a container: run it privileged (CAP_SYS_ADMIN and CAP_NET_ADMIN)"
    [[ -z $missing ]] || die "this kernel lacks ${missing//$'\n'/, }" "modprobe ${missing//$'\n'/ }"
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
        die "this kernel has no overlay file system" "modprobe overlay"
    check_cgroups
}

check_cgroups() {
    local controller
    if cgroup_v2; then
        for controller in cpu memory pids; do
            grep -qw "$controller" "$cgroup_root/cgroup.controllers" ||
                die "this machine's cgroups have no $controller controller" \
                    "in a container: run it with a cgroup namespace of its own, privileged"
        done
        return
    fi
    for controller in cpu cpuacct cpuset memory pids devices freezer; do
        [[ -d $cgroup_root/$controller ]] ||
            die "no $cgroup_root/$controller on this machine" \
                "mount it: mount -t cgroup -o $controller cgroup $cgroup_root/$controller"
    done
}

# check_places: whether what the cluster will make is there already, made by somebody else.
check_places() {
    local found hierarchy
    if found=$(network_is_foreign); then
        die "a network namespace $found exists, and it is not ours" \
            "'ip netns del $found' if nobody needs it"
    fi
    while read -r hierarchy; do
        [[ ! -d $hierarchy/$cgroup_top ]] ||
            die "a cgroup $hierarchy/$cgroup_top exists, and it is not ours" \
                "remove it (rmdir) if nobody needs it"
    done < <(hierarchies)
    [[ ! -e $state ]] || die "$state exists, and it is not ours" "remove it if nobody needs it"
}
