# shellcheck shell=bash
# What `assay remote-trial` runs on the host of a vm target, as root, for one trial: `assay_host ID WORKDIR`. It speaks on standard output and
# is told on standard input, one line each.
#
# It says `ready` (the directory is there; files may be copied into its `root`), `word LINE` (what the runner said), `closed` (the runner has
# ended) and `failed TEXT` (the trial cannot run here). It is told `begin`, `answer WORD` (for the runner), `term` (end the trial) and `ping`.
# When it is told nothing for a minute, or its input ends, the connection is lost: it ends the trial and removes all that is left of it.
#
# The trial's processes have a root directory, process ids and a user of their own: the host's programs and settings, and nothing else of the
# host. They share the host's network.

# The trial's first process, still as root. Its parent's death ends it, and with it all processes of the trial.
assay_enter() {
  local root=$1 user=$2 name
  mount --make-rprivate / || exit 71
  for name in usr etc opt sys bin sbin lib lib64 lib32 libx32; do
    [ -L "/$name" ] || ! [ -d "/$name" ] || mount --rbind "/$name" "$root/$name" || exit 71
  done
  mount --bind "$root/assay/passwd" "$root/etc/passwd" || exit 71
  for name in null zero full random urandom tty; do mount --bind "/dev/$name" "$root/dev/$name" || exit 71; done
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts" || exit 71
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc" || exit 71
  cd "$root" || exit 71
  # The change of the user ends what unshare asked the kernel for: the parent's death must be the trial's all the same.
  exec chroot "$root" setpriv --pdeathsig KILL --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- \
    "$BASH" -p -c "$(declare -f assay_begin); assay_begin \"\$1\"" assay "$3"
}

# The same process, as the trial's user, in the trial's root directory: becomes the runner, with the environment of the trial.
assay_begin() {
  local entry
  local -a entries=()
  while IFS= read -r -d '' entry; do entries+=("$entry"); done </assay/gate/environment
  rm -f /assay/gate/environment
  cd "$1" || exit 72
  exec env -i -- "${entries[@]}" bash -p /assay/scripts/run.sh
}

assay_failed() {
  printf 'failed %s\n' "${*//[[:cntrl:]]/ }"
  exit 1
}

assay_needs() {
  local name missing=''
  [ "$(id -u)" = 0 ] || assay_failed "the ssh user is $(id -un), but must be root, who gives each trial a user of its own: change host.user"
  for name in "$@"; do [ -n "$(type -P "$name")" ] || missing="$missing $name"; done
  [ -z "$missing" ] || assay_failed "the host lacks$missing; install util-linux, coreutils and tar there, for example with: apt-get install util-linux coreutils tar"
}

# remove DIRECTORY
assay_remove() { rm -rf --one-file-system -- "$1"; }

