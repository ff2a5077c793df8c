# shellcheck shell=bash

# The check of the target's preflight: says `user NAME`, `missing PROGRAM...`, `refused TEXT`, `unlimited`, `engine NAME` (what runs images), `free MEGABYTES`
# and `checked`, one line each. Like the session of a trial, it removes what ended trials have left.
assay_check() {
  local place=/var/lib/assay missing problem='' free=0 group mark='' tally='' engine=''
  local -a folders=()
  set -u
  assay_look
  [ -z "$missing" ] || printf 'missing%s\n' "$missing"
  printf 'user %s\n' "$(id -un 2>/dev/null)"
  if [ -z "$missing" ] && [ "$EUID" = 0 ]; then
    if assay_open; then
      assay_find_groups || printf 'unlimited\n'
      if assay_find_engine; then printf 'engine %s\n' "$engine"; fi
      assay_sweep
      problem=$(unshare --mount --pid --ipc --uts --fork --kill-child=KILL -- setpriv --pdeathsig KILL --reuid="$assay_first_user" --regid="$assay_first_user" \
        --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$BASH" -c : 2>&1) || printf 'refused %s\n' "${problem//[[:cntrl:]]/ }"
      assay_guard || printf 'refused %s\n' "${problem//[[:cntrl:]]/ }"
      assay_free
      printf 'free %s %s\n' "$free" "$assay_least_free"
    else
      printf 'refused %s\n' "${problem//[[:cntrl:]]/ }"
    fi
  fi
  printf 'checked\n'
}
