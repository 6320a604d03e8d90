import {
  type ConfigMapFiles,
  describeNamed,
  type NamingObject,
  PIPELINE_ANNOTATION,
  problemOfStranger,
  strangersTo,
} from "../../scaler/described-pipeline.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const FIX = `correct it: the scaler takes it as soon as it can be read. Without the annotation ${PIPELINE_ANNOTATION} it is not looked for`;

/**
 * Whether the ConfigMap that ScaledObjects name describes their pipeline.
 *
 * @param naming those of one namespace that name the same.
 * @param files undefined: it is not there.
 */
export function checkNamed(naming: readonly NamingObject[], files: ConfigMapFiles | undefined): readonly Finding[] {
  const [first] = naming;
  if (!first) return [];
  const { pipeline, problem } = describeNamed(naming, files, [], null);
  if (pipeline === undefined) return [fail("pipeline-annotation", whereOf(first), problem, FIX)];
  const { name } = pipeline.key;
  const strangers = strangersTo(name, naming);
  if (strangers.length > 0)
    return strangers.map(one => fail("pipeline-annotation", whereOf(one), problemOfStranger(name, one), FIX));
  const told = `ConfigMap ${first.namespace}/${first.configMap} describes pipeline ${name}`;
  return [ok("pipeline-annotation", whereOf(first), told)];
}

/**
 * Whether a scaler looks at the annotations of its ScaledObjects.
 *
 * @param pipelinesFrom what of the cluster describes its pipelines.
 */
export function checkFollowed(
  naming: readonly NamingObject[],
  pipelinesFrom: readonly string[],
  where: string,
): readonly Finding[] {
  if (naming.length === 0 || pipelinesFrom.includes("scaledobjects")) return [];
  const names = naming.map(({ namespace, name }) => `${namespace}/${name}`).join(", ");
  return [
    warn(
      "pipeline-annotation",
      where,
      `does not look at the annotation ${PIPELINE_ANNOTATION}, which ScaledObjects have that ask it: ${names}`,
      "start it with --pipelines-from scaledobjects (`scaler.pipelinesFrom` of the chart), or remove the annotation",
    ),
  ];
}

function whereOf({ namespace, name }: NamingObject): string {
  return `scaledobject ${namespace}/${name}`;
}
