{{/*
The container of a switcher, as a list of one: of the chart's own stages, and for pods of other charts that have this one as a dependency.
Takes {image, pipeline, stage, scalerAddress, cores, memoryMiB} and where the usual does not do {pullPolicy, logLevel, extraEnv, tlsSecret,
showToken, preStopSeconds}. The pod has the volumes of "variscale.switcherVolumes", and a terminationGracePeriodSeconds of 40 more than preStopSeconds: the hook,
25 s to drain, and some more. It listens on 8000 to 8003: another server of the pod must not.
*/}}
{{- define "variscale.switcherSidecar" -}}
- name: switcher
  image: {{ .image }}
  imagePullPolicy: {{ .pullPolicy | default "IfNotPresent" }}
  securityContext: {{- include "variscale.containerSecurity" . | nindent 4 }}
  args:
    - switcher
    - --config={{ include "variscale.pipelineFolder" .pipeline }}/switcher-{{ .stage }}.json
    - --pod=$(POD_NAME)
    - --advertise-address=$(POD_IP):8000
    - --scaler-address={{ .scalerAddress }}
    {{- if .tlsSecret }}
    - --tls-folder=/etc/variscale/tls
    {{- end }}
    {{- if .showToken }}
    - --scaler-token-file=/var/run/secrets/variscale/token
    {{- end }}
    - --log-level={{ .logLevel | default "info" }}
  env:
    - name: POD_NAME
      valueFrom: { fieldRef: { fieldPath: metadata.name } }
    - name: POD_IP
      valueFrom: { fieldRef: { fieldPath: status.podIP } }
    {{- with .extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    - { name: http, containerPort: 8000 }
    - { name: grpc, containerPort: 8001 }
    - { name: metrics, containerPort: 8003 }
  startupProbe:
    httpGet: { path: /v2/health/ready, port: http }
    periodSeconds: 1
    failureThreshold: 300
  readinessProbe:
    httpGet: { path: /v2/health/ready, port: http }
    periodSeconds: 2
    # Passed over for being busy, it would leave the others busier.
    timeoutSeconds: 5
    failureThreshold: 2
  livenessProbe:
    httpGet: { path: /v2/health/live, port: http }
    periodSeconds: 10
    timeoutSeconds: 5
  lifecycle:
    preStop: { sleep: { seconds: {{ hasKey . "preStopSeconds" | ternary .preStopSeconds 10 }} } }
  resources:
    requests: { cpu: {{ .cores | quote }}, memory: {{ .memoryMiB | int }}Mi }
    limits: { cpu: {{ .cores | quote }}, memory: {{ .memoryMiB | int }}Mi }
  volumeMounts:
    - { name: models, mountPath: /models, readOnly: true }
    - { name: pipeline, mountPath: {{ include "variscale.pipelineFolder" .pipeline }}, readOnly: true }
    - { name: state, mountPath: /var/lib/variscale }
    {{- if .tlsSecret }}
    - { name: tls, mountPath: /etc/variscale/tls, readOnly: true }
    {{- end }}
    {{- if .showToken }}
    - { name: token, mountPath: /var/run/secrets/variscale, readOnly: true }
    {{- end }}
{{- end -}}

{{/*
Volumes of the pod of a switcher, as a list. Takes {models, pipelineVolume, tlsSecret, showToken, tokenAudience}: `models` is a volume's source with the model files, and
`pipelineVolume` one with what the chart put into the pipeline's ConfigMap: (dict "configMap" (dict "name" "RELEASE-variscale-PIPELINE")).
*/}}
{{- define "variscale.switcherVolumes" -}}
- name: models
  {{- toYaml .models | nindent 2 }}
- name: pipeline
  {{- toYaml .pipelineVolume | nindent 2 }}
- name: state
  emptyDir: { sizeLimit: 16Mi }
{{- with .tlsSecret }}
- name: tls
  secret: { secretName: {{ . }} }
{{- end }}
{{- if .showToken }}
# For the scaler alone, which has it reviewed; the kubelet renews it when four fifths of it are over.
- name: token
  projected:
    sources:
      - serviceAccountToken: { audience: {{ .tokenAudience | default "variscale" }}, expirationSeconds: 3600, path: token }
{{- end }}
{{- end -}}
