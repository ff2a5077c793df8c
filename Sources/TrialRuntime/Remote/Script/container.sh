# shellcheck shell=bash
# A trial in an image: a container of podman or docker, with the network and the settings that the host's own configuration gives. Its files are in the
# trial's directory, which nobody but root may enter.

# Sets engine to the one that works here; empty when none does.
assay_find_engine() {
  for engine in podman docker; do
    [ -x "$(type -P "$engine")" ] && "$engine" ps -q >/dev/null 2>&1 && return 0
  done
  engine=''
  return 1
}

# Brings the image. What went wrong is in problem.
assay_pull() {
  # Names of transports would make files of the host an image.
  case $image in
  *:/* | dir:* | oci:* | oci-archive:* | docker-archive:* | docker-daemon:* | containers-storage:* | sif:* | tarball:* | ostree:* | atomic:* | -*)
    problem="\"$image\" is no name of an image in a registry"
    return 1
    ;;
  esac
  "$engine" image inspect -- "$image" >/dev/null 2>&1 && return 0
  problem=$("$engine" pull -q -- "$image" 2>&1 >/dev/null </dev/null) && return 0
  problem=${problem: -400}
  return 1
}

assay_lay_out_volumes() {
  local name
  umask 022
  mkdir "$root" "$root/assay" "$root/assay/scripts" || return 1
  for name in tests logs assay/gate assay/offered; do mkdir "$root/$name" && chmod 0777 "$root/$name" || return 1; done
  mkfifo "$root/assay/gate/phase" "$root/assay/gate/released" && chmod 0666 "$root/assay/gate/phase" "$root/assay/gate/released"
}

# run MILLICPUS MEMORY_MB: the engine's client, which ends with the container.
assay_run_image() {
  local name
  local -a words=(
    run --name "assay-$id" --label "dev.assay.place=$mark" --entrypoint bash --security-opt label=disable
    --cpus "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" --memory "${2}m" --memory-swap "${2}m" --pids-limit 16384
    -v "$root/assay/scripts:/assay/scripts:ro"
  )
  for name in tests logs assay/gate assay/offered; do words+=(-v "$root/$name:/$name"); done
  [ ! -d "$root/solution" ] || words+=(-v "$root/solution:/solution" -v "$root/solution:/oracle")
  [ ! -d "$root/assay/overlays" ] || words+=(-v "$root/assay/overlays:/assay/overlays:ro")
  [ -z "$workdir" ] || words+=(-w "$workdir")
  # The image's own variables stay, and the trial's are added.
  # shellcheck disable=SC2016
  exec "$engine" "${words[@]}" -- "$image" -p -c '
    entries=()
    while IFS= read -r -d "" entry; do entries+=("$entry"); done </assay/gate/environment
    rm -f /assay/gate/environment
    exec env -- "${entries[@]}" bash -p /assay/scripts/run.sh'
}

# What the container has written beside its volumes, in kilobytes.
assay_layer() {
  local size
  size=$("$engine" inspect --size -f '{{.SizeRw}}' "assay-$id" 2>/dev/null)
  case $size in '' | *[!0-9]*) return 1 ;; esac
  printf '%s' "$((size / 1024))"
}

assay_container_lacked_memory() { [ "$("$engine" inspect -f '{{.State.OOMKilled}}' "assay-$id" 2>/dev/null)" = true ]; }

# Removes the container of a trial, and all its processes.
assay_remove_container() {
  # Alone, podman's rm -f would first ask it to end.
  { "$engine" kill -s KILL "assay-$1" && "$engine" wait "assay-$1"; } >/dev/null 2>&1 </dev/null
  "$engine" rm -f "assay-$1" >/dev/null 2>&1 </dev/null
}

# Removes the containers of trials that have no directory any more.
assay_sweep_containers() {
  local name
  while read -r name; do
    [ -d "$place/trials/${name#assay-}" ] || assay_remove_container "${name#assay-}"
  done < <("$engine" ps -a --filter "label=dev.assay.place=$mark" --format '{{.Names}}' 2>/dev/null)
}

# receive ROOT: brings the files of an archive on standard input into folders that a container can write to. They are moved there name by name from a
# folder that it does not see, so that no link that the trial has put there is followed.
assay_receive() {
  local root=$1 from=$1/../incoming name place
  umask 0
  mkdir -m 0700 "$from" && tar -x -p --no-same-owner -C "$from" -f - || return 1
  for name in "$from"/tests/* "$from"/tests/.[!.]* "$from"/assay/gate/*; do
    [ -e "$name" ] || [ -L "$name" ] || continue
    place=${root:?}/${name#"$from"/}
    { rm -rf --one-file-system -- "$place" && mv -f -T -- "$name" "$place"; } || return 1
  done
  rm -rf --one-file-system -- "$from"
}
