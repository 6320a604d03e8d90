{{/*
The pipelines with everything that the templates take from their files, as YAML: {list: [{name, file, mode, values, stages: [{name, fullname,
spec, config, target, account, makeAccount}], folder: {path: text}}]}. What can't work is refused here, in the words of the value that must change.
*/}}
{{- define "variscale.pipelines" -}}
{{- $root := . -}}
{{- $list := list -}}
{{- $owners := dict -}}
{{- if not (or .Values.pipelines .Values.scaler.pipelinesFrom) -}}
{{- fail "pipelines: must have at least one, or scaler.pipelinesFrom say where they are; a file: --set-file pipelines.NAME.file=pipeline.yaml" -}}
{{- end -}}
{{- range $name, $given := .Values.pipelines -}}
{{- $values := mergeOverwrite (include "variscale.pipelineDefaults" $root | fromYaml) (deepCopy $given) -}}
{{- $where := printf "pipelines.%s" $name -}}
{{- $file := include "variscale.pipelineFile" (dict "where" $where "name" $name "values" $values "root" $root) | fromYaml -}}
{{- $measurements := $values.measurements | default dict -}}
{{- if kindIs "string" $measurements -}}
{{- $measurements = fromJson $measurements -}}
{{- if hasKey $measurements "Error" -}}
{{- fail (printf "%s.measurements: is not JSON: %s" $where $measurements.Error) -}}
{{- end -}}
{{- end -}}
{{- $stages := list -}}
{{- range $stage := $file.spec.stages -}}
{{- $fullname := printf "%s-%s-%s" (include "variscale.fullname" $root) $name $stage.name -}}
{{- if or (contains "." $fullname) (gt (len $fullname) 54) -}}
{{- fail (printf "%s: %s, the name of what belongs to stage %s, must have no dot and at most 54 characters: KEDA and Kubernetes make longer names of it; set fullnameOverride or rename" $where $fullname $stage.name) -}}
{{- end -}}
{{- if hasKey $owners $fullname -}}
{{- fail (printf "%s: the objects of its stage %s would be named %s like those of %s: rename the stage or the pipeline" $where $stage.name $fullname (get $owners $fullname)) -}}
{{- end -}}
{{- $_ := set $owners $fullname (printf "stage %s of %s" $stage.name $where) -}}
{{- $config := include "variscale.switcherConfig" (dict "pipeline" $file.metadata "stage" $stage "measurements" $measurements) | fromYaml -}}
{{- $own := dict "apiVersion" "apps/v1" "kind" "Deployment" "name" $fullname -}}
{{- $target := get ($values.stages.targets | default dict) $stage.name -}}
{{- if and (not $values.stages.enabled) (not $target) $root.Values.scaledObjects.enabled -}}
{{- fail (printf "%s.stages.targets: must have %s, for stages are not enabled" $where $stage.name) -}}
{{- end -}}
{{- $makeAccount := and $root.Values.switcher.serviceAccountPerStage $values.stages.enabled (not $target) (not $stage.serviceAccounts) -}}
{{- if $makeAccount -}}
{{- $_ := set $stage "serviceAccounts" (list $fullname) -}}
{{- end -}}
{{- $account := first ($stage.serviceAccounts | default (list (include "variscale.switcherAccountName" $root))) -}}
{{- $stages = append $stages (dict "name" $stage.name "fullname" $fullname "spec" $stage "config" $config "target" (default $own $target) "account" $account "makeAccount" $makeAccount) -}}
{{- end -}}
{{- range $target, $_ := $values.stages.targets -}}
{{- $known := list -}}
{{- range $stages -}}{{- $known = append $known .name -}}{{- end -}}
{{- if not (has $target $known) -}}
{{- fail (printf "%s.stages.targets.%s: is not a stage of the pipeline: %s" $where $target (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.stages.enabled (not $values.models.prepare) (not $values.models.volume) -}}
{{- fail (printf "%s.models: must have `volume` with the model files, or `prepare: true`" $where) -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $values.stages.enabled) -}}
{{- fail (printf "%s.gateway.enabled: must be false where stages are not enabled: the gateway finds switchers by the stages' Services" $where) -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $file.spec.code) -}}
{{- fail (printf "%s.gateway.enabled: must be false for a pipeline whose file names no code" $where) -}}
{{- end -}}
{{- $folder := include "variscale.pipelineFiles" (dict "where" $where "file" $file "values" $values "stages" $stages) | fromYaml -}}
{{- $list = append $list (dict "name" $name "file" $file "values" $values "mode" $file.spec.mode "stages" $stages "folder" $folder) -}}
{{- end -}}
{{- dict "list" $list | toYaml -}}
{{- end -}}

