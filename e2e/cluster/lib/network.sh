# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The network: one namespace for the control plane and one a host, on a bridge, with no way out.
#
#   ixk   br0 10.89.0.1/24   control plane, CoreDNS, the tests
#   ixnN  10.89.0.1N         host nodeN, its pods 10.244.N.0/24
#
# Services are 10.96.0.0/16. Nothing here can reach, or clash with, an address of the machine.

control_ip=10.89.0.1
service_range=10.96.0.0/16
pod_range=10.244.0.0/16

number_of() { echo "${1#node}"; }
namespace_of() { echo "ixn${1#node}"; }
address_of() { echo "10.89.0.1${1#node}"; }
pods_of() { echo "10.244.${1#node}.0/24"; }
port_of() { echo "ixv${1#node}"; }

# in_host NODE COMMAND…: in the host's network only. `ip netns exec` would hide /sys/fs/cgroup.
in_host() {
    local node=$1
    shift
    nsenter --net="/run/netns/$(namespace_of "$node")" "$@"
}

make_namespace() {
    ip netns add "$1"
    # shellcheck disable=SC2016 # expanded by the inner shell
    # Forwarding and its kin are of the namespace; the machine's own stay as they are.
    nsenter --net="/run/netns/$1" sh -c '
        echo 1 >/proc/sys/net/ipv4/ip_forward
        for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >"$file"; done
        ip link set lo up'
}

make_network() {
    local node
    make_namespace ixk
    in_control ip link add br0 type bridge
    in_control ip address add "$control_ip/24" dev br0
    in_control ip link set br0 up
    # Service addresses leave by the bridge, so that the kube-proxy of ixk sees and turns them.
    in_control ip route add "$service_range" dev br0
    for node in "${nodes[@]}"; do
        make_host_network "$node"
    done
}

make_host_network() {
    local node=$1 other namespace port
    namespace=$(namespace_of "$node")
    port=$(port_of "$node")
    make_namespace "$namespace"
    in_control ip link add "$port" type veth peer name eth0 netns "$namespace"
    in_control ip link set "$port" master br0 up
    in_host "$node" ip address add "$(address_of "$node")/24" dev eth0
    in_host "$node" ip link set eth0 up
    # A default route, since programs look for one to find their own address. It leads to ixk,
    # which has none itself.
    in_host "$node" ip route add default via "$control_ip"
    in_control ip route replace "$(pods_of "$node")" via "$(address_of "$node")"
    for other in "${nodes[@]}"; do
        [[ $other == "$node" ]] ||
            in_host "$node" ip route add "$(pods_of "$other")" via "$(address_of "$other")"
    done
}

remove_network() {
    local node
    for node in "${nodes[@]}"; do
        remove_namespace "$(namespace_of "$node")"
    done
    remove_namespace ixk
}

remove_namespace() { [[ ! -e /run/netns/$1 ]] || ip netns del "$1"; }

network_is_foreign() {
    local name
    for name in ixk ixn1 ixn2 ixn3; do
        [[ ! -e /run/netns/$name ]] || { echo "$name"; return 0; }
    done
    return 1
}
