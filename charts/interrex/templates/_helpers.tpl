{{- define "interrex.name" -}}
{{ .Release.Name | trunc 54 | trimSuffix "-" }}-operator
{{- end }}

{{- define "interrex.selector" -}}
app.kubernetes.io/name: interrex-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "interrex.labels" -}}
{{ include "interrex.selector" . }}
app.kubernetes.io/part-of: interrex
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "interrex.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "interrex.subject" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "interrex.name" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}
