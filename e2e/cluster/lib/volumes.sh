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
    } >"$state/volumes.yaml"
    # Creating is twice as fast as applying, which is for what an earlier try left behind; to check
    # the fields first, the API server would have to write out its whole schema.
    kubectl create --validate=false -f "$state/volumes.yaml" >>"$state/log/volumes.log" 2>&1 ||
        kubectl apply --server-side -f "$state/volumes.yaml" >>"$state/log/volumes.log" 2>&1 ||
        die "the volumes could not be made" "see $state/log/volumes.log"
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
  capacity: { storage: 1Gi }
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

# grow_volumes: gives each claim the size that it asks for, as a storage driver would.
grow_volumes() {
    local namespace claim wanted had volume
    while read -r namespace claim wanted had volume; do
        [[ $volume == pool-* && $wanted != "$had" ]] || continue
        kubectl patch persistentvolume "$volume" --type merge \
            -p "{\"spec\":{\"capacity\":{\"storage\":\"$wanted\"}}}" >/dev/null
        kubectl -n "$namespace" patch persistentvolumeclaim "$claim" --subresource status \
            --type merge -p "{\"status\":{\"capacity\":{\"storage\":\"$wanted\"}}}" >/dev/null
        echo "$namespace/$claim $wanted"
    done < <(kubectl get persistentvolumeclaims -A --no-headers -o custom-columns=A:\
.metadata.namespace,B:.metadata.name,C:.spec.resources.requests.storage,D:.status.capacity.storage,\
E:.spec.volumeName)
}
