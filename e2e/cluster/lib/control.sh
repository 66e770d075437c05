# shellcheck shell=bash disable=SC2154 # variables of base.sh
# The control plane, in namespace ixk: keys, etcd, API server, controllers, scheduler, CoreDNS and a
# kube-proxy, so that service addresses work for the tests too.

pki=$state/pki

# --- keys -------------------------------------------------------------------------------------

# Elliptic keys, since RSA ones take longer to make than the rest of the start.
make_keys() {
    local node
    mkdir -p "$pki"
    chmod 0700 "$pki"
    new_key ca
    openssl req -x509 -new -key "$pki/ca.key" -subj "/CN=interrex-e2e" -days 3650 \
        -addext 'keyUsage=critical,keyCertSign,digitalSignature' -out "$pki/ca.crt"
    new_key service-accounts
    openssl pkey -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub"
    sign apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:$control_ip,IP:127.0.0.1"
    for node in "${nodes[@]}"; do
        sign "$node" "DNS:$node,IP:$(address_of "$node")"
    done
}

new_key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/$1.key" \
        2>/dev/null || openssl ecparam -genkey -name prime256v1 -noout -out "$pki/$1.key"
}

# sign NAME NAMES: a server's certificate for the names and addresses.
sign() {
    new_key "$1"
    openssl req -new -key "$pki/$1.key" -subj "/CN=$1" -addext "subjectAltName=$2" |
        openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 3650 \
            -copy_extensions copy -out "$pki/$1.crt" 2>/dev/null
}

# One token a user; the groups are those that Kubernetes' own roles are bound to.
make_users() {
    local user group
    : >"$pki/tokens.csv"
    chmod 0600 "$pki/tokens.csv"
    while read -r user group; do
        local token
        token=$(openssl rand -hex 16)
        echo "$token,$user,$user,\"$group\"" >>"$pki/tokens.csv"
        write_kubeconfig "$pki/${user##*:}.kubeconfig" "$user" "$token"
    done <<EOF_USERS
admin system:masters
system:kube-controller-manager
system:kube-scheduler
system:kube-proxy
system:coredns
$(printf 'system:node:%s system:nodes\n' "${nodes[@]}")
EOF_USERS
    (umask 077 && cp "$pki/admin.kubeconfig" "$kubeconfig")
}

write_kubeconfig() {
    cat >"$1" <<EOF_KUBECONFIG
apiVersion: v1
kind: Config
clusters:
- name: interrex-e2e
  cluster:
    server: https://$control_ip:6443
    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
users:
- name: $2
  user: { token: $3 }
contexts:
- name: interrex-e2e
  context: { cluster: interrex-e2e, user: "$2" }
current-context: interrex-e2e
EOF_KUBECONFIG
    chmod 0600 "$1"
}

# --- processes --------------------------------------------------------------------------------

start_etcd() {
    # No fsync: the cluster never outlives its machine, and disks of test machines are slow.
    launch etcd control ixk "$parts/debian/usr/bin/etcd" --data-dir "$state/etcd" \
        --unsafe-no-fsync --logger zap --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
    # It listens everywhere in ixk: the delaying proxy of `fault api-slow` reaches it by 127.0.0.1.
    launch kube-apiserver control ixk "$parts/kube-apiserver" \
        --etcd-servers=http://127.0.0.1:2379 --advertise-address="$control_ip" \
        --bind-address=0.0.0.0 --secure-port=6443 --service-cluster-ip-range="$service_range" \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --token-auth-file="$pki/tokens.csv" --anonymous-auth=true \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$pki/service-accounts.pub" \
        --service-account-signing-key-file="$pki/service-accounts.key" \
        --allow-privileged=true --kubelet-preferred-address-types=InternalIP \
        --audit-policy-file="$here/manifests/audit.yaml" --audit-log-path="$state/log/audit.json" \
        --audit-log-maxsize=200 --audit-log-maxbackup=2 --profiling=false
}

stop_apiserver() { halt kube-apiserver 5 KILL; }

# The open port first: asking starts a kubectl each time, and the server needs the processor.
apiserver_is_ready() {
    in_control bash -c 'exec 3<>/dev/tcp/127.0.0.1/6443' &&
        [[ $(kubectl get --raw /readyz --request-timeout=2s) == ok ]]
}

apiserver_is_gone() { ! pid_of kube-apiserver; }

start_controllers() {
    launch kube-controller-manager control ixk "$parts/kube-controller-manager" \
        --kubeconfig="$pki/kube-controller-manager.kubeconfig" --leader-elect=false \
        --use-service-account-credentials --root-ca-file="$pki/ca.crt" \
        --service-account-private-key-file="$pki/service-accounts.key" --secure-port=0
    launch kube-scheduler control ixk "$parts/kube-scheduler" \
        --kubeconfig="$pki/kube-scheduler.kubeconfig" --leader-elect=false --secure-port=0
}

# After its rights are there: what is refused at the start is asked again only seconds later. It
# forgets at once that a name was unknown, since tests ask for what they have just made.
start_dns() {
    cat >"$state/Corefile" <<EOF_COREFILE
.:53 {
    bind $control_ip
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $pki/coredns.kubeconfig interrex-e2e
        pods insecure
        ttl 5
    }
    cache 5 {
        success 9984 5 1
        denial 9984 1 0
    }
    ready 127.0.0.1:8181
}
EOF_COREFILE
    launch coredns control ixk "$parts/coredns" -conf "$state/Corefile"
}

dns_is_ready() { says_ok ixk 8181 /ready; }

# says_ok NAMESPACE PORT PATH: whether a server on its loopback answers 200.
says_ok() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    nsenter --net="/run/netns/$1" timeout 1 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"
        printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3
        read -r -u 3 line; [[ $line == *" 200 "* ]]' "$2" "$3"
}

# start_proxy NAME CGROUP NAMESPACE[:HOST] NODE
start_proxy() {
    cat >"$state/$1.yaml" <<EOF_PROXY
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $4
clientConnection: { kubeconfig: $pki/kube-proxy.kubeconfig }
detectLocalMode: ClusterCIDR
clusterCIDR: $pod_range
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
# These limits belong to the machine, not to a namespace: leave them.
conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }
nftables: { minSyncPeriod: $(cat "$state/min-sync-period") }
EOF_PROXY
    launch "$1" "$2" "$3" "$parts/kube-proxy" --config="$state/$1.yaml"
}

# The kube-proxy of the tests reads node1's object: it needs some node's, and adds none of its own.
start_control_proxy() { start_proxy proxy-control control ixk node1; }

# restart_proxies PERIOD: every kube-proxy with another minSyncPeriod; rules that are there stay.
restart_proxies() {
    local node
    echo "$1" >"$state/min-sync-period"
    halt proxy-control 2 TERM
    start_control_proxy
    for node in "${nodes[@]}"; do
        host_is_up "$node" || continue
        halt "$node-proxy" 2 TERM
        start_proxy "$node-proxy" "$node" "$(namespace_of "$node"):$node" "$node"
    done
    await 30 "the kube-proxy of ixk" says_ok ixk 10256 /healthz
    for node in "${nodes[@]}"; do
        ! host_is_up "$node" ||
            await 30 "the kube-proxy of $node" says_ok "$(namespace_of "$node")" 10256 /healthz
    done
}
