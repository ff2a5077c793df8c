# shellcheck shell=bash

# Ends the trial's processes, then removes its files.
assay_end() {
  local child='' group
  trap '' TERM INT HUP
  if [ -n "$inner" ]; then
    # When the first process of a PID namespace ends, the kernel kills all others; unshare ends when it has seen that. The client of an engine
    # ends before its container is removed: it could still start it.
    if [ -z "$image" ] && assay_child; then kill -KILL "$child"; else kill -KILL "$inner"; fi 2>/dev/null
    wait "$inner" 2>/dev/null
  fi
  [ -z "$image" ] || [ -z "$dir" ] || assay_remove_container "$id"
  [ -n "$reader" ] && kill -KILL "$reader" "$watcher" 2>/dev/null
  [ -n "$dir" ] || return
  rm -f "$tally/$id"
  for group in "${folders[@]}"; do [ ! -d "$group/$id" ] || assay_remove_group "$group/$id"; done
  cd / && assay_remove "$dir"
}

# Whether the kernel killed a process of the trial because of its memory limit.
assay_trial_lacked_memory() { if [ -n "$image" ]; then assay_container_lacked_memory; else assay_lacked_memory "$id"; fi; }

assay_host() {
  local id=$1 workdir=$2 image=$6 place=/var/lib/assay dir='' root user='' engine='' mark='' tally='' free=0 missing problem=''
  local inner='' reader='' watcher='' child='' group line told=''
  local -a folders=()
  set -u
  trap : PIPE
  assay_look
  [ -z "$missing" ] || assay_failed "the host lacks$missing; install util-linux, coreutils, iproute2 and tar there, for example with: apt-get install util-linux coreutils iproute2 tar"
  [ "$EUID" = 0 ] || assay_failed "the ssh user is $(id -un), but must be root, who gives each trial a user of its own: change host.user"
  assay_open || assay_failed "$problem"
  assay_find_groups || assay_failed "the CPUs and the memory of trials cannot be limited: no control groups can be made in /sys/fs/cgroup"
  # Asking an engine takes time: a host that has never run an image is not asked.
  if [ -n "$image" ] || [ -e "$place/images" ]; then assay_find_engine; fi
  [ -z "$image" ] || [ -n "$engine" ] || assay_failed "the task has an image, and neither podman nor docker works on the host"
  assay_guard || assay_failed "no routing rule can be set, so that trials would reach a cloud's metadata address: $problem"
  assay_sweep
  assay_free
  [ "$free" -ge "$assay_least_free" ] || assay_failed "only $free MiB are free in $place, and a trial needs $assay_least_free"
  trap assay_end EXIT
  trap 'exit 143' TERM INT HUP
  problem=$(mkdir -m 0711 "$place/trials/$id" 2>&1) || assay_failed "$problem"
  dir=$place/trials/$id root=$place/trials/$id/root
  { exec 5<"$dir" && flock -n 5 && assay_take_user; } || assay_failed "cannot take a user for the trial: $place/users"
  if [ -z "$image" ]; then
    exec 3>&-
    problem=$(assay_limit "$id" "$3" "$4" 2>&1) || assay_failed "cannot limit the trial to $3 thousandths of a CPU and $4 MiB of memory: $problem"
    problem=$(assay_lay_out 2>&1) || assay_failed "cannot lay out $dir: $problem"
  else
    chmod 0700 "$dir" && : >"$place/images"
    exec 3>&-
    assay_pull || {
      printf 'unpulled %s\n' "${problem//[[:cntrl:]]/ }"
      exit 1
    }
    problem=$(assay_lay_out_volumes 2>&1) || assay_failed "cannot lay out $dir: $problem"
  fi
  printf 'ready\n'
  while IFS= read -r -t 60 told; do
    case $told in
    begin)
      [ -z "$reader" ] || break
      # The user of an image is not known, and its trial's directory is closed to others.
      chown "$user:$user" "$root/assay/gate/environment" || assay_failed "the trial's files did not arrive"
      [ -z "$image" ] || chmod 0644 "$root/assay/gate/environment"
      exec 7<>"$root/assay/gate/released"
      {
        while IFS= read -r -n 4096 line; do printf 'word %s\n' "$line"; done <"$root/assay/gate/phase"
        if assay_trial_lacked_memory; then printf 'closed memory\n'; else printf 'closed\n'; fi
      } 3>&- 4>&- 5>&- 7>&- &
      reader=$!
      assay_watch_disk "$5" </dev/null 3>&- 4>&- 5>&- 7>&- &
      watcher=$!
      # The parent's death is the trial's, however this script ends.
      {
        [ -z "$image" ] || assay_run_image "$3" "$4"
        for group in "${folders[@]}"; do printf 0 >"$group/$id/cgroup.procs" || exit 71; done
        exec setpriv --pdeathsig KILL unshare --mount --pid --ipc --uts --fork --kill-child=KILL -- \
          "$BASH" -p -c "$(declare -f assay_enter assay_begin); assay_enter \"\$@\"" assay "$root" "$user" "$workdir"
      } </dev/null >&2 3>&- 4>&- 5>&- 7>&- &
      inner=$!
      ;;
    # A trial that reads nothing must not keep this script from noticing the end of the connection.
    'answer '*) printf '%s\n' "${told#answer }" >&7 3>&- 4>&- 5>&- & ;;
    term)
      # The engine's client passes the signal on.
      if [ -n "$image" ]; then child=$inner; else child='' && [ -n "$inner" ] && assay_child; fi
      [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
      ;;
    esac
    # The trial ended before its runner spoke.
    if [ -n "$inner" ] && ! kill -0 "$inner" 2>/dev/null; then
      : 9<>"$root/assay/gate/phase"
      inner=''
    fi
  done
  exit 0
}
