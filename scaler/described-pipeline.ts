import { VariscaleError } from "../domain/errors.ts";
import { formatIssue } from "../domain/file-issue.ts";
import { parsePipelineFile } from "../domain/pipeline-file.ts";
import { setFields } from "../domain/set-fields.ts";
import type { PipelineDescription } from "./pipeline-admission.ts";

/** ConfigMaps with it are looked at, and no others. */
export const PIPELINE_LABEL = "variscale.dev/pipeline";
/** Key of a ConfigMap that is a pipeline by itself. */
export const PIPELINE_KEY = "pipeline.yaml";

/** Of a ScaledObject: the ConfigMap of its namespace that describes its pipeline, which needs no label then. */
export const PIPELINE_ANNOTATION = "variscale.dev/pipeline-configmap";

/** What is kept of an InferencePipeline. */
export interface PipelineObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** The object as a pipeline file, without what the API server adds. */
  readonly text: string;
  /** ConfigMap with the files that it names. */
  readonly files: string;
  /** False: `files` is the one of its own name. */
  readonly filesAreNamed: boolean;
}

/** What is kept of a ConfigMap with the label. */
export interface ConfigMapFiles {
  readonly namespace: string;
  readonly name: string;
  /** Texts by file name. */
  readonly data: Readonly<Record<string, string>>;
}

/** What is kept of a ScaledObject with the annotation. */
export interface NamingObject {
  readonly namespace: string;
  readonly name: string;
  /** As the annotation says. */
  readonly configMap: string;
  /** That its trigger asks for; null: it has none of ours. */
  readonly pipeline: string | null;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of the API server, whose schema holds it
type Json = any;

export function pipelineObject({ apiVersion, kind, metadata, spec }: Json): PipelineObject {
  const { name, namespace, uid, generation } = metadata;
  const named = spec?.filesFrom?.configMapRef?.name;
  return {
    namespace,
    name,
    uid: String(uid),
    generation: Number(generation ?? 0),
    text: JSON.stringify({ apiVersion, kind, metadata: { name, namespace }, spec }),
    files: typeof named === "string" ? named : name,
    filesAreNamed: typeof named === "string",
  };
}

export function configMapFiles({ metadata, data }: Json): ConfigMapFiles {
  return { namespace: metadata.namespace, name: metadata.name, data: data ?? {} };
}

/** Null: it names none. */
export function namingObject({ metadata, spec }: Json): NamingObject | null {
  const { namespace, name, annotations } = metadata;
  const configMap: unknown = annotations?.[PIPELINE_ANNOTATION];
  if (typeof configMap !== "string") return null;
  const ours = spec?.triggers?.find(
    (one: Json) => /^external(-push)?$/.test(one?.type) && typeof one.metadata?.pipeline === "string",
  );
  return { namespace, name, configMap, pipeline: ours?.metadata.pipeline ?? null };
}

/**
 * The pipeline of an object. A file that it names must be there: in a cluster a pipeline that was not measured is one whose ConfigMap
 * was forgotten.
 */
export function describeObject(
  object: PipelineObject,
  files: ConfigMapFiles | undefined,
  set: readonly string[],
): PipelineDescription {
  const missing: string[] = [];
  const description = describe(object.text, object.namespace, set, name => {
    const text = files?.data[name] ?? null;
    if (text === null) missing.push(name);
    return text;
  });
  if (description.pipeline === undefined || missing.length === 0) return description;
  const { namespace, files: configMap } = object;
  const where = files
    ? `ConfigMap ${namespace}/${configMap} has no such key: add ${missing.length === 1 ? "it" : "them"}`
    : `there is no ConfigMap ${namespace}/${configMap} with the label ${PIPELINE_LABEL}${object.filesAreNamed ? ", which `spec.filesFrom` names" : ""}: create it, or label it`;
  return { problem: `${missing.map(name => `\`${name}\``).join(", ")}, which the spec names: ${where}` };
}

/** The pipeline of a ConfigMap, whose other keys are the files beside it. */
export function describeConfigMap({ data, namespace }: ConfigMapFiles, set: readonly string[]): PipelineDescription {
  return describe(data[PIPELINE_KEY] ?? "", namespace, set, name => data[name] ?? null);
}

/**
 * The pipeline of a ConfigMap that ScaledObjects name, all of one namespace.
 *
 * @param tooMany so many others are followed already, and no more; null: it is followed.
 */
export function describeNamed(
  naming: readonly NamingObject[],
  files: ConfigMapFiles | undefined,
  set: readonly string[],
  tooMany: number | null,
): PipelineDescription {
  const [{ namespace, configMap, name } = { namespace: "", configMap: "", name: "" }] = naming;
  const where = `the annotation ${PIPELINE_ANNOTATION} of ScaledObject ${namespace}/${name}`;
  if (!isConfigMapName(configMap))
    return { problem: `${where} is ${JSON.stringify(configMap.slice(0, 80))}: it must be the name of a ConfigMap` };
  if (tooMany !== null)
    return {
      problem: `ConfigMap ${namespace}/${configMap}, which ${where} names, is not read: ${tooMany} others of the namespace are named already, and no more are followed. Give it the label ${PIPELINE_LABEL}, and the scaler --pipelines-from configmaps`,
    };
  if (files === undefined)
    return {
      problem: `there is no ConfigMap ${namespace}/${configMap}, which ${where} names: create it, or correct the name`,
    };
  if (!Object.hasOwn(files.data, PIPELINE_KEY))
    return {
      problem: `ConfigMap ${namespace}/${configMap}, which ${where} names, has no key \`${PIPELINE_KEY}\`: put the pipeline file there`,
    };
  const description = describeConfigMap(files, set);
  if (description.pipeline === undefined) return description;
  const described = description.pipeline.key.name;
  const strangers = strangersTo(described, naming);
  const [stranger] = strangers;
  return stranger && strangers.length === naming.length
    ? { problem: problemOfStranger(described, stranger) }
    : description;
}

/** Those whose triggers ask for another pipeline than the one that their ConfigMap describes. */
export function strangersTo(described: string, naming: readonly NamingObject[]): readonly NamingObject[] {
  return naming.filter(({ pipeline }) => pipeline !== null && pipeline !== described);
}

export function problemOfStranger(described: string, { namespace, name, configMap, pipeline }: NamingObject): string {
  return `ConfigMap ${namespace}/${configMap} describes pipeline ${described}, and ScaledObject ${namespace}/${name}, which names it, asks for ${pipeline}: correct \`metadata.name\` of the file, \`pipeline\` of the trigger, or the annotation`;
}

export function isConfigMapName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}

function describe(
  text: string,
  namespace: string,
  set: readonly string[],
  readBeside: (name: string) => string | null,
): PipelineDescription {
  try {
    const parsed = parsePipelineFile(setFields(text, set), readBeside, namespace);
    return parsed.ok ? { pipeline: parsed.pipeline } : { problem: parsed.issues.map(formatIssue).join("\n") };
  } catch (thrown) {
    return { problem: VariscaleError.from(thrown).message };
  }
}
