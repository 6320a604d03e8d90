import type { AccuracyMethod } from "../../domain/accuracy-method.ts";
import type { Pipeline, Stage, Variant } from "../../domain/pipeline.ts";
import type { Objective } from "../../domain/pipeline-schema.ts";
import type { Problem } from "../../optimizer/problem.ts";

export interface VariantShape {
  readonly name: string;
  readonly accuracy?: number | null;
  /** Service time by batch size; null: not profiled. */
  readonly latencyMs: Readonly<Record<number, number>> | null;
  readonly scv?: number;
  /** That it was profiled at; default: the stage's. */
  readonly cores?: number;
}

export interface StageShape {
  readonly name: string;
  readonly variants: readonly VariantShape[];
  readonly cores?: number;
  readonly costPerHour?: number | null;
  readonly replicas?: { readonly min: number; readonly max: number };
  /** Default: the stage before it. */
  readonly dependsOn?: readonly string[];
  readonly recovery?: number;
  readonly fanOut?: number;
  readonly fanOutByUpstreamVariant?: Readonly<Record<string, number>>;
  readonly defaultVariant?: string;
  readonly votes?: NonNullable<Stage["votes"]>;
}

export interface PipelineShape {
  readonly stages: readonly StageShape[];
  readonly sloMs?: number;
  readonly quantile?: number;
  readonly objective?: Partial<Objective>;
  readonly serving?: Partial<Pipeline["serving"]>;
  readonly overhead?: Pipeline["overhead"];
  readonly combinations?: Pipeline["accuracy"]["combinations"];
  readonly method?: AccuracyMethod;
}

export const WEIGHTS: Objective["weights"] = { accuracy: 1, cost: 0.005, batch: 1e-6, switch: 0.002 };

export function pipelineOf(shape: PipelineShape): Pipeline {
  return {
    key: { namespace: "default", name: "test" },
    mode: "active",
    intervalMs: 10_000,
    scaleDownMs: 20_000,
    slo: { latencyMs: shape.sloMs ?? 500, quantile: shape.quantile ?? 0.95 },
    objective: {
      policy: "default",
      weights: WEIGHTS,
      utilisation: 0.75,
      balancing: "leastWork",
      podShape: "stage",
      ...shape.objective,
    },
    serving: { rule: "ladder", headroom: 0.75, floor: {}, shadow: false, ...shape.serving },
    loadSource: "gateway",
    loadQuery: null,
    code: null,
    measurements: null,
    packages: [],
    stages: shape.stages.map((stage, index) => stageOf(stage, shape.stages[index - 1]?.name ?? null)),
    accuracy: {
      method: shape.method ?? "table",
      combinations: shape.combinations ?? [],
      estimators: [],
      trials: false,
    },
    overhead: shape.overhead ?? { latencyMs: 0, cpuMs: 0 },
  };
}

export function problemOf(pipeline: Pipeline, rateRps: number, more: Partial<Problem> = {}): Problem {
  return {
    pipeline,
    rateRps,
    current: null,
    corrections: {},
    excluded: {},
    pins: [],
    limits: { cores: null, machineCores: null },
    bounds: {},
    ...more,
  };
}

function stageOf(shape: StageShape, before: string | null): Stage {
  const dependsOn = shape.dependsOn ?? (before === null ? [] : [before]);
  return {
    name: shape.name,
    cores: shape.cores ?? 1,
    memoryMiB: 1024,
    serviceAccounts: [],
    replicas: shape.replicas ?? { min: 1, max: 10 },
    contract: {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
    },
    defaultVariant: shape.defaultVariant ?? shape.variants[0]?.name ?? "",
    dependsOn,
    upstream: dependsOn[0] ?? null,
    recovery: shape.recovery ?? 0,
    ...(shape.votes && { votes: shape.votes }),
    golden: [],
    costPerHour: shape.costPerHour ?? null,
    fanOut: { default: shape.fanOut ?? 1, byUpstreamVariant: shape.fanOutByUpstreamVariant ?? {} },
    variants: shape.variants.map(variant => variantOf(variant, shape.cores ?? 1)),
  };
}

function variantOf(shape: VariantShape, cores: number): Variant {
  const points = Object.entries(shape.latencyMs ?? {})
    .map(([batch, latencyMs]) => ({ batch: Number(batch), latencyMs, scv: shape.scv ?? 0.02 }))
    .sort((a, b) => a.batch - b.batch);
  return {
    name: shape.name,
    driver: "onnx",
    model: `${shape.name}.onnx`,
    package: null,
    sha256: "0".repeat(64),
    url: null,
    accuracy: shape.accuracy ?? null,
    profile: shape.latencyMs === null ? null : { cores: shape.cores ?? cores, loadMs: 100, points },
  };
}
