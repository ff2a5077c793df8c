# shellcheck shell=bash
# The limits of a trial: control groups for its CPUs and its memory, and a measure of what it writes.

# Sets folders to where the control groups of all trials are: one folder with cgroup v2, one for each controller with v1; none when the host
# has neither. Their name is of this directory alone, so that nobody else's groups are taken for ours.
assay_find_groups() {
  local base=/sys/fs/cgroup name controller
  folders=() name=$mark
  if [ -f "$base/cgroup.controllers" ]; then
    { [ -d "$base/$name" ] || mkdir -m 0755 "$base/$name"; } 2>/dev/null || return 1
    for controller in cpu memory pids; do
      { printf '+%s' "$controller" >"$base/cgroup.subtree_control" && printf '+%s' "$controller" >"$base/$name/cgroup.subtree_control"; } 2>/dev/null ||
        [ "$controller" = pids ] || return 1
    done
    folders=("$base/$name")
    return 0
  fi
  for controller in memory cpu pids; do
    [ -d "$base/$controller" ] || continue
    { [ -d "$base/$controller/$name" ] || mkdir -m 0755 "$base/$controller/$name"; } 2>/dev/null && folders+=("$base/$controller/$name")
  done
  # The number of processes is no limit that a task asks for: it is for the host's sake.
  if [ -d "$base/memory/$name" ] && [ -d "$base/cpu/$name" ]; then return 0; fi
  folders=()
  return 1
}

# write FILE VALUE, if the kernel has the file.
assay_set() { [ ! -e "$1" ] || printf '%s' "$2" >"$1"; }

# limit ID MILLICPUS MEMORY_MB: makes the trial's control groups.
assay_limit() {
  local folder group memory=$(($3 * 1048576)) quota=$(($2 * 100))
  [ "$quota" -ge 1000 ] || quota=1000
  for folder in "${folders[@]}"; do
    group=$folder/$1
    # Programs of the trial read their limits there.
    mkdir -m 0755 "$group" || return 1
    { assay_set "$group/memory.max" "$memory" && assay_set "$group/memory.swap.max" 0 && assay_set "$group/memory.oom.group" 1 &&
      assay_set "$group/memory.limit_in_bytes" "$memory" && assay_set "$group/memory.memsw.limit_in_bytes" "$memory" &&
      assay_set "$group/cpu.max" "$quota 100000" && assay_set "$group/cpu.cfs_period_us" 100000 && assay_set "$group/cpu.cfs_quota_us" "$quota" &&
      assay_set "$group/pids.max" 16384; } || return 1
  done
}

# Whether the kernel killed a process of the trial because of its memory limit.
assay_lacked_memory() {
  local file key value
  for file in "${folders[0]}/$1/memory.events" "${folders[0]}/$1/memory.oom_control"; do
    [ -r "$file" ] || continue
    while read -r key value; do [ "$key" = oom_kill ] && [ "$value" -gt 0 ] && return 0; done <"$file"
  done
  return 1
}

# Ends all processes of a control group and removes it.
assay_remove_group() {
  local process try
  for ((try = 0; try < 10; try++)); do
    while read -r process; do kill -KILL "$process" 2>/dev/null; done <"$1/cgroup.procs"
    rmdir "$1" 2>/dev/null && return 0
    [ -d "$1" ] || return 0
    sleep 0.2
  done
}

# Says when the trial has written more than its limit. When the host's disk is full, the trial that has written most is the one to end: each says
# what it has written in a file that is not on that disk.
assay_watch_disk() {
  local used layer other most
  while kill -0 $$ && sleep 5 >/dev/null 2>&1; do
    read -r used _ < <(du -skx "$root" 2>/dev/null)
    case $used in '' | *[!0-9]*) continue ;; esac
    [ -z "$image" ] || { layer=$(assay_layer) && used=$((used + layer)); }
    printf '%s\n' "$used" >"$tally/$id"
    if [ "$used" -gt $(($1 * 1024)) ]; then
      printf 'exceeded %s\n' "the trial has written $((used / 1024)) MiB and exceeded its local ephemeral storage limit of $1 MiB"
      return
    fi
    assay_free
    [ "$free" -lt "$assay_full" ] || continue
    most=$used
    for other in "$tally"/*; do { read -r other <"$other" && [ "$other" -gt "$most" ] && most=$other; } 2>/dev/null; done
    [ "$most" = "$used" ] || continue
    printf 'evicted %s\n' "the host has only $free MiB of disk left, and of its trials this one has written most ($((used / 1024)) MiB)"
    return
  done
}
