# shellcheck shell=bash disable=SC2154 # variables of base.sh
# Container images without Docker: a directory becomes a docker archive, which is a tar of
# manifest.json, a config and one layer.

pause_image=interrex.io/e2e/pause:1
images=$cache/images

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
"history":[{"created":"1970-01-01T00:00:00Z","created_by":"e2e/cluster/image"}]}
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

# image_name ARCHIVE: the name that it was packed under.
image_name() { tar -xOf "$1" manifest.json | sed -n 's/.*"RepoTags":\["\([^"]*\)"\].*/\1/p'; }

# import_image ARCHIVE NODE: gives it to a host that does not have it as it is now. The first
# container of it unpacks it, which takes 0.2 s; unpacking everything here would double the start.
import_image() {
    local archive=$1 node=$2 edition
    edition=$(stat -c '%n %s %Y' "$archive")
    ! grep -qsxF "$edition" "$state/$node/etc/images" || return 0
    on_node_ctr "$node" images import --no-unpack - <"$archive" \
        >>"$state/log/$node-images.log" 2>&1 ||
        die "$archive could not be imported on $node" "see $state/log/$node-images.log"
    echo "$edition" >>"$state/$node/etc/images"
}

# import_images NODE: the pause image first, without which no pod starts, then all that was made.
import_images() {
    local archive
    await 20 "containerd of $1" on_node_ctr "$1" version
    for archive in "$parts/pause.tar" "$images"/*.tar; do
        [[ ! -f $archive ]] || import_image "$archive" "$1"
    done
}

make_pause_image() {
    local work
    work=$(mktemp -d)
    cp "$parts/pause" "$work/pause"
    pack "$pause_image" "$work" "$parts/pause.tar" '{"Entrypoint":["/pause"]}'
    rm -rf "$work"
}

# What the images are made of, for machines that only make images.
make_image_parts() {
    mkdir -p "$built"
    unpack_debian
}

# make_interrex_image BINARY NAME OUT: what the Dockerfile makes: FROM scratch, one file, no root.
make_interrex_image() {
    local work
    [[ -x $1 ]] || die "$1 is no program" "build it: make build"
    ! ldd "$1" 2>/dev/null | grep -q '=>' ||
        say "warning: $1 needs shared libraries, and an empty image has none: build it static"
    work=$(mktemp -d)
    install -m 0755 "$1" "$work/interrex"
    pack "$2" "$work" "$3" '{"Entrypoint":["/interrex"],"User":"65532:65532"}'
    rm -rf "$work"
}

# --- engines ----------------------------------------------------------------------------------

# make_engine_image FLAVOUR ROOT NAME OUT: an image like the official one of redis or valkey, of the
# programs in ROOT (`/`, or a root that scripts/engines.sh unpacked) with their libraries.
make_engine_image() {
    local flavour=$1 root=${2%/} name=$3 out=$4 work version
    work=$(mktemp -d)
    mkdir -p "$work"/{bin,etc,data,run,tmp,proc,sys,dev,usr/bin,usr/local/bin}
    chmod 1777 "$work/tmp"
    copy_programs "$flavour" "$root" "$work"
    cp "$built/$debian_key/bin/busybox" "$work/bin/busybox"
    "$work/bin/busybox" --list | while read -r applet; do
        # Not over a program of that name, and not the ones that only confuse: init, reboot.
        case $applet in busybox | init | linuxrc | reboot | halt | poweroff) continue ;; esac
        ln -s busybox "$work/bin/$applet"
    done
    version=$(engine_version "$flavour" "$root")
    printf 'root:x:0:0:root:/root:/bin/sh\n%s:x:999:999::/data:/bin/sh\n' "$flavour" \
        >"$work/etc/passwd"
    printf 'root:x:0:\n%s:x:999:\n' "$flavour" >"$work/etc/group"
    echo 'hosts: files dns' >"$work/etc/nsswitch.conf"
    write_entrypoint "$flavour" "$work/usr/local/bin/docker-entrypoint.sh"
    pack "$name" "$work" "$out" "{\"Entrypoint\":[\"docker-entrypoint.sh\"],\
\"Cmd\":[\"$flavour-server\"],\"WorkingDir\":\"/data\",\"Volumes\":{\"/data\":{}},\
\"ExposedPorts\":{\"6379/tcp\":{}},\"Env\":[\
\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\
\"${flavour^^}_VERSION=$version\"]}"
    rm -rf "$work"
}

engine_version() {
    run_in_root "$2" "$2/usr/bin/$1-server" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p'
}

# The loader and the library directories of a root; nothing of either for the machine's own.
loader_of() {
    local found
    found=$(compgen -G "$1/lib*/ld-linux*.so.*" || compgen -G "$1/usr/lib*/ld-linux*.so.*" ||
        compgen -G "$1/usr/lib/*/ld-linux*.so.*" || compgen -G "$1/lib/*/ld-linux*.so.*") ||
        die "no loader in ${1:-/}" "remove it, and run scripts/engines.sh"
    head -n 1 <<<"$found"
}

