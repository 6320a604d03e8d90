{{- define "variscale.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "variscale.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "variscale.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "variscale.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "variscale.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-scaler" (include "variscale.fullname" .)) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What the chart's switchers run as, where the scaler knows them by it. */}}
{{- define "variscale.switcherAccountName" -}}
{{- include "variscale.fullname" . }}-switcher
{{- end -}}

{{/* Labels that never change. Takes {root, component, pipeline?, stage?}. */}}
{{- define "variscale.selectorLabels" -}}
app.kubernetes.io/name: {{ include "variscale.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pipeline }}
variscale.dev/pipeline: {{ . | quote }}
{{- end }}
{{- with .stage }}
variscale.dev/stage: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "variscale.labels" -}}
{{ include "variscale.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: variscale
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "variscale.image" -}}
{{- $repository := required "image.repository: must name where the image was pushed to" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What every container of the chart is, by the `restricted` standard. */}}
{{- define "variscale.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "variscale.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Not empty where several scalers share the pipelines. */}}
{{- define "variscale.isShared" -}}
{{- $scaler := .Values.scaler -}}
{{- if gt ($scaler.replicas | int) 1 -}}
{{- if not .Values.rbac.create -}}
{{- fail "scaler.replicas: must be 1 without rbac.create: several scalers need a Lease, and the right to it" -}}
{{- end -}}
{{- if $scaler.state.persistence.enabled -}}
{{- fail "scaler.state.persistence: must not be enabled with scaler.replicas above 1: they share plans and pins in ConfigMaps, and no volume; or set scaler.replicas=1" -}}
{{- end -}}
true
{{- end -}}
{{- end -}}

{{/* What proxies may take a port for: with TLS it is no plaintext HTTP/2. */}}
{{- define "variscale.plainGrpc" -}}
{{- if not (include "variscale.serverSecret" .) }}, appProtocol: kubernetes.io/h2c{{ end -}}
{{- end -}}

{{/* Where pods may be placed. Takes the values of the component. */}}
{{- define "variscale.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/*
Not empty where Helm sees the cluster, and so finds again what an earlier installation made: `helm template`, and tools that use it, see none.
It is asked once for each time that the chart is rendered, and only where something would be made. A Secret that was made before answers it; ServiceAccounts
are listed where there is none, as before a first installation: every namespace has one, and to list none is an answer too.
*/}}
{{- define "variscale.seesCluster" -}}
{{- if not (hasKey .Values "seesCluster") -}}
{{- $seen := false -}}
{{- range $suffix := list "scaler-token" "tls" -}}
{{- if not $seen -}}
{{- $seen = not (empty (lookup "v1" "Secret" $.Release.Namespace (printf "%s-%s" (include "variscale.fullname" $) $suffix))) -}}
{{- end -}}
{{- end -}}
{{- if not $seen -}}
{{- $seen = hasKey (lookup "v1" "ServiceAccount" .Release.Namespace "" | default dict) "items" -}}
{{- end -}}
{{- $_ := set .Values "seesCluster" ($seen | ternary "true" "") -}}
{{- end -}}
{{- .Values.seesCluster -}}
{{- end -}}

{{/* How the scaler knows switchers, for `auto` as well. */}}
{{- define "variscale.identity" -}}
{{- $identity := .Values.switcher.identity -}}
{{- if eq $identity "auto" -}}
{{- .Values.rbac.create | ternary "tokenReview" "none" -}}
{{- else -}}
{{- $identity -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the token that changes over HTTP must carry; empty where there is none, or the environment has it. */}}
{{- define "variscale.tokenSecret" -}}
{{- $token := .Values.scaler.token -}}
{{- $isGiven := false -}}
{{- range .Values.scaler.extraEnv -}}{{- if eq .name "VARISCALE_TOKEN" -}}{{- $isGiven = true -}}{{- end -}}{{- end -}}
{{- if $token.existingSecret -}}
{{- $token.existingSecret -}}
{{- else if and (include "variscale.makesToken" .) (not $isGiven) (include "variscale.seesCluster" .) -}}
{{- include "variscale.fullname" . }}-scaler-token
{{- end -}}
{{- end -}}

{{/* Not empty unless it was said that no token is made. Values of version 0.1.0 do not say. */}}
{{- define "variscale.makesToken" -}}
{{- if dig "create" true .Values.scaler.token -}}true{{- end -}}
{{- end -}}
