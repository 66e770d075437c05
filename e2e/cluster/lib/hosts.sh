# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The hosts: each is a network namespace (lib/network.sh), a mount and a host name namespace, and a
# cgroup, in which containerd, a kubelet and a kube-proxy run.
#
# A host has /run, /var/lib and /var/log of its own, as a machine has: /var/lib and /var/log stay
# in $state/nodeN over a power cut, /run is empty after it. Everything else is the machine's.

# in_node NODE COMMAND…: with the host's network, mounts and name.
in_node() {
    local node=$1
    shift
    nsenter --net="/run/netns/$(namespace_of "$node")" -t "$(pid_of "$node")" -m -u "$@"
}

# on_node_ctr NODE ARGUMENT…: containerd's client, in the namespace that the kubelet uses.
on_node_ctr() {
    local node=$1
    shift
    in_node "$node" "$state/parts/debian/usr/bin/ctr" -n k8s.io "$@"
}

# start_host NODE: everything of one host; does nothing for what runs.
start_host() {
    local node=$1 parts_here=$state/parts
    make_group "$node"
    mkdir -p "$state/$node"/{var-lib/kubelet,var-log,etc}
    write_host_files "$node"
    launch "$node" "$node" "$(namespace_of "$node")" "$here/lib/host-init" "$node" "$state" "$parts"
    await 10 "the mounts of $node" host_is_mounted "$node"
    launch "$node-containerd" "$node" "$(namespace_of "$node"):$node" \
        env PATH="$parts_here/debian/usr/bin:$parts_here/debian/usr/sbin:$PATH" \
        containerd --config "$state/$node/etc/containerd.toml"
}

host_is_mounted() { in_node "$1" test -e /run/host-is-up; }

start_kubelet() {
    local node=$1 zone
    zone=zone-$(number_of "$node")
    await 20 "containerd of $node" on_node_ctr "$node" version
    launch "$node-kubelet" "$node" "$(namespace_of "$node"):$node" \
        env PATH="$state/parts/debian/usr/bin:$PATH" "$state/parts/kubelet" \
        --config="$state/$node/etc/kubelet.yaml" --kubeconfig="$pki/$node.kubeconfig" \
        --hostname-override="$node" --node-ip="$(address_of "$node")" \
        --node-labels="topology.kubernetes.io/zone=$zone"
    start_proxy "$node-proxy" "$node" "$(namespace_of "$node"):$node" "$node"
}

write_host_files() {
    local etc=$state/$1/etc
    mkdir -p "$etc/cni"
    # ptp, not bridge: every packet between pods is routed, so services work between two pods of one
    # host on kernels without br_netfilter too. Leases of addresses end with a boot, as /run does.
    cat >"$etc/cni/10-pods.conflist" <<EOF_CNI
{ "cniVersion": "0.4.0", "name": "pods", "plugins": [ {
    "type": "ptp",
    "ipam": {
      "type": "host-local", "dataDir": "/run/cni/networks",
      "ranges": [[{ "subnet": "$(pods_of "$1")" }]], "routes": [{ "dst": "0.0.0.0/0" }]
    }
} ] }
EOF_CNI
    # restrict_oom_score_adj: where root lacks CAP_SYS_RESOURCE no container starts without it.
    cat >"$etc/containerd.toml" <<EOF_CONTAINERD
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$state/parts/debian/cni"
    conf_dir = "$etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      BinaryName = "$state/parts/debian/usr/sbin/runc"
EOF_CONTAINERD
    write_kubelet_config "$1" >"$etc/kubelet.yaml"
}

write_kubelet_config() {
    # Nobody outside these namespaces reaches a kubelet, so it asks no one for a certificate.
    cat <<EOF_KUBELET
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $(address_of "$1")
authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
tlsCertFile: $pki/$1.crt
tlsPrivateKeyFile: $pki/$1.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup_top/$1
clusterDNS: [$control_ip]
clusterDomain: cluster.local
resolvConf: $state/resolv.conf
volumePluginDir: /var/lib/kubelet/plugins-exec
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
serializeImagePulls: false
imageGCHighThresholdPercent: 100
evictionHard: { memory.available: 1Mi, nodefs.available: 1%, imagefs.available: 1% }
EOF_KUBELET
}

node_is_ready() {
    [[ $(kubectl get node "$1" --request-timeout=5s -o \
        jsonpath='{.status.conditions[?(@.type=="Ready")].status}') == True ]]
}

node_is_not_ready() { ! node_is_ready "$1"; }

nodes_are_ready() {
    local node states ready='{.status.conditions[?(@.type=="Ready")].status}'
    states=$(kubectl get nodes --request-timeout=5s -o \
        jsonpath="{range .items[*]}{.metadata.name}=$ready {end}")
    for node in "${nodes[@]}"; do
        [[ $states == *"$node=True"* ]] || return 1
    done
}

host_is_up() { pid_of "$1" >/dev/null && pid_of "$1-kubelet" >/dev/null; }

everything_runs() {
    local file
    for file in "$state"/pid/*; do
        pid_of "${file##*/}" >/dev/null || return 1
    done
    nodes_are_ready
}

# stop_host NODE: every process of it at one instant, then its groups. Its disk stays.
stop_host() {
    local name
    kill_group "$1"
    for name in "$1" "$1-containerd" "$1-kubelet" "$1-proxy"; do
        rm -f "$state/pid/$name"
    done
    remove_groups "$1"
}