libraries_of() { find "$1" -name 'lib*.so*' -exec dirname {} + | sort -u | paste -sd: -; }

run_in_root() {
    local root=$1
    shift
    if [[ -z $root ]]; then
        "$@"
    else
        "$(loader_of "$root")" --library-path "$(libraries_of "$root")" "$@"
    fi
}

# Programs into /usr/local/bin as in the official images, libraries where the loader looks.
copy_programs() {
    local flavour=$1 root=$2 work=$3 program target library
    for program in server cli benchmark check-aof check-rdb; do
        program=$root/usr/bin/$flavour-$program
        [[ -e $program ]] || continue
        target=$work/usr/local/bin/${program##*/}
        if cmp -s "$program" "$work/usr/local/bin/$flavour-server"; then
            ln -s "$flavour-server" "$target" # one program, several names
            continue
        fi
        cp -L "$program" "$target"
        list_libraries "$root" "$program"
    done | sort -u | while read -r library; do
        mkdir -p "$work/usr/lib/$(uname -m)-linux-gnu"
        cp -L "$library" "$work/usr/lib/$(uname -m)-linux-gnu/"
    done
    [[ -x $work/usr/local/bin/$flavour-server ]] ||
        die "no $flavour-server in ${root:-/}/usr/bin" "scripts/engines.sh unpacks engines"
    ln -s usr/lib "$work/lib"
    place_loader "$root" "$work"
}

list_libraries() {
    if [[ -z $1 ]]; then
        ldd "$2"
    else
        "$(loader_of "$1")" --library-path "$(libraries_of "$1")" --list "$2"
    fi | awk '$2 == "=>" && $3 ~ /^\// { print $3 }'
}

# The loader's path is written in every program: /lib64/… on x86_64, /lib/… on aarch64.
place_loader() {
    local loader
    loader=$(loader_of "$1")
    [[ -n $loader ]] || loader=$(loader_of "")
    if [[ $(uname -m) == x86_64 ]]; then
        mkdir -p "$2/lib64"
        cp -L "$loader" "$2/lib64/"
    else
        cp -L "$loader" "$2/usr/lib/"
    fi
}

# Does what the official one does: options alone mean the server, root steps down to user 999.
write_entrypoint() {
    cat >"$2" <<EOF_ENTRYPOINT
#!/bin/sh
set -e
if [ "\${1#-}" != "\$1" ] || [ "\${1%.conf}" != "\$1" ]; then
    set -- $1-server "\$@"
fi
if [ "\$1" = "$1-server" ] && [ "\$(id -u)" = 0 ]; then
    find . ! -user $1 -exec chown $1 {} +
    exec su -s /bin/sh $1 -c 'exec "\$0" "\$@"' -- "\$@"
fi
exec "\$@"
EOF_ENTRYPOINT
    chmod 0755 "$2"
}
