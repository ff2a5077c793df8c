{{/*
The list of overlays as JSON, from overlays.sources, or from toolServer when that is empty. Each entry has the fields of an OverlaySource, `name`,
and `at`: the value that it is from.
*/}}
{{- define "assay.overlaySources" -}}
{{- $found := list -}}
{{- range $index, $source := .Values.overlays.sources -}}
{{- $found = append $found (merge (dict "at" (printf "overlays.sources[%d]" $index)) (omit $source "toolsSubdir" "workflowsSubdir" "skillsSubdir") (dict
      "toolsSubdir" (include "assay.subdir" (list $source "toolsSubdir" "tools"))
      "workflowsSubdir" (include "assay.subdir" (list $source "workflowsSubdir" "workflows"))
      "skillsSubdir" (include "assay.subdir" (list $source "skillsSubdir" ".agents/skills")))) -}}
{{- end -}}
{{- if and (not $found) .Values.toolServer.enabled -}}
{{- with .Values.toolServer -}}
{{- if .repo -}}
{{- $found = append $found (dict "at" "toolServer" "repo" .repo "ref" .ref "toolsSubdir" (.subdir | default "tools") "workflowsSubdir" "workflows"
      "skillsSubdir" ".agents/skills") -}}
{{- end -}}
{{- range $index, $source := .extraSources -}}
{{- $found = append $found (dict "at" (printf "toolServer.extraSources[%d]" $index) "repo" $source.repo "ref" (get $source "ref")
      "toolsSubdir" (get $source "subdir" | default "tools") "workflowsSubdir" (get $source "workflowsSubdir" | default "workflows")
      "skillsSubdir" (get $source "skillsSubdir" | default ".agents/skills")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $list := list -}}
{{- range $source := $found -}}
{{- $entry := dict "at" $source.at "repo" $source.repo -}}
{{- $_ := set $entry "name" (get $source "name" | default (include "assay.overlayName" $source.repo)) -}}
{{- range $field := list "ref" "promptPath" "personasSubdir" "interval" "secretRef" "suspend" -}}
{{- with get $source $field -}}{{- $_ := set $entry $field . -}}{{- end -}}
{{- end -}}
{{- range $field := list "toolsSubdir" "workflowsSubdir" "skillsSubdir" -}}
{{- $_ := set $entry $field (get $source $field) -}}
{{- end -}}
{{- /* The same entry twice stays at its last place, where it shadows what it shadowed. The same name for two different ones is a mistake. */ -}}
{{- $kept := list -}}
{{- range $other := $list -}}
{{- if ne $other.name $entry.name -}}
{{- $kept = append $kept $other -}}
{{- else -}}
{{- range $field := list "repo" "ref" "toolsSubdir" "workflowsSubdir" "skillsSubdir" "promptPath" "personasSubdir" "secretRef" "interval" "suspend" -}}
{{- $is := get $entry $field | toJson -}}
{{- $was := get $other $field | toJson -}}
{{- if and (ne $is $was) (or (ne $field "repo") (ne (include "assay.overlayIdentity" $entry.repo) (include "assay.overlayIdentity" $other.repo))) -}}
{{- fail (printf "%s and %s are both the overlay %q, with different values of %s: %s and %s. Remove one of them, or give one a name of its own (overlays.sources[].name)." $other.at $entry.at $entry.name $field $was $is) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $list = append $kept $entry -}}
{{- end -}}
{{- dict "sources" $list | toJson -}}
{{- end -}}

{{/* A folder of a source: what is written, also when that is empty; else the convention. */}}
{{- define "assay.subdir" -}}
{{- $source := index . 0 -}}
{{- $field := index . 1 -}}
{{- if hasKey $source $field -}}{{- get $source $field -}}{{- else -}}{{- index . 2 -}}{{- end -}}
{{- end -}}

{{/* A repository without what several spellings of its address differ in: owner/name, https, ssh. */}}
{{- define "assay.overlayIdentity" -}}
{{- $text := regexReplaceAll "^[a-z+]+://" . "" -}}
{{- $text = regexReplaceAll "^[^/@]*@" $text "" -}}
{{- $text = regexReplaceAll "^([^/:]+):([^/0-9])" $text "${1}/${2}" -}}
{{- $text | trimSuffix "/" | trimSuffix ".git" | trimPrefix "github.com/" -}}
{{- end -}}

{{/* The name of an OverlaySource for a repository: a DNS label, the same in each rendering. */}}
{{- define "assay.overlayName" -}}
{{- $name := regexReplaceAll "[^a-z0-9]+" (include "assay.overlayIdentity" . | lower) "-" | trimAll "-" -}}
{{- if gt (len $name) 63 -}}
{{- printf "%s-%s" ($name | trunc 54 | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* Where OverlaySources are made, as JSON. */}}
{{- define "assay.overlayNamespaces" -}}
{{- $names := .Values.overlays.namespaces -}}
{{- if not $names -}}
{{- $names = list (.Values.watchNamespace | default .Release.Namespace) -}}
{{- end -}}
{{- dict "names" (uniq $names) | toJson -}}
{{- end -}}
