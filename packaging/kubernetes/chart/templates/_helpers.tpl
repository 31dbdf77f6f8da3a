{{/* A tag, where an empty one is this release's: include "ksmalloc.tag" (list . TAG) */}}
{{- define "ksmalloc.tag" -}}
{{- $top := index . 0 -}}
{{ index . 1 | default $top.Values.images.tag | default $top.Chart.AppVersion }}
{{- end }}

{{/* An image: include "ksmalloc.image" (list . "sidecar" TAG), as above */}}
{{- define "ksmalloc.image" -}}
{{- $top := index . 0 -}}
{{- with $top.Values.images.registry }}{{ . }}/{{ end }}ksmalloc-{{ index . 1 }}:{{ include "ksmalloc.tag" (list $top (index . 2)) }}
{{- end }}

{{/* Labels: include "ksmalloc.labels" (list . "node") */}}
{{- define "ksmalloc.labels" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: ksmalloc-{{ index . 1 }}
app.kubernetes.io/instance: {{ $top.Release.Name }}
app.kubernetes.io/part-of: ksmalloc
app.kubernetes.io/version: {{ $top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $top.Release.Service }}
helm.sh/chart: {{ $top.Chart.Name }}-{{ $top.Chart.Version }}
{{- end }}

{{- define "ksmalloc.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: ksmalloc-{{ index . 1 }}
app.kubernetes.io/instance: {{ $top.Release.Name }}
{{- end }}

{{- define "ksmalloc.pull" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What is there without a container of its own in each pod, as far as that is known. */}}
{{- define "ksmalloc.way" -}}
{{ .Values.library.from | default (ternary "node" "volume" .Values.node.enabled) }}
{{- end }}

{{/* Each release has a folder of its own: pods that run keep theirs. include "ksmalloc.folder" (list . TAG), as above */}}
{{- define "ksmalloc.folder" -}}
{{- $top := index . 0 -}}
{{ $top.Values.library.folder }}/{{ include "ksmalloc.tag" . }}
{{- end }}
