{{/* What the names of all objects begin with. */}}
{{- define "assay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of the chart's objects. */}}
{{- define "assay.labels" -}}
app.kubernetes.io/name: assay
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What selects the operator's pods. The Lease allows one release in a namespace; so the release's name is no part of it, and the
Deployment of manifests/ can become the chart's. */}}
{{- define "assay.operatorSelector" -}}
app.kubernetes.io/name: assay
app.kubernetes.io/component: operator
{{- end -}}

{{/* What selects the egress proxy's pods. */}}
{{- define "assay.egressSelector" -}}
app.kubernetes.io/name: assay
app.kubernetes.io/component: egress
{{- end -}}

{{/* What selects the cache's pods on nodes. */}}
{{- define "assay.repoCacheSelector" -}}
app.kubernetes.io/name: assay
app.kubernetes.io/component: repo-cache
{{- end -}}

{{/* Whether there is a cache on each node. It reads from the cache service. Empty: no. */}}
{{- define "assay.hasNodeCache" -}}
{{- if and .Values.repoCache.enabled .Values.repoCache.nodes.enabled -}}yes{{- end -}}
{{- end -}}

{{/* Whether trials with a restricted network can run: they need the proxy, the cache service and the NetworkPolicies. Empty: no. */}}
{{- define "assay.hasEgress" -}}
{{- if and .Values.egress.enabled .Values.repoCache.enabled .Values.networkPolicy.trials -}}yes{{- end -}}
{{- end -}}

{{/* The one image: of the operator, and in trial pods. */}}
{{- define "assay.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion | toString) -}}
{{- end -}}
{{- end -}}
{{- end -}}
