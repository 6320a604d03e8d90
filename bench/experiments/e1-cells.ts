import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { UNTUNED } from "../../control/tuning.ts";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import { throughputRps } from "../../domain/profile.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import type { ForecastName } from "../../simulator/forecast-source.ts";
import { IPA_PIPELINES, type IpaPipeline, ipaPipeline } from "../ipa-pipelines.ts";
import { type ExperimentLoad, WARM_UP_SECONDS } from "./ipa-loads.ts";

/** SLO over the mean latency of a stage's variants: what IPA says, what its code does, and what a user would want. */
export const SLO_FACTORS = [25, 5, 2.5] as const;
export const PUBLISHED_FACTOR = 25;

export interface ExperimentCell {
  readonly pipeline: string;
  readonly load: string;
  readonly sloFactor: number;
  readonly contender: string;
  readonly seed: number;
}

export interface ExperimentCase {
  readonly cell: ExperimentCell;
  readonly given: SimulationCase;
}

/** One way to run a pipeline. */
export interface Contender {
  readonly name: string;
  readonly policy: PolicyName;
  readonly forecast: ForecastName;
  /** Plans for more than the load, as IPA's configurations have it. */
  readonly hasMargin?: boolean;
  /** Of the pipeline's own price of a core. */
  readonly costFactor?: number;
  /** Variants served by `static` and `reactive`, and by no lighter ones. */
  readonly fixed?: "lightest" | "heaviest";
  /** Replicas stay: twice what the lightest variants need at the highest second. */
  readonly isSized?: boolean;
  /** Largest batch; default: the pipeline's. */
  readonly batchingCap?: number;
  /** What is simulated in the place of the rest. */
  readonly change?: (given: SimulationCase) => SimulationCase;
}

const withUtilisation = (given: SimulationCase, utilisation: number): SimulationCase => ({
  ...given,
  pipeline: { ...given.pipeline, objective: { ...given.pipeline.objective, utilisation } },
});

/** Nothing lighter to go to. */
const heaviestAlone = (given: SimulationCase): SimulationCase => ({
  ...given,
  pipeline: {
    ...given.pipeline,
    stages: given.pipeline.stages.map(stage => ({ ...stage, variants: stage.variants.slice(-1) })),
  },
});

/** As many replicas as the SLO needs, not as a target of utilisation has: what is left of one is for chance. */
const tight = (given: SimulationCase): SimulationCase => withUtilisation(heaviestAlone(given), 0.95);

export const CONTENDERS: readonly Contender[] = [
  { name: "default", policy: "default", forecast: "variscale" },
  { name: "default, core ÷3", policy: "default", forecast: "variscale", costFactor: 1 / 3 },
  { name: "default, core ÷10", policy: "default", forecast: "variscale", costFactor: 1 / 10 },
  { name: "default, core ÷30", policy: "default", forecast: "variscale", costFactor: 1 / 30 },
  { name: "default, core ÷100", policy: "default", forecast: "variscale", costFactor: 1 / 100 },
  { name: "default, core ÷300", policy: "default", forecast: "variscale", costFactor: 1 / 300 },
  { name: "default, core ÷1000", policy: "default", forecast: "variscale", costFactor: 1 / 1000 },
  ...(
    [
      ["default, heaviest alone", heaviestAlone],
      ["default, heaviest alone, 95 % busy", tight],
      [
        "default, heaviest alone, 95 % busy, median",
        given => ({ ...tight(given), tuning: { ...UNTUNED, forecastQuantile: 0.5 } }),
      ],
    ] as const satisfies readonly (readonly [string, NonNullable<Contender["change"]>])[]
  ).map(([name, change]): Contender => ({ name, policy: "default", forecast: "variscale", fixed: "heaviest", change })),
  { name: "default, core ×5", policy: "default", forecast: "variscale", costFactor: 5 },
  { name: "oracle", policy: "oracle", forecast: "oracle" },
  { name: "ipa", policy: "ipa", forecast: "recentPeak", hasMargin: true },
  { name: "ipa, no margin", policy: "ipa", forecast: "recentPeak" },
  { name: "ipa, our forecast", policy: "ipa", forecast: "variscale" },
  { name: "infaas", policy: "infaas", forecast: "reactive" },
  { name: "modelSwitching", policy: "modelSwitching", forecast: "reactive", isSized: true },
  { name: "cocktail", policy: "cocktail", forecast: "reactive" },
  { name: "fa2Low", policy: "fa2Low", forecast: "recentPeak" },
  { name: "fa2High", policy: "fa2High", forecast: "recentPeak" },
  { name: "rim", policy: "rim", forecast: "reactive", isSized: true },
  { name: "HPA, heaviest", policy: "reactive", forecast: "reactive", fixed: "heaviest" },
  {
    name: "HPA, heaviest, 85 % busy",
    policy: "reactive",
    forecast: "reactive",
    fixed: "heaviest",
    change: given => withUtilisation(given, 0.85),
  },
  { name: "HPA, lightest", policy: "reactive", forecast: "reactive", fixed: "lightest" },
  { name: "static, heaviest", policy: "static", forecast: "variscale", fixed: "heaviest" },
  { name: "static, lightest", policy: "static", forecast: "variscale", fixed: "lightest" },
];

