# shellcheck shell=bash
# Runs the tests, in the trial's container or in the separate verifier's.

# Removes what lies where the tests belong: what the agent left would be in their way, or pass for one of them, and an agent sees no
# tests of an earlier step. The directory is a mount and stays; its names are not listed here: there may be more than fit a command line.
clear_tests() {
  chmod 0777 "$tests" 2>/dev/null
  rm -rf "${tests:?}" 2>/dev/null
  [ -d "$tests" ] || mkdir -m 0777 "$tests" 2>/dev/null
}

# Has the tests released and runs them; fails when they did not come or did not end in time.
judge() {
  clear_tests
  ask "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
  [ "$word" = go ] || return 1
  rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
  read_variables "${verifier_variables[step]}"
  [ -n "${verifier_variables[step]}" ] && rm -f "${verifier_variables[step]}"
  run_tests
  phase_given=()
  [ "$timed" = 0 ]
}

run_tests() {
  become "${verifier_users[step]}"
  if [ "$test_as_file" = 1 ]; then
    # By its #! line. bash's exec runs a script without one itself, as a shell does that is told its path.
    # shellcheck disable=SC2016 # for that bash
    run verify "${verify_limits[step]}" "$logs/verifier" "$bash" -c 'exec "$0"' "$tests/test.sh"
  else
    run verify "${verify_limits[step]}" "$logs/verifier" "$bash" "$tests/test.sh"
  fi
}

# Whether what lies at an absolute path, or below it, decides about the verdict. TaskRequirements refuses absolute sources by the same list.
# Assay's own folder is the one that has $accepted.
decides() {
  local path='' part rest=$1
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    case $part in '' | .) ;; *) path=$path/$part ;; esac
  done
  case $path/ in
  / | "$tests"/* | "$logs"/ | "$logs"/verifier/* | "${accepted%/*}"/* | /proc/* | /sys/* | /dev/*) return 0 ;;
  /bin/ | /sbin/ | /lib/ | /lib64/ | /etc/ | /usr/ | /usr/bin/ | /usr/sbin/ | /usr/lib/ | /usr/lib64/) return 0 ;;
  esac
  return 1
}

# Lays the artifacts at their paths in the verifier's container, in place of what the image has there. Sets word to a path that failed; 2 is one that
# decides about the verdict.
lay_artifacts() {
  local index target item entry
  for index in "${!artifact_sources[@]}"; do
    item=$accepted/${artifact_numbers[index]}/item target=${artifact_sources[index]}
    case $target in
    /*) ;;
    *)
      # Only here is it known where a relative path leads.
      target=${start%/}/$target
      if decides "$target"; then word=$target; return 2; fi
      ;;
    esac
    [ -e "$item" ] || continue
    if [ -d "$item" ]; then
      if [ -e "$target" ] && ! [ -d "$target" ]; then rm -rf "$target"; fi
      mkdir -p "$target" && for entry in "$target"/* "$target"/.[!.]* "$target"/..?*; do rm -rf "$entry"; done
      chmod 0777 "$target" 2>/dev/null
      cp -R -p "$item/." "$target/" || { word=$target; return 1; }
    else
      [ -d "$target" ] && rm -rf "$target"
      if ! { mkdir -p "${target%/*}/" && cp -p "$item" "$target"; }; then word=$target; return 1; fi
    fi
  done 2>/dev/null
}

# The whole work of a separate verifier: tells that it has started, waits for the trial's end, and runs the tests on what was handed over.
judge_apart() {
  now
  say "phase setup $ms"
  await_word
  [ "$word" = go ] || return
  environment_tool=$(type -P env)
  if [ -z "$environment_tool" ]; then
    say "setup-failed the verifier's image has no env (coreutils), which the runner needs; install coreutils in the image"
    return
  fi
  find_users || return
  lay_artifacts
  case $? in
  0) ;;
  2)
    say "task-invalid the artifact $word would be laid over the verifier's own files: declare a path that has none of them, or a workdir"
    return
    ;;
  *)
    say "setup-failed the artifact $word cannot be laid at its path in the verifier's container: its user must be able to write there"
    return
    ;;
  esac
  now
  say "done setup $ms 0 0"
  rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
  [ "$test_as_file" = 1 ] && chmod a+rx "$tests/test.sh" 2>/dev/null
  read_variables "${verifier_variables[step]}"
  [ -n "${verifier_variables[step]}" ] && rm -f "${verifier_variables[step]}"
  run_tests
}
