# shellcheck shell=bash
# A trial as processes of the host.

# A user for the trial that no other trial on this host has: numbers that nothing else uses.
assay_take_user() {
  local slot
  for ((slot = 0; slot < assay_users; slot++)); do
    exec 4>"$place/users/$slot" || return 1
    if flock -n 4; then
      user=$((assay_first_user + slot))
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

# Sets child. The list has no line end, so that the status of read says nothing.
assay_child() {
  { read -r child <"/proc/$inner/task/$inner/children"; } 2>/dev/null
  [ -n "$child" ]
}