# Removes what trials left whose connection, or whose host, ended before they had cleaned up: nobody holds the lock of their directories.
assay_sweep() {
  local old
  for old in "$place"/trials/*/; do
    [ -d "$old" ] || continue
    exec 6<"$old" || continue
    if flock -n 6; then assay_remove "$old"; fi
    exec 6<&-
  done
}

# A user for the trial that no other trial on this host has: numbers that nothing else uses.
assay_take_user() {
  local slot
  for ((slot = 0; slot < 4096; slot++)); do
    exec 4>"$place/users/$slot" || return 1
    if flock -n 4; then
      user=$((1900000000 + slot))
      return 0
    fi
  done
  return 1
}

assay_lay_out() {
  local name target
  local -a folders=(usr etc dev dev/pts proc sys opt home run var var/cache var/lib var/log srv mnt media assay assay/scripts)
  umask 022
  # Sticky: the trial may make folders here, and cannot rename those that are not its own.
  mkdir "$root" && chmod 1777 "$root" && cd "$root" || return 1
  mkdir "${folders[@]}" || return 1
  for name in tmp var/tmp run/lock dev/shm; do mkdir "$name" && chmod 1777 "$name" || return 1; done
  for name in tests logs assay/gate assay/offered; do mkdir "$name" && chmod 0777 "$name" || return 1; done
  mkdir -m 0700 root home/assay && chown "$user:$user" home/assay || return 1
  for name in bin sbin lib lib64 lib32 libx32; do
    if [ -L "/$name" ]; then cp -P "/$name" "$name"; elif [ -d "/$name" ]; then mkdir "$name"; fi || return 1
  done
  for name in null zero full random urandom tty; do : >"dev/$name" || return 1; done
  ln -s /proc/self/fd dev/fd && ln -s fd/0 dev/stdin && ln -s fd/1 dev/stdout && ln -s fd/2 dev/stderr && ln -s pts/ptmx dev/ptmx || return 1
  ln -s /run var/run && ln -s /run/lock var/lock && ln -s solution oracle || return 1
  # The host's own may be a link into /run, which the trial does not have.
  target=$(readlink -f /etc/resolv.conf)
  case $target in /run/*) mkdir -p "${root}${target%/*}" && cp "$target" "${root}$target" ;; esac
  { cat /etc/passwd && printf 'assay:x:%s:%s::/home/assay:/bin/bash\n' "$user" "$user"; } >assay/passwd || return 1
  if ! [ -d "$root$workdir" ]; then mkdir -p "$root$workdir" && chown "$user:$user" "$root$workdir" || return 1; fi
  mkfifo assay/gate/phase assay/gate/released && chmod 0666 assay/gate/phase assay/gate/released
}

# Sets child. The list has no line end, so that the status of read says nothing.
assay_child() {
  { read -r child <"/proc/$inner/task/$inner/children"; } 2>/dev/null
  [ -n "$child" ]
}

# Ends the trial's processes, then removes its files.
assay_end() {
  local child=''
  trap '' TERM INT HUP
  if [ -n "$inner" ]; then
    # The death of the first process of a space of process ids is the death of all; unshare ends when it has seen it.
    if assay_child; then kill -KILL "$child"; else kill -KILL "$inner"; fi 2>/dev/null
    wait "$inner" 2>/dev/null
  fi
  [ -n "$reader" ] && kill -KILL "$reader" 2>/dev/null
  cd / && [ -n "$dir" ] && assay_remove "$dir"
}

assay_host() {
  local place=/var/lib/assay dir='' root workdir=$2 user='' inner='' reader='' child='' line problem told=''
  set -u
  trap : PIPE
  assay_needs chmod chown chroot env flock id mkdir mkfifo mount readlink rm setpriv sleep tar unshare
  umask 077
  { mkdir -p "$place/trials" "$place/users" && chmod 0711 "$place" "$place/trials" && exec 3>"$place/lock"; } || assay_failed "cannot write to $place"
  flock -w 60 3 || assay_failed "the lock of $place was not free within a minute"
  assay_sweep
  trap assay_end EXIT
  trap 'exit 143' TERM INT HUP
  problem=$(mkdir -m 0711 "$place/trials/$1" 2>&1) || assay_failed "$problem"
  dir=$place/trials/$1 root=$place/trials/$1/root
  { exec 5<"$dir" && flock -n 5 && assay_take_user; } || assay_failed "cannot take a user for the trial: $place/users"
  exec 3>&-
  problem=$(assay_lay_out 2>&1) || assay_failed "cannot lay out $dir: $problem"
  printf 'ready\n'
  while IFS= read -r -t 60 told; do
    case $told in
    begin)
      [ -z "$reader" ] || break
      chown "$user:$user" "$root/assay/gate/environment" || assay_failed "the trial's files did not arrive"
      exec 7<>"$root/assay/gate/released"
      {
        while IFS= read -r -n 4096 line; do printf 'word %s\n' "$line"; done <"$root/assay/gate/phase"
        printf 'closed\n'
      } 3>&- 4>&- 5>&- 7>&- &
      reader=$!
      # The parent's death is the trial's, however this script ends.
      setpriv --pdeathsig KILL unshare --mount --pid --ipc --uts --fork --kill-child=KILL -- \
        "$BASH" -p -c "$(declare -f assay_enter assay_begin); assay_enter \"\$@\"" assay "$root" "$user" "$workdir" \
        </dev/null >&2 3>&- 4>&- 5>&- 7>&- &
      inner=$!
      ;;
    # A trial that reads nothing must not keep this script from noticing the end of the connection.
    'answer '*) printf '%s\n' "${told#answer }" >&7 3>&- 4>&- 5>&- & ;;
    term) child='' && [ -n "$inner" ] && assay_child && kill -TERM "$child" 2>/dev/null ;;
    esac
    # The trial ended before its runner spoke.
    if [ -n "$inner" ] && ! kill -0 "$inner" 2>/dev/null; then
      : 9<>"$root/assay/gate/phase"
      inner=''
    fi
  done
  exit 0
}
