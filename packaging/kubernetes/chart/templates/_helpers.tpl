{{/* An image: include "ksmalloc.image" (list . "sidecar" TAG), where an empty TAG is this release's */}}
{{- define "ksmalloc.image" -}}
{{- $top := index . 0 -}}
{{- with $top.Values.images.registry }}{{ . }}/{{ end }}ksmalloc-{{ index . 1 }}:{{ index . 2 | default $top.Values.images.tag | default $top.Chart.AppVersion }}
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
{{ $top.Values.library.folder }}/{{ index . 1 | default $top.Values.images.tag | default $top.Chart.AppVersion }}
{{- end }}
