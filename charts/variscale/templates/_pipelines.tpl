{{/*
The pipelines with everything that the templates take from their files, as YAML: {list: [{name, file, mode, values, stages: [{name, fullname,
spec, config, target}]}]}. What can't work is refused here, in the words of the value that must change.
*/}}
{{- define "variscale.pipelines" -}}
{{- $root := . -}}
{{- $list := list -}}
{{- $owners := dict -}}
{{- if not .Values.pipelines -}}
{{- fail "pipelines: must have at least one; its file: --set-file pipelines.NAME.file=pipeline.yaml" -}}
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
{{- $stages = append $stages (dict "name" $stage.name "fullname" $fullname "spec" $stage "config" $config "target" (default $own $target)) -}}
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
{{- $list = append $list (dict "name" $name "file" $file "values" $values "mode" $file.spec.mode "stages" $stages) -}}
{{- end -}}
{{- dict "list" $list | toYaml -}}
{{- end -}}

{{- define "variscale.pipelineDefaults" -}}
files: {}
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
{{- mergeOverwrite (deepCopy $file) $given | toYaml -}}
{{- end -}}

{{/* What a switcher of the stage is told at its start, beside its flags. */}}
{{- define "variscale.switcherConfig" -}}
{{- $profiles := dig "stages" .stage.name dict .measurements -}}
{{- $variants := list -}}
{{- range .stage.variants -}}
{{- $profile := get $profiles .name | default (.profile | default dict) -}}
{{- $variants = append $variants (dict "name" .name "model" .model "sha256" .sha256 "loadMs" (get $profile "loadMs" | default nil) "memoryMiB" (get $profile "memoryMiB" | default nil)) -}}
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
| toYaml -}}
{{- end -}}

{{/* The files of a pipeline as a volume's items, beside each other. */}}
{{- define "variscale.pipelineFolder" -}}/app/mounted/{{ . }}{{- end -}}
