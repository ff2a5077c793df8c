# shellcheck shell=bash
# The users of the phases.

# find_user NAME[:GROUP]: what the image's files say about the user, names or numbers, as container runtimes read them: the first line counts
# that has the text as its name or number. Fails for a name that there is not.
find_user() {
  local text=${1%%:*} group='' name uid gid home list='' members
  local found='' own='' text_home=''
  while IFS=: read -r name _ uid gid _ home _; do
    if [ "$name" = "$text" ] || [ "$uid" = "$text" ]; then found="$uid:$gid" own=$name text_home=$home; break; fi
  done
  if [ -z "$found" ]; then
    case $text in *[!0-9]*) return 1 ;; esac
    found=$text:0 text_home=/
  fi
  uid=${found%%:*} gid=${found#*:}
  if [[ $1 = *:* ]]; then
    group=${1#*:} gid=''
    while IFS=: read -r name _ entry _; do
      if [ "$name" = "$group" ] || [ "$entry" = "$group" ]; then gid=$entry; break; fi
    done </etc/group
    case $gid$group in *[!0-9]*) [ -n "$gid" ] || return 1 ;; *) gid=${gid:-$group} ;; esac
    users[$1]="$uid:$gid::$text_home"
    return 0
  fi
  while IFS=: read -r name _ entry members; do
    case ",$members," in *",${own:-,},"*) list=$list,$entry ;; esac
  done </etc/group
  users[$1]="$uid:$gid:${list#,}:$text_home"
} </etc/passwd 2>/dev/null

# become USER: the phase that runs next runs as this user; empty: as the container's own. A user that cannot be become is found in `setup`.
become() {
  switch=() home_given=("HOME=$home")
  [ -n "$1" ] || return 0
  local uid gid list own
  IFS=: read -r uid gid list own <<<"${users[$1]:-}"
  # A HOME of the task or the agent stays; root's own comes from the container's runtime.
  case $home in /root | / | "") home_given=("HOME=${own:-/}") ;; esac
  [ "$uid" = "$EUID" ] || switch=("$user_helper" "$uid" "$gid" "$gid${list:+,$list}")
}

# Finds the named users before the agent can change the files that tell of them, and a way to become them.
find_users() {
  local name list
  for name in "$image_user" "${agent_users[@]}" "${verifier_users[@]}" "${hook_users[@]}"; do
    if [ -z "$name" ] || [ -n "${users[$name]:-}" ]; then continue; fi
    if ! find_user "$name"; then
      say "task-invalid the task asks for the user \"$name\", which /etc/passwd of its image does not have"
      return 1
    fi
    become "$name"
    if [ "${#switch[@]}" = 0 ]; then continue; fi
    "${switch[@]}" "$environment_tool" >/dev/null 2>&1
    case $? in
      0) continue ;;
      126) word='the container may not change its user (CAP_SETUID and CAP_SETGID)' ;;
      *) word="this user may not run $environment_tool: look at the modes of / and of the folders below it in the image" ;;
    esac
    list=${users[$name]}
    say "setup-failed cannot run as the user $name (uid ${list%%:*}): $word"
    return 1
  done
  # The gate is the runner's and the collector's: both ends are open.
  if [ "${#users[@]}" != 0 ]; then chmod 0600 "$gate_said" "$gate_heard"; fi 2>/dev/null
  return 0
}