{{- define "variscale.pipelineDefaults" -}}
files: {}
measurements: ""
estimators: ""
loadSource: ""
stages: { enabled: true, targets: {} }
models: { prepare: false, volume: {} }
gateway: { enabled: true }
{{- end -}}

{{/* The pipeline file with the namespace, the mode and the load source that the chart gives it. */}}
{{- define "variscale.pipelineFile" -}}
{{- $file := .values.file -}}
{{- if not $file -}}
{{- fail (printf "%s.file: is missing: --set-file %s.file=pipeline.yaml" .where .where) -}}
{{- end -}}
{{- if kindIs "string" $file -}}
{{- $file = fromYaml $file -}}
{{- if hasKey $file "Error" -}}
{{- fail (printf "%s.file: is not YAML: %s" .where $file.Error) -}}
{{- end -}}
{{- end -}}
{{- $metadata := $file.metadata | default dict -}}
{{- if ne ($metadata.name | default "") .name -}}
{{- fail (printf "%s.file: metadata.name must be %s (is: %s)" .where .name ($metadata.name | default "missing")) -}}
{{- end -}}
{{- $namespace := $metadata.namespace | default .root.Release.Namespace -}}
{{- if ne $namespace .root.Release.Namespace -}}
{{- fail (printf "%s.file: metadata.namespace must be that of the release, %s (is: %s)" .where .root.Release.Namespace $namespace) -}}
{{- end -}}
{{- if not (dig "spec" "stages" list $file) -}}
{{- fail (printf "%s.file: spec.stages: must have at least one stage" .where) -}}
{{- end -}}
{{- $mode := dig "spec" "mode" "shadow" $file -}}
{{- if ne .root.Values.mode "file" -}}
{{- $mode = .root.Values.mode -}}
{{- end -}}
{{- $source := dig "spec" "load" "source" "gateway" $file -}}
{{- if or .values.gateway.enabled .values.loadSource -}}
{{- $source = .name -}}
{{- else if not (hasKey .root.Values.scaler.loadSources $source) -}}
{{- fail (printf "%s: nothing says where its load source `%s` is: enable its gateway, or set %s.loadSource or scaler.loadSources.%s" .where $source .where $source) -}}
{{- end -}}
{{- $given := dict "metadata" (dict "namespace" $namespace) "spec" (dict "mode" $mode "load" (dict "source" $source)) -}}
{{- if .values.measurements -}}
{{- $_ := set $given.spec "measurements" "measurements.json" -}}
{{- end -}}
{{- if .values.estimators -}}
{{- $_ := set $given.spec "accuracy" (dict "estimators" "drift.json") -}}
{{- end -}}
{{- mergeOverwrite (deepCopy $file) $given | toYaml -}}
{{- end -}}

