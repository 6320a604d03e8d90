import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { generateLoad } from "../../load/generate-load.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { openBenchTraces } from "../load-traces.ts";
import { CLUSTER, CONTENDERS, type Contender, type ExperimentCase } from "./e1-cells.ts";
import { type ExperimentLoad, WARM_UP_SECONDS } from "./ipa-loads.ts";
import { BUSY_REPLICAS, byLatency, fittedLoad, OWN_PIPELINES, ownPipeline } from "./own-pipelines.ts";
import { type ExperimentRow, everyCell, meansOf, namesOf, table } from "./report-parts.ts";

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
    before: { startMs, ratesRps: new Float64Array() },
    past: NO_PAST,
  });
  return [
    part("azureConv", azureConv),
    part("azureCode", azureCode),
    part("flashCrowd", generateLoad(FLASH_CROWD, SECONDS, 1)),
  ];
}

export async function e2Cases(loads: readonly ExperimentLoad[], seed: number): Promise<readonly ExperimentCase[]> {
  const cases: ExperimentCase[] = [];
  for (const name of OWN_PIPELINES) {
    const file = ownPipeline(name);
    for (const load of loads) {
      const fitted = await fittedLoad(file, load, seed);
      for (const contender of [...CONTENDERS.filter(isFit), PRODUCT])
        cases.push({
          cell: { pipeline: name, load: load.name, sloFactor: 1, contender: contender.name, seed },
          given: ownCase(file, fitted, contender, seed),
        });
    }
  }
  return cases;
}

/** What is simulated of a pipeline with a measured profile. */
export function ownCase(file: Pipeline, load: ExperimentLoad, contender: Contender, seed: number): SimulationCase {
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
    ...(fixed && { serving: { ...file.serving, rule: "fixed" as const } }),
    stages: file.stages.map(stage => {
      const ladder = byLatency(stage);
      const chosen = fixed === "heaviest" ? ladder.at(-1) : fixed === "lightest" ? ladder[0] : undefined;
      return {
        ...stage,
        replicas: { min: 1, max: MAX_REPLICAS },
        defaultVariant: chosen?.name ?? stage.defaultVariant,
      };
    }),
  };
}

export function e2Report(note: string, rows: readonly ExperimentRow[]): string {
  const loads = [...new Set(rows.map(({ load }) => load))];
  return [
    "## E2: pipelines with measured profiles",
    "",
    `${OWN_PIPELINES.join(", ")}, each with its own SLO, profiles and accuracy tables as they were measured, at most ${MAX_REPLICAS} replicas of a stage, pods that start in 8 s and load into the running pod. Loads: ${note}; beside them requests to language models (conversations, code) and a generated flash crowd; each made as large as keeps ${BUSY_REPLICAS} replicas of the heaviest variants busy in the busiest stage on average, the forecaster with the network that comes with variscale. Means over ${loads.length} loads.`,
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
