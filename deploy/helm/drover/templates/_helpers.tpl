{{/* An image, by digest if there is one: include "drover.image" (list . .Values.images.operator) */}}
{{- define "drover.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "drover.labels" -}}
app.kubernetes.io/part-of: drover
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* The common part of the pods of operator and service. */}}
{{- define "drover.pod" -}}
enableServiceLinks: false
terminationGracePeriodSeconds: 30
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.user }}
  runAsGroup: {{ .Values.user }}
  fsGroup: {{ .Values.user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
volumes:
  - name: tmp
    emptyDir: {}
  {{- with .notifyKeys }}
  - name: notify-keys
    secret: {secretName: {{ . }}, optional: true}
  {{- end }}
  {{- with .Values.store.claim }}
  - name: store
    persistentVolumeClaim:
      claimName: {{ . }}
  {{- end }}
{{- end -}}

{{- define "drover.container" -}}
{{- with .Values.images.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
startupProbe:
  httpGet: {path: /live, port: probe}
  periodSeconds: 2
  failureThreshold: 75
livenessProbe:
  httpGet: {path: /live, port: probe}
  periodSeconds: 10
  failureThreshold: 6
  terminationGracePeriodSeconds: 10
readinessProbe:
  httpGet: {path: /ready, port: probe}
  periodSeconds: 5
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .notifyKeys }}
  - name: notify-keys
    mountPath: /notify-keys
    readOnly: true
  {{- end }}
  {{- if .Values.store.claim }}
  - name: store
    mountPath: {{ .Values.store.url }}
  {{- end }}
{{- end -}}

{{- define "drover.env" -}}
- name: DROVER_STORE
  value: {{ required "store.url: say where inputs, outputs and records are" .Values.store.url | quote }}
- name: DROVER_BROKER
  valueFrom:
    secretKeyRef:
      name: {{ .Values.broker.secret }}
      key: {{ .Values.broker.key }}
- name: DROVER_LISTEN
  value: 0.0.0.0:8080
- name: DROVER_LOG
  value: {{ .Values.log }}
{{- end -}}