{{/*
What stands beside each other in the pipeline's folder, by path, as YAML. What the pipeline file names must be there: where it is not, the
scaler would begin without it.
*/}}
{{- define "variscale.pipelineFiles" -}}
{{- $where := .where -}}
{{- $spec := .file.spec -}}
{{- $folder := dict "pipeline.yaml" (toYaml .file) -}}
{{- range .stages -}}
{{- $_ := set $folder (printf "switcher-%s.json" .name) (toJson .config) -}}
{{- end -}}
{{- range $value, $name := dict "measurements" "measurements.json" "estimators" "drift.json" -}}
{{- with get $.values $value -}}
{{- $_ := set $folder $name (kindIs "string" . | ternary . (toJson .)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $text := .values.files -}}
{{- if hasKey $folder $name -}}
{{- fail (printf "%s.files: must not have %s, which is made of other values" $where $name) -}}
{{- end -}}
{{- $_ := set $folder $name $text -}}
{{- end -}}
{{- $named := dict "measurements" ($spec.measurements | default "") "estimators" (dig "accuracy" "estimators" "" $spec) -}}
{{- range $value, $name := $named -}}
{{- if and $name (not (hasKey $folder $name)) -}}
{{- fail (printf "%s.%s: is missing, and the pipeline file names %s: --set-file %s.%s=%s" $where $value $name $where $value $name) -}}
{{- end -}}
{{- end -}}
{{- $code := $spec.code | default "" | toString -}}
{{- if and (hasPrefix "./" $code) (not (hasKey $folder (trimPrefix "./" $code))) -}}
{{- $name := trimPrefix "./" $code -}}
{{- fail (printf "%s.files: must have %s, the code that the pipeline file names: --set-file '%s.files.%s=%s'" $where $name $where (replace "." "\\." $name) $name) -}}
{{- end -}}
{{- $bytes := 0 -}}
{{- $keys := dict -}}
{{- range $path, $text := $folder -}}
{{- $bytes = add $bytes (len $text) (len $path) -}}
{{- $key := include "variscale.fileKey" $path -}}
{{- if hasKey $keys $key -}}
{{- fail (printf "%s.files: %s and %s would be one key, %s, of the ConfigMap: rename one" $where (get $keys $key) $path $key) -}}
{{- end -}}
{{- $_ := set $keys $key $path -}}
{{- end -}}
{{- if gt $bytes 1000000 -}}
{{- fail (printf "%s: its files have %d bytes together, and a ConfigMap holds 1,000,000: build what is large into the image" $where $bytes) -}}
{{- end -}}
{{- toYaml $folder -}}
{{- end -}}

{{/* The ConfigMap's key of a file: keys have no slash, and volumes bring it back. */}}
{{- define "variscale.fileKey" -}}{{ replace "/" "__" . }}{{- end -}}

{{/* The ConfigMap of a pipeline as a volume's source, each file at its path. Takes {root, name, folder}. */}}
{{- define "variscale.pipelineVolume" -}}
configMap:
  name: {{ include "variscale.fullname" .root }}-{{ .name }}
  {{- $nested := false }}
  {{- range $path, $_ := .folder }}{{ if contains "/" $path }}{{ $nested = true }}{{ end }}{{ end }}
  {{- if $nested }}
  items:
    {{- range $path, $_ := .folder }}
    - { key: {{ include "variscale.fileKey" $path }}, path: {{ $path }} }
    {{- end }}
  {{- end }}
{{- end -}}

{{/* What a switcher of the stage is told at its start, beside its flags. */}}
{{- define "variscale.switcherConfig" -}}
{{- $profiles := dig "stages" .stage.name dict .measurements -}}
{{- $accuracies := dig "accuracy" "stages" .stage.name dict .measurements -}}
{{- $variants := list -}}
{{- $thresholds := dict -}}
{{- range .stage.variants -}}
{{- $learnt := get $accuracies .name | default dict -}}
{{- if hasKey $learnt "confidenceThreshold" -}}
{{- $_ := set $thresholds .name (get $learnt "confidenceThreshold") -}}
{{- end -}}
{{- $profile := get $profiles .name | default (.profile | default dict) -}}
{{- $points := list -}}
{{- range get $profile "points" | default list -}}
{{- $points = append $points (pick . "batch" "latencyMs" "scv") -}}
{{- end -}}
{{- $variants = append $variants (dict "name" .name "driver" (.driver | default "onnx") "model" .model "sha256" .sha256 "url" .url "loadMs" (get $profile "loadMs" | default nil) "memoryMiB" (get $profile "memoryMiB" | default nil) "points" $points) -}}
{{- end -}}
{{- $accuracy := .stage.accuracy -}}
{{- if $accuracy -}}
{{- $accuracy = merge (dict "thresholds" (merge dict (get $accuracy "thresholds" | default dict) $thresholds)) $accuracy -}}
{{- end -}}
{{- dict
  "pipeline" (pick .pipeline "namespace" "name")
  "stage" .stage.name
  "contract" .stage.contract
  "variants" $variants
  "defaultVariant" .stage.defaultVariant
  "modelFolder" "/models"
  "cores" (.stage.cores | default 1)
  "memoryMiB" (.stage.memoryMiB | default 1024)
  "host" "0.0.0.0"
  "stateFile" "/var/lib/variscale/assignment.json"
  "golden" (.stage.golden | default list)
  "accuracy" $accuracy
| toYaml -}}
{{- end -}}

{{/* Where the files of a pipeline are in pods, beside each other. */}}
{{- define "variscale.pipelineFolder" -}}/app/mounted/{{ . }}{{- end -}}
