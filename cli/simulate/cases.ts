import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { scaleLoad } from "../../load/scale-load.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import { OWN_MODEL } from "../../predictor/training/own-model-settings.ts";
import type { Fault } from "../../simulator/faults.ts";
import type { ForecastName } from "../../simulator/forecast-source.ts";
import type { SimulationOptions } from "../../simulator/simulation-run.ts";
import type { LoadInput } from "../load-input.ts";
import { pastOf } from "./past.ts";

/** Serialisable: it is sent to the thread that runs it. */
export type SimulationCase = Omit<SimulationOptions, "model" | "onProgress" | "clockMs"> & {
  readonly policy: PolicyName;
  /** Null: the bundled one. */
  readonly ownModel: ForecastModel | null;
};

export interface CaseFlags {
  /** Null: the file's. */
  readonly policies: readonly PolicyName[] | null;
  readonly forecast?: ForecastName;
  readonly length: number;
  readonly end: number;
  readonly warmUp: number;
  readonly scale: number;
  readonly seeds: number;
  readonly seed: number;
  readonly train: boolean;
  readonly slo?: number;
  readonly timeout?: number;
  readonly maxCores?: number;
  readonly nodes?: { readonly count: number; readonly cores: number };
  readonly podStart: number;
  readonly sync: number;
  readonly tolerance: number;
  readonly window: number;
  readonly killEvery?: number;
  readonly fault: readonly Fault[];
}

/** KEDA's default in the manifests that we write. */
const COOLDOWN_MS = 30_000;

/**
 * Every policy with every seed. All variants were measured.
 *
 * @throws VariscaleError invalid_argument where the load is too short or a fault can't be.
 */
export async function casesFor(file: Pipeline, load: LoadInput, flags: CaseFlags): Promise<readonly SimulationCase[]> {
  checkFaults(flags);
  const { past, simulated } = partsOf(load, flags);
  const known = await pastOf(scaleLoad(past, flags.scale, flags.seed), flags.train ? OWN_MODEL : null);
  const pipeline: Pipeline = flags.slo === undefined ? file : { ...file, slo: { ...file.slo, latencyMs: flags.slo } };
  const policies = flags.policies ?? [pipeline.objective.policy];
  return policies.flatMap(policy =>
    Array.from({ length: flags.seeds }, (_, i): SimulationCase => {
      const seed = flags.seed + i;
      return {
        policy,
        pipeline: { ...pipeline, mode: "active", objective: { ...pipeline.objective, policy } },
        load: scaleLoad(simulated, flags.scale, seed),
        warmUpSeconds: flags.warmUp,
        ...known,
        forecast: flags.forecast ?? (policy === "oracle" ? "oracle" : "variscale"),
        cluster: {
          syncMs: flags.sync * 1000,
          tolerance: flags.tolerance,
          podStartMs: flags.podStart * 1000,
          cooldownMs: COOLDOWN_MS,
          nodes: flags.nodes ?? null,
        },
        maxCores: flags.maxCores ?? null,
        timeoutMs: flags.timeout ?? null,
        windowSeconds: flags.window,
        killEveryMs: flags.killEvery === undefined ? null : flags.killEvery * 1000,
        faults: flags.fault,
        seed,
      };
    }),
  );
}

function partsOf(
  { name, trace }: LoadInput,
  { length, end, warmUp }: CaseFlags,
): { readonly past: LoadTrace; readonly simulated: LoadTrace } {
  const last = trace.ratesRps.length - end;
  const first = Math.max(0, last - length - warmUp);
  if (last - first <= warmUp)
    throw new VariscaleError(
      "invalid_argument",
      `${name} has ${trace.ratesRps.length} s: too short for ${warmUp} s of warm-up ${end > 0 ? `that end ${end} s before its end` : "and more"}; give a longer load, or less --warm-up`,
    );
  return {
    past: { startMs: trace.startMs, ratesRps: trace.ratesRps.subarray(0, first) },
    simulated: { startMs: trace.startMs + first * 1000, ratesRps: trace.ratesRps.slice(first, last) },
  };
}

function checkFaults({ fault, nodes, length }: CaseFlags): void {
  if (!nodes && fault.some(({ kind }) => kind === "nodeLost"))
    throw new VariscaleError(
      "invalid_argument",
      "a node can be lost only where there are some: give --nodes, as in 4x8",
    );
  for (const { kind, fromSecond } of fault)
    if (fromSecond >= length)
      throw new VariscaleError(
        "invalid_argument",
        `${kind} would begin ${fromSecond} s after the start, when the simulation of ${length} s is over: let it begin sooner, or give a longer --length`,
      );
}
