import { formatKey, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { ourTrigger, type ScaledObject } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Whether every stage of a pipeline has its one ScaledObject, with bounds that meet those of the file. */
export function checkCoverage(pipeline: Pipeline, scaledObjects: readonly ScaledObject[]): readonly Finding[] {
  const where = `pipeline ${formatKey(pipeline.key)}`;
  const stageOf = (scaledObject: ScaledObject) => ourTrigger(scaledObject)?.metadata["stage"];
  const findings = pipeline.stages.flatMap(stage => {
    const of = scaledObjects.filter(scaledObject => stageOf(scaledObject) === stage.name);
    const [first] = of;
    if (!first)
      return [
        fail("coverage", where, `no ScaledObject scales stage ${stage.name}`, "`variscale manifests` writes one"),
      ];
    if (of.length > 1)
      return [
        fail(
          "coverage",
          where,
          `${of.length} ScaledObjects scale stage ${stage.name}: ${of.map(({ metadata }) => metadata.name).join(", ")}`,
          "leave one",
        ),
      ];
    return checkBounds(stage, first);
  });
  const unknown = scaledObjects.filter(one => !pipeline.stages.some(stage => stage.name === stageOf(one)));
  for (const scaledObject of unknown)
    findings.push(
      fail(
        "coverage",
        `scaledobject ${scaledObject.metadata.namespace}/${scaledObject.metadata.name}`,
        `names stage ${stageOf(scaledObject)}, which the pipeline does not have`,
        `write one of: ${pipeline.stages.map(stage => stage.name).join(", ")}`,
      ),
    );
  return findings.length > 0 ? findings : [ok("coverage", where, "every stage has its ScaledObject")];
}

function checkBounds(stage: Stage, { metadata, spec }: ScaledObject): Finding[] {
  const where = `scaledobject ${metadata.namespace}/${metadata.name}`;
  const live = { min: spec.minReplicaCount ?? 0, max: spec.maxReplicaCount ?? 100 };
  const { min, max } = stage.replicas;
  const both = `allows ${live.min} to ${live.max} replicas and the pipeline file ${min} to ${max}`;
  if (live.min > max || live.max < min)
    return [fail("bounds", where, `${both}: no count is within both`, "make them meet")];
  if (live.max < max || live.min > min)
    return [warn("bounds", where, `${both}: what is in both is planned with`, "make them equal, if that is not meant")];
  return [];
}