/** As HPAs look, and as pods start in IPA's cluster: 8 s to apply a decision. */
export const CLUSTER = { syncMs: 15_000, tolerance: 0, podStartMs: 8000, cooldownMs: 30_000, nodes: null };
/** IPA gives a request up after twice its SLA. */
const TIMEOUT_FACTOR = 2;

/** Every contender on every pipeline, load and SLO: what is compared, and what is simulated for it. */
export function e1Cases(
  loads: readonly ExperimentLoad[],
  options: {
    readonly sloFactors: readonly number[];
    readonly seed: number;
    readonly contenders?: readonly Contender[];
    readonly pipelines?: readonly IpaPipeline[];
  },
): readonly ExperimentCase[] {
  const { sloFactors, seed, contenders = CONTENDERS, pipelines = IPA_PIPELINES } = options;
  return pipelines.flatMap(ipa =>
    loads.flatMap(load =>
      sloFactors.flatMap(sloFactor =>
        contenders.map(contender => ({
          cell: { pipeline: ipa.name, load: load.name, sloFactor, contender: contender.name, seed },
          given: caseOf(ipa, load, sloFactor, contender, seed),
        })),
      ),
    ),
  );
}

function sized(stage: Stage, { ratesRps }: LoadTrace): Stage["replicas"] {
  const profile = stage.variants[0]?.profile;
  const peakRps = Math.max(0, ...ratesRps.filter(rate => !Number.isNaN(rate)));
  const count = Math.max(1, Math.ceil(profile ? (2 * peakRps) / throughputRps(profile, 1) : 1));
  return { min: count, max: count };
}

function caseOf(
  ipa: IpaPipeline,
  { load, past }: ExperimentLoad,
  sloFactor: number,
  contender: Contender,
  seed: number,
): SimulationCase {
  const { policy, forecast, hasMargin = false, costFactor = 1, fixed, isSized = false, change } = contender;
  const { batchingCap = ipa.batchingCap } = contender;
  const planned = ipaPipeline(ipa, { policy, slaShare: sloFactor / PUBLISHED_FACTOR, batchingCap });
  const { weights } = planned.objective;
  const pipeline: Pipeline = {
    ...planned,
    mode: "active",
    slo: { ...planned.slo, quantile: 0.99 },
    objective: { ...planned.objective, weights: { ...weights, cost: weights.cost * costFactor } },
    ...(fixed && { serving: { ...planned.serving, rule: "fixed" as const } }),
    stages: planned.stages.map(stage => ({
      ...stage,
      ...(fixed === "heaviest" && { defaultVariant: stage.variants.at(-1)?.name ?? stage.defaultVariant }),
      ...(isSized && { replicas: sized(stage, load) }),
    })),
  };
  const given: SimulationCase = {
    policy,
    pipeline,
    load,
    ...past,
    forecast,
    margin: hasMargin ? ipa.margin : 1,
    warmUpSeconds: WARM_UP_SECONDS,
    cluster: CLUSTER,
    maxCores: null,
    timeoutMs: TIMEOUT_FACTOR * pipeline.slo.latencyMs,
    windowSeconds: 10,
    killEveryMs: null,
    seed,
  };
  return change ? change(given) : given;
}
