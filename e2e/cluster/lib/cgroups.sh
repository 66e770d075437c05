# shellcheck shell=bash
# Cgroups of the cluster: all under `ixk`, in every hierarchy of v1 or in the one of v2.
#
# A process joins `ixk/control` or `ixk/nodeN` when it starts. So a host can be frozen, and found
# whole, by its group: containerd, kubelet, the shims and every pod are below it.

cgroup_root=/sys/fs/cgroup
cgroup_top=ixk

cgroup_v2() { [[ -f $cgroup_root/cgroup.controllers ]]; }

# The hierarchies, one path a line.
hierarchies() {
    local directory
    if cgroup_v2; then
        echo "$cgroup_root"
    else
        for directory in "$cgroup_root"/*/; do
            # Links such as cpu,cpuacct lead to another one of the list.
            [[ -L ${directory%/} ]] || echo "${directory%/}"
        done
    fi
}

# Where processes of a group are members: v2 allows none in a group that has controllers below.
members_of() {
    if cgroup_v2; then
        echo "$cgroup_root/$cgroup_top/$1/system"
    else
        echo "$cgroup_root/freezer/$cgroup_top/$1"
    fi
}

freezer_of() {
    if cgroup_v2; then
        echo "$cgroup_root/$cgroup_top/$1"
    else
        echo "$cgroup_root/freezer/$cgroup_top/$1"
    fi
}

# make_group NAME: `ixk/NAME` in every hierarchy, ready to be joined.
make_group() {
    local hierarchy group
    while read -r hierarchy; do
        for group in "$hierarchy/$cgroup_top" "$hierarchy/$cgroup_top/$1"; do
            mkdir -p "$group"
            if [[ -f $group/cpuset.cpus ]] && ! cgroup_v2; then
                # A new cpuset of v1 is empty, and nothing can join an empty one.
                cat "${group%/*}/cpuset.cpus" >"$group/cpuset.cpus"
                cat "${group%/*}/cpuset.mems" >"$group/cpuset.mems"
            elif cgroup_v2; then
                enable_controllers "${group%/*}"
            fi
        done
    done < <(hierarchies)
    if cgroup_v2; then
        enable_controllers "$cgroup_root/$cgroup_top/$1"
        mkdir -p "$(members_of "$1")"
    fi
}

enable_controllers() {
    local controller
    for controller in $(<"$1/cgroup.controllers"); do
        echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
    done
}

join_group() { echo "$2" >"$(members_of "$1")/cgroup.procs"; }

# Every process of a group and of the groups below it.
pids_in() {
    local group
    group=$(freezer_of "$1")
    [[ -d $group ]] || return 0
    find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

is_empty() { [[ -z $(pids_in "$1") ]]; }

# has_state GROUP V2 V1: whether it is as one or the other version calls it.
has_state() {
    local group
    group=$(freezer_of "$1")
    if cgroup_v2; then
        grep -q "^$2\$" "$group/cgroup.events"
    else
        [[ $(cat "$group/freezer.state") == "$3" ]]
    fi
}

is_frozen() { has_state "$1" "frozen 1" FROZEN; }

is_thawed() { has_state "$1" "frozen 0" THAWED; }

freeze_group() {
    if cgroup_v2; then
        echo 1 >"$(freezer_of "$1")/cgroup.freeze"
    else
        echo FROZEN >"$(freezer_of "$1")/freezer.state"
    fi
    await 10 "freezing $1" is_frozen "$1"
}

thaw_group() {
    if cgroup_v2; then
        echo 0 >"$(freezer_of "$1")/cgroup.freeze"
    else
        echo THAWED >"$(freezer_of "$1")/freezer.state"
    fi
    await 10 "thawing $1" is_thawed "$1"
}

# kill_group NAME: ends every process at one instant: frozen first, so that none acts on the death
# of another. A frozen process of v1 takes its SIGKILL when it is thawed, before its own code.
kill_group() {
    local pids
    [[ -d $(freezer_of "$1") ]] || return 0
    freeze_group "$1"
    end_connections "$1"
    mapfile -t pids < <(pids_in "$1")
    ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
    thaw_group "$1"
    await 20 "ending every process of $1" is_empty "$1"
}

# A connection that outlives its process goes on trying for minutes where nobody answers, and keeps
# its network namespace, with every cable in it, for as long. So connections end before processes.
end_connections() {
    local pid namespace seen=' '
    for pid in $(pids_in "$1"); do
        namespace=$(readlink "/proc/$pid/ns/net") || continue
        [[ $seen != *" $namespace "* ]] || continue
        seen+="$namespace "
        nsenter --net="/proc/$pid/ns/net" ss --kill --tcp state connected >/dev/null 2>&1 || true
    done
}

# remove_groups NAME: the groups below `ixk/NAME` and itself; without a name all of `ixk`.
remove_groups() {
    local hierarchy group
    while read -r hierarchy; do
        group=$hierarchy/$cgroup_top${1:+/$1}
        [[ -d $group ]] || continue
        await 10 "removing $group" remove_group_tree "$group"
    done < <(hierarchies)
}

# A group can be busy for a moment after its last process is gone.
remove_group_tree() {
    [[ ! -d $1 ]] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [[ ! -d $1 ]]
}
