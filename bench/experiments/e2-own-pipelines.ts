import { join } from "node:path";
import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { generateLoad } from "../../load/generate-load.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { openBenchTraces } from "../load-traces.ts";
import { CLUSTER, CONTENDERS, type Contender, type ExperimentCase } from "./e1-cells.ts";
import { type ExperimentLoad, WARM_UP_SECONDS } from "./ipa-loads.ts";
import { type ExperimentRow, everyCell, meansOf, namesOf, table } from "./report-parts.ts";

const PIPELINES = ["id-card"];
const SECONDS = WARM_UP_SECONDS + 1200;
const MAX_REPLICAS = 40;
/** Six times as many requests for three minutes, from one second to the next. */
const FLASH_CROWD = {
  baseRps: 6,
  groupSize: 1,
  components: [
    {
      kind: "bursts",
      periodSeconds: 2 * SECONDS,
      startSeconds: WARM_UP_SECONDS + 400,
      lengthSeconds: 180,
      factor: 6,
      jitterSeconds: 0,
      chance: 1,
    },
  ],
} as const;
/** Prices that are tuned to IPA's weights, and policies that need a size beforehand, say nothing here. */
const isFit = ({ name, isSized = false }: Contender): boolean => !isSized && !/^default,|margin/.test(name);

/** Plans that multiply what stages are by themselves, in the place of combinations that were measured. */
const PRODUCT: Contender = {
  name: "default, product",
  policy: "default",
  forecast: "variscale",
  change: given => ({ ...given, without: ["tables"] }),
};

/** Beside those of E1: requests to language models, which come in bursts, and a flash crowd. */
export function e2Loads(folder: string | null, isShort: boolean): ExperimentLoad[] {
  const { azureConv, azureCode } = openBenchTraces(folder, isShort);
  const part = (name: string, { startMs, ratesRps }: LoadTrace): ExperimentLoad => ({
    name,
    load: { startMs, ratesRps: ratesRps.slice(0, SECONDS) },
    past: NO_PAST,
  });
  return [
    part("azureConv", azureConv),
    part("azureCode", azureCode),
    part("flashCrowd", generateLoad(FLASH_CROWD, SECONDS, 1)),
  ];
}

export function e2Cases(loads: readonly ExperimentLoad[], seed: number): readonly ExperimentCase[] {
  return PIPELINES.flatMap(name => {
    const file = readPipeline(join(packageFolder, "pipelines", name));
    return loads.flatMap(load =>
      [...CONTENDERS.filter(isFit), PRODUCT].map(contender => ({
        cell: { pipeline: name, load: load.name, sloFactor: 1, contender: contender.name, seed },
        given: caseOf(file, load, contender, seed),
      })),
    );
  });
}

function caseOf(file: Pipeline, load: ExperimentLoad, contender: Contender, seed: number): SimulationCase {
  const { policy, forecast, change } = contender;
  const given: SimulationCase = {
    policy,
    pipeline: planned(file, contender),
    load: load.load,
    ...load.past,
    forecast,
    warmUpSeconds: WARM_UP_SECONDS,
    cluster: CLUSTER,
    maxCores: null,
    timeoutMs: null,
    windowSeconds: 10,
    killEveryMs: null,
    seed,
  };
  return change ? change(given) : given;
}

function planned(file: Pipeline, { policy, fixed }: Contender): Pipeline {
  return {
    ...file,
    mode: "active",
    objective: { ...file.objective, policy },
    stages: file.stages.map(stage => {
      const byTime = stage.variants.toSorted((a, b) => firstMs(a) - firstMs(b));
      const chosen = fixed === "heaviest" ? byTime.at(-1) : fixed === "lightest" ? byTime[0] : undefined;
      return {
        ...stage,
        replicas: { min: 1, max: MAX_REPLICAS },
        defaultVariant: chosen?.name ?? stage.defaultVariant,
      };
    }),
  };
}

function firstMs({ profile }: Pipeline["stages"][number]["variants"][number]): number {
  return profile?.points[0]?.latencyMs ?? 0;
}

export function e2Report(note: string, rows: readonly ExperimentRow[]): string {
  const loads = [...new Set(rows.map(({ load }) => load))];
  return [
    "## E2: pipelines with measured profiles",
    "",
    `${PIPELINES.join(", ")} with its own SLO, profiles and accuracy tables as they were measured, at most ${MAX_REPLICAS} replicas of a stage, pods that start in 8 s and load into the running pod; loads: ${note}; beside them requests to language models (conversations, code) and a generated flash crowd. Means over ${loads.length} loads.`,
    "",
    table(
      ["contender", "accuracy", "effective", "cores", "violations", "loads over 1 %", "switches"],
      namesOf(rows).map(name => {
        const own = rows.filter(({ contender }) => contender === name);
        return [name, ...meansOf(own)];
      }),
    ),
    "",
    ...everyCell(rows),
  ].join("\n");
}
