{{/* What a ScaledObject of a stage must be, by the only recipe that gives exact counts. Takes {root, pipeline, stage}: a name, and a stage of "variscale.pipelines". */}}
{{- define "variscale.scaledObjectSpec" -}}
{{- $least := dig "replicas" "min" 1 .stage.spec | int -}}
scaleTargetRef:
  apiVersion: {{ .stage.target.apiVersion | default "apps/v1" }}
  kind: {{ .stage.target.kind | default "Deployment" }}
  name: {{ .stage.target.name }}
  {{- with .stage.target.containerName }}
  envSourceContainerName: {{ . }}
  {{- end }}
minReplicaCount: {{ $least }}
maxReplicaCount: {{ dig "replicas" "max" 10 .stage.spec | int }}
{{- if eq $least 0 }}
pollingInterval: {{ .root.Values.scaledObjects.pollingInterval }}
cooldownPeriod: {{ .root.Values.scaledObjects.cooldownPeriod }}
{{- end }}
# Never fewer than there are when plans stop coming.
fallback:
  failureThreshold: {{ .root.Values.scaledObjects.fallback.failureThreshold }}
  replicas: {{ max 1 $least }}
  behavior: currentReplicasIfHigher
advanced:
  horizontalPodAutoscalerConfig:
    # Without tolerance every count is reached, at once and both ways.
    behavior:
      scaleUp:
        stabilizationWindowSeconds: 0
        tolerance: "0"
        selectPolicy: Max
        policies: [{ type: Pods, value: 1000, periodSeconds: 15 }]
      scaleDown:
        stabilizationWindowSeconds: 0
        tolerance: "0"
        selectPolicy: Max
        policies: [{ type: Percent, value: 100, periodSeconds: 15 }]
# One trigger alone: of several the autoscaler takes the highest.
triggers:
  - type: external-push
    metricType: AverageValue
    metadata:
      scalerAddress: {{ include "variscale.fullname" .root }}-scaler.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}:6000
      {{- if include "variscale.clientSecret" .root }}
      enableTLS: "true"
      {{- end }}
      pipeline: {{ .pipeline | quote }}
      stage: {{ .stage.name | quote }}
    {{- if include "variscale.clientSecret" .root }}
    authenticationRef: { name: {{ include "variscale.fullname" .root }}-scaler }
    {{- end }}
{{- end -}}
