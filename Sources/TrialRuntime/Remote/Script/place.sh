# shellcheck shell=bash
# What Assay runs on the host of a vm target, as root: `assay_check` for the preflight of the target, and for each trial
# `assay_host ID WORKDIR MILLICPUS MEMORY_MB STORAGE_MB IMAGE`, which speaks on standard output and is told on standard input, one line each.
# WORKDIR and IMAGE may be empty: the image's own, and the programs of the host.
#
# It says `ready` (the directory is there; files may be copied into its `root`), `word LINE` (what the runner said), `closed` (the runner has
# ended; `closed memory`: the kernel killed a process of the trial because of its memory limit), `failed TEXT` (the trial cannot run here),
# `unpulled TEXT` (its image cannot be had),
# `exceeded TEXT` (the trial has written more than its limit) and `evicted TEXT` (the host's disk is full). It is told `begin`, `answer WORD`
# (for the runner), `term` (end the trial) and `ping`. When it is told nothing for a minute, or its input ends, the connection is lost: it ends
# the trial and removes all that is left of it.
#
# Without an image the trial's processes have a root directory, process ids, a control group and a user of their own: the host's programs and settings, and
# nothing else of the host. They share the host's network.

# Megabytes that must be free on the host's disk for a trial to begin, and below which the trial that has written most is ended.
assay_least_free=512
assay_full=64

# The users of trials: numbers that nothing else uses, for so many trials at once.
assay_first_user=1900000000
assay_users=4096

assay_failed() {
  printf 'failed %s\n' "${*//[[:cntrl:]]/ }"
  exit 1
}

# Sets missing to the programs that the host lacks.
assay_look() {
  local name
  missing=''
  for name in chmod chown chroot cp df du env flock id ip ln mkdir mkfifo mount readlink rm rmdir setpriv sleep sort stat tail tar unshare; do
    # What cannot be executed is found as well.
    [ -x "$(type -P "$name")" ] || missing="$missing $name"
  done
}

# Makes the directory of all trials, and takes its lock as descriptor 3. What went wrong is in problem.
assay_open() {
  umask 077
  problem=$({ mkdir -p "$place/trials" "$place/users" && chmod 0711 "$place" "$place/trials" && : >>"$place/lock"; } 2>&1) || {
    problem="cannot write to $place: $problem"
    return 1
  }
  exec 3>>"$place/lock" || return 1
  flock -w 60 3 || {
    problem="the lock of $place was not free within a minute"
    return 1
  }
  mark=assay-$(stat -c %d-%i "$place") tally=/run/$mark
  problem=$(mkdir -p "$tally" 2>&1)
}

# No trial that is processes of the host reaches the address where clouds give out a host's credentials. One routing rule for the users of all trials,
# which stays. What went wrong is in problem.
assay_guard() {
  local users="uidrange $assay_first_user-$((assay_first_user + assay_users - 1))"
  case $(ip rule show 2>/dev/null) in *"to 169.254.169.254 $users prohibit"*) return 0 ;; esac
  # shellcheck disable=SC2086
  problem=$(ip rule add priority 90 to 169.254.169.254 $users prohibit 2>&1)
}

# Sets free to the megabytes that are free on the disk of the trials.
assay_free() {
  free=0
  { read -r _ && read -r _ _ _ free _; } < <(df -Pk "$place" 2>/dev/null)
  free=$((free / 1024))
}

# remove DIRECTORY
assay_remove() { rm -rf --one-file-system -- "$1"; }

# Removes what trials left whose connection, or whose host, ended before they had cleaned up: nobody holds the lock of their directories. A group
# without a directory is left, too: it is made after the directory, and removed before it.
assay_sweep() {
  local old name
  for old in "$place"/trials/*/; do
    [ -d "$old" ] || continue
    exec 6<"$old" || continue
    if flock -n 6; then
      name=${old%/} name=${name##*/}
      for group in "${folders[@]}"; do [ ! -d "$group/$name" ] || assay_remove_group "$group/$name"; done
      [ -z "$engine" ] || assay_remove_container "$name"
      rm -f "$tally/$name"
      assay_remove "$old"
    fi
    exec 6<&-
  done
  [ -z "$engine" ] || assay_sweep_containers
  for old in "$tally"/*; do [ -d "$place/trials/${old##*/}" ] || rm -f "$old"; done
  for group in "${folders[@]}"; do
    for old in "$group"/*/; do
      name=${old%/} name=${name##*/}
      [ ! -d "$old" ] || [ -d "$place/trials/$name" ] || assay_remove_group "${old%/}"
    done
  done
}
