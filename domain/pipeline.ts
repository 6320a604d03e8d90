import type { AccuracyEstimator } from "./accuracy-estimate.ts";
import type { LoadQuery } from "./load-query.ts";
import type { ModelPackage, Objective, PipelineFile, Slo, StageFile } from "./pipeline-schema.ts";
import type { MeasuredCombination, Profile } from "./profile-schema.ts";
import type { Serving } from "./serving/serving-schema.ts";

/** What identifies a pipeline in every API; its text form is `namespace/name`. */
export interface PipelineKey {
  readonly namespace: string;
  readonly name: string;
}

export function formatKey(key: PipelineKey): string {
  return `${key.namespace}/${key.name}`;
}

/** Kubernetes names pods and namespaces so, and the pipeline file its pipelines and stages. */
export const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
export const DNS_NAME_RULE =
  "must be a DNS name: at most 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends";

/** One model that can serve a stage. */
export interface Variant {
  readonly name: string;
  readonly driver: "onnx" | "remote" | "emulated";
  /** Path inside the model folder; of a remote one its name in the other server. */
  readonly model: string;
  /** Null: it is remote, and has no file. */
  readonly sha256: string | null;
  /** Of the other server, where it is remote; else null. */
  readonly url: string | null;
  /** Name of the package that the model comes from; null: it comes with the pipeline or variscale. */
  readonly package: string | null;
  /** Accuracy on right inputs, 0 to 1; null: not known. */
  readonly accuracy: number | null;
  /** Null: not measured, so it can't be planned with. */
  readonly profile: Profile | null;
}

export interface Stage
  extends Pick<
    StageFile,
    | "name"
    | "cores"
    | "memoryMiB"
    | "serviceAccounts"
    | "replicas"
    | "contract"
    | "defaultVariant"
    | "recovery"
    | "votes"
    | "golden"
    | "accuracy"
  > {
  /** Stages that must be done before it; none: it starts when the request does. */
  readonly dependsOn: readonly string[];
  /** The first of them, whose rows its own are counted from; null: there is none. */
  readonly upstream: string | null;
  /** Of one replica; null: not stated. */
  readonly costPerHour: number | null;
  /** Rows of this stage for each row of its upstream stage; of an entry stage for each request. */
  readonly fanOut: { readonly default: number; readonly byUpstreamVariant: Readonly<Record<string, number>> };
  readonly variants: readonly Variant[];
}

/** Stages under one end-to-end SLO: a chain or a graph; stages come after those that they depend on. */
export interface Pipeline {
  readonly key: PipelineKey;
  readonly mode: "shadow" | "active";
  readonly intervalMs: number;
  /** Capacity is given back only for the highest demand of this window. */
  readonly scaleDownMs: number;
  readonly slo: Slo;
  readonly objective: Objective;
  readonly serving: Serving;
  readonly loadSource: string;
  /** Null: the source's default. */
  readonly loadQuery: LoadQuery | null;
  /** Module specifier of the pipeline's own code; null: clients call the stages themselves. */
  readonly code: string | null;
  readonly packages: readonly ModelPackage[];
  /** The file that it names for what was measured; null: it names none. */
  readonly measurements: { readonly file: string; readonly isThere: boolean } | null;
  readonly stages: readonly Stage[];
  readonly accuracy: {
    readonly method: PipelineFile["spec"]["accuracy"]["method"];
    readonly combinations: readonly MeasuredCombination[];
    /** What estimates accuracy without labels, for each combination; empty: it is not estimated. */
    readonly estimators: readonly AccuracyEstimator[];
    /** While accuracy has drifted, combinations that may be better are tried. */
    readonly trials: boolean;
  };
  /** The gateway's own work for one request. */
  readonly overhead: { readonly latencyMs: number; readonly cpuMs: number };
}

export function findStage(pipeline: Pipeline, name: string): Stage | undefined {
  return pipeline.stages.find(stage => stage.name === name);
}

export function findVariant(stage: Stage, name: string): Variant | undefined {
  return stage.variants.find(variant => variant.name === name);
}

/** The stage with so many times its fan-out, whatever its upstream stage serves. */
export function withFanOutTimes(stage: Stage, factor: number): Stage {
  if (factor === 1) return stage;
  const { default: other, byUpstreamVariant } = stage.fanOut;
  const rows = Object.entries(byUpstreamVariant).map(([variant, count]) => [variant, factor * count] as const);
  return { ...stage, fanOut: { default: factor * other, byUpstreamVariant: Object.fromEntries(rows) } };
}

/** Rows of `stage` for each row of its upstream stage when that one serves `upstreamVariant`. */
export function fanOutOf(stage: Stage, upstreamVariant: string | null): number {
  const { byUpstreamVariant, default: other } = stage.fanOut;
  if (upstreamVariant === null || !Object.hasOwn(byUpstreamVariant, upstreamVariant)) return other;
  return byUpstreamVariant[upstreamVariant] ?? other;
}
