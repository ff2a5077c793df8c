# shellcheck shell=bash
# The skills of the task and of overlays, in the agent's workspace.

# Copies the skills into the workspace, those of later sources last. A skill is a folder that replaces the whole folder of the same name,
# so that no file of the earlier one stays. The copies are the agent's. When it fails, `word` says why.
merge_skills() {
  local parent=${start%/}/.agents target source name owner=''
  target=$parent/skills
  local -a new=()
  local -A merged=()
  for name in "$parent" "$target"; do [ -e "$name" ] || new+=("$name"); done
  for source in "${skill_sources[@]}"; do
    for entry in "$source"/*/; do
      [ -d "$entry" ] || continue
      entry=${entry%/}
      name=${entry##*/}
      if ! word=$({ mkdir -p "$target" && rm -rf "${target:?}/$name" && cp -R "$entry" "$target/$name"; } 2>&1); then
        word="the skill $name cannot be copied to $target: ${word##*$'\n'}"
        return 1
      fi
      merged[$name]=$target/$name
    done
  done
  [ "${#merged[@]}" != 0 ] || return 0
  if [ -n "${agent_users[0]}" ]; then IFS=: read -r owner name _ <<<"${users[${agent_users[0]}]}"; fi
  if [ -n "$owner" ] && [ "$owner" != "$EUID" ]; then
    word=$({ [ "${#new[@]}" = 0 ] || chown "$owner:$name" "${new[@]}"; } 2>&1 && chown -R "$owner:$name" "${merged[@]}" 2>&1) || {
      word="the skills cannot be given to the user ${agent_users[0]}: ${word##*$'\n'}"
      return 1
    }
  fi
  hide_skills "${!merged[@]}"
}

# Keeps the copied skills out of git's view of the workspace, because tasks are judged by it. Does nothing outside a git repository.
hide_skills() {
  local top=${start%/} folder common name pattern git
  while [ ! -e "$top/.git" ]; do
    [ -n "$top" ] || return 0
    top=${top%/*}
  done
  # The workspace, as git writes it.
  local place=${start%/}
  place=${place#"$top"}
  folder=$top/.git
  if [ -f "$folder" ]; then
    # The .git of a worktree or a submodule is a file; the worktrees of a repository share one exclude file.
    read -r folder <"$folder"
    folder=${folder#gitdir: }
    case $folder in /*) ;; *) folder=$top/$folder ;; esac
    if [ -f "$folder/commondir" ] && read -r common <"$folder/commondir"; then
      case $common in /*) folder=$common ;; *) folder=$folder/$common ;; esac
    fi
  fi
  [ -e "$folder/HEAD" ] || return 0
  mkdir -p "$folder/info" && {
    # The file may end in the middle of a line.
    printf '\n# Skills that Assay has added.\n'
    for name; do
      pattern=${place}/.agents/skills/$name
      pattern=${pattern//\\/\\\\} pattern=${pattern//\*/\\*} pattern=${pattern//\?/\\?} pattern=${pattern//\[/\\[} pattern=${pattern// /\\ }
      printf '%s\n' "$pattern"
    done
  } >>"$folder/info/exclude"
  # The repository may have a skill of that name already; its tracked files are no change of the agent either.
  git=$(type -P git) || return 0
  local -a call=("$git" -c "safe.directory=*" -c core.fsmonitor=false --literal-pathspecs -C "$top/")
  for name; do
    name=${place#/}${place:+/}.agents/skills/$name
    "${call[@]}" ls-files -z -- "$name" | "${call[@]}" update-index -z --skip-worktree --stdin
  done
  # git has made the file anew.
  chown --reference="$folder" "$folder/index"
  return 0
} >/dev/null 2>&1
