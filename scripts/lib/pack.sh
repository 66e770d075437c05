# shellcheck shell=bash
# Container images without Docker: a directory becomes a docker archive, which is a tar of
# manifest.json, a config and one layer. Whoever sources this has a `die WHAT HINT`.

image_arch() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) die "no images for $(uname -m)" "use a machine with x86_64 or aarch64" ;;
    esac
}

# pack NAME DIRECTORY OUT CONFIG: CONFIG is the `config` object of an image, as JSON. Everything
# belongs to root but what lies below data/, which belongs to user 999 as in the official images.
# The same directory makes the same bytes.
pack() {
    local name=$1 directory=$2 out=$3 config=$4 work same layer
    same=(--sort=name --mtime=@0 --numeric-owner --format=gnu)
    work=$(mktemp -d)
    chmod 0755 "$directory" # the root of the container, which engines enter as user 999
    tar -C "$directory" "${same[@]}" --owner=0 --group=0 --exclude=./data -cf "$work/layer.tar" .
    [[ ! -d $directory/data ]] ||
        tar -C "$directory" "${same[@]}" --owner=999 --group=999 -rf "$work/layer.tar" ./data
    layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
    cat >"$work/config.json" <<EOF_CONFIG
{"architecture":"$(image_arch)","os":"linux","created":"1970-01-01T00:00:00Z","config":$config,
"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},
"history":[{"created":"1970-01-01T00:00:00Z","created_by":"scripts/lib/pack.sh"}]}
EOF_CONFIG
    cat >"$work/manifest.json" <<EOF_MANIFEST
[{"Config":"config.json","RepoTags":["$name"],"Layers":["layer.tar"]}]
EOF_MANIFEST
    mkdir -p "$(dirname "$out")"
    tar -C "$work" "${same[@]}" --owner=0 --group=0 -cf "$out.new" \
        manifest.json config.json layer.tar
    rm -rf "$work"
    mv "$out.new" "$out"
}
