# shellcheck shell=bash disable=SC2154 # variables of base.sh
# Volumes: a default StorageClass `pool` of directories that follow a pod to any host, as network
# disks do. Their mode is 0777, because hostPath ignores fsGroup and engines are not root.

pool_size=30

make_volumes() {
    local number
    [[ ! -f $state/volumes/made ]] || return 0
    for ((number = 1; number <= pool_size; number++)); do
        make_volume_directory "$number"
    done
    {
        cat "$here/manifests/base.yaml"
        for ((number = 1; number <= pool_size; number++)); do
            volume_yaml "$number"
        done
    } | kubectl apply --server-side -f - >>"$state/log/volumes.log"
    touch "$state/volumes/made"
}

make_volume_directory() {
    mkdir -p "$state/volumes/$1"
    chmod 0777 "$state/volumes/$1"
}

volume_yaml() {
    cat <<EOF_VOLUME
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: pool-$1 }
spec:
  capacity: { storage: 10Gi }
  accessModes: [ReadWriteOnce]
  storageClassName: pool
  persistentVolumeReclaimPolicy: Retain
  hostPath: { path: $state/volumes/$1 }
EOF_VOLUME
}

# recycle_volumes: volumes whose claim is gone are emptied and free again.
recycle_volumes() {
    local name
    for name in $(kubectl get persistentvolumes -o \
        jsonpath='{range .items[?(@.status.phase=="Released")]}{.metadata.name}{"\n"}{end}'); do
        [[ $name == pool-* ]] || continue
        kubectl delete persistentvolume "$name" >/dev/null
        find "$state/volumes/${name#pool-}" -mindepth 1 -delete
        volume_yaml "${name#pool-}" | kubectl apply --server-side -f - >/dev/null
        echo "$name"
    done
}
