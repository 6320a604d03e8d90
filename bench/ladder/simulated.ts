/** The part `simulated`: requests of our pipelines that are late or dropped under loads that change a lot, against a clairvoyant's. */
import { NO_PAST } from "../../cli/simulate/past.ts";
import { runAll } from "../../cli/simulate/run-all.ts";
import type { CaseResult } from "../../cli/simulate/worker.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { ownCase } from "../experiments/e2-own-pipelines.ts";
import { cutExcerpt, type ExperimentLoad, WARM_UP_SECONDS } from "../experiments/ipa-loads.ts";
import { fittedLoad, ownPipeline } from "../experiments/own-pipelines.ts";
import { type Figure, figure } from "../figure.ts";
import { openBenchTraces } from "../load-traces.ts";
import { rounded } from "../samples.ts";
import { boundInTime, listWays } from "./clairvoyant.ts";
import { say } from "./player.ts";

const SECONDS = 1200;
export const PAST_SECONDS = 6 * 3600;
const SEED = 1;
const PRODUCT = { name: "variscale", policy: "default", forecast: "variscale" } as const;
const GENERATED = ["onOff", "mmpp", "flash"] as const;
const RECORDED = ["fluctuating", "azureCode"] as const;

export interface SimulatedOptions {
  readonly pipelines: readonly string[];
  /** A folder with recorded loads; null: the usual places. */
  readonly traces: string | null;
  /** One pipeline and generated loads alone. */
  readonly isShort: boolean;
}

export interface SimulatedCell {
  readonly name: string;
  /** Percentages of the requests that were late, dropped or lost, of the product and of the clairvoyant. */
  readonly missedPercent: number;
  readonly clairvoyantPercent: number;
}

export async function measureSimulated({ pipelines, traces, isShort }: SimulatedOptions): Promise<Figure[]> {
  const loads = openLoads(traces, isShort);
  const cells: SimulatedCell[] = [];
  for (const name of isShort ? pipelines.slice(0, 1) : pipelines) {
    const file = ownPipeline(name);
    // Loads of one pipeline at a time: each has hours of history.
    const fitted: ExperimentLoad[] = [];
    for (const load of loads) fitted.push(await fittedLoad(file, { ...load, past: NO_PAST }, SEED));
    const cases = fitted.map(load => ownCase(file, load, PRODUCT, SEED));
    await runAll(cases, null, () => undefined, {
      onResult: (at, { summary }) => {
        const given = cases[at] as (typeof cases)[number];
        const cell = judge(`${name}/${fitted[at]?.name}`, given.pipeline, given.load, summary);
        cells.push(cell);
        say(
          `${cell.name}: ${rounded(cell.missedPercent)} % late or dropped of ${summary.offered}, clairvoyant ${rounded(cell.clairvoyantPercent)} %; ${rounded(100 * summary.effectiveAccuracy)} % effective, ${rounded(summary.cores)} cores`,
        );
      },
    });
  }
  const missing = [...GENERATED, ...RECORDED].filter(name => !loads.some(load => load.name === name));
  return [createFigure(cells, missing)];
}

/** A figure of fewer loads than there are does not count. */
export function createFigure(cells: readonly SimulatedCell[], missing: readonly string[]): Figure {
  const excesses = cells.map(cell => [cell.name, rounded(cell.missedPercent - cell.clairvoyantPercent)] as const);
  const left = missing.length > 0 ? `; without ${missing.join(", ")}` : "";
  return figure("ladder.simulated.missedOverClairvoyant", Math.max(...excesses.map(([, points]) => points)), {
    against: Object.fromEntries(excesses),
    isWhole: missing.length === 0,
    note: `points of requests that were late or dropped, product less the clairvoyant with its core-seconds, worst of ${cells.length} cells: ${SECONDS / 60} minutes of each load, made as large as keeps four replicas of the heaviest variants busy${left}`,
  });
}

/** Recorded loads where they are; those that are missing are named and left out. */
function openLoads(folder: string | null, isShort: boolean): readonly Omit<ExperimentLoad, "past">[] {
  const generated = GENERATED.map(kind => {
    const load = cutBusiest(generateLoad(LOAD_KINDS[kind], (kind === "flash" ? 4 : 1) * PAST_SECONDS + SECONDS, SEED));
    return { name: kind, ...load };
  });
  const { note, twitter, azureCode } = openBenchTraces(folder, isShort);
  if (!note.startsWith("recorded")) {
    say(
      `without ${RECORDED.join(", ")}: ${isShort ? "too long for --short" : "no recorded loads; give their folder by --traces"}`,
    );
    return generated;
  }
  const { load, before } = cutExcerpt("fluctuating", twitter);
  const { startMs, ratesRps } = before;
  const recent = {
    startMs: startMs + 1000 * (ratesRps.length - PAST_SECONDS),
    ratesRps: ratesRps.slice(-PAST_SECONDS),
  };
  const azure = azureCode.ratesRps.slice(0, WARM_UP_SECONDS + SECONDS);
  return [
    ...generated,
    { name: "fluctuating", load, before: recent },
    {
      name: "azureCode",
      load: { startMs: azureCode.startMs, ratesRps: azure },
      before: { startMs: azureCode.startMs, ratesRps: new Float64Array() },
    },
  ];
}

/** The part of a load whose busiest second is two fifths through it, and up to six hours before that. */
export function cutBusiest({ startMs, ratesRps }: LoadTrace): Pick<ExperimentLoad, "load" | "before"> {
  const length = WARM_UP_SECONDS + SECONDS;
  const busiest = ratesRps.reduce((most, rate, at) => (rate > (ratesRps[most] ?? 0) ? at : most), 0);
  const place = busiest - WARM_UP_SECONDS - Math.round(0.4 * SECONDS);
  const from = Math.max(0, Math.min(ratesRps.length - length, place));
  const first = Math.max(0, from - PAST_SECONDS);
  return {
    load: { startMs: startMs + 1000 * from, ratesRps: ratesRps.slice(from, from + length) },
    before: { startMs: startMs + 1000 * first, ratesRps: ratesRps.slice(first, from) },
  };
}

function judge(
  name: string,
  pipeline: Pipeline,
  { ratesRps }: LoadTrace,
  { violations, cores }: CaseResult["summary"],
): SimulatedCell {
  const counts = [...ratesRps.subarray(WARM_UP_SECONDS)];
  const share = boundInTime(listWays(pipeline, {}, 0), {
    counts,
    windowMs: 1000,
    sloMs: pipeline.slo.latencyMs,
    cores: pipeline.stages.reduce((sum, stage) => sum + stage.cores * stage.replicas.max, 0),
    budgetMs: 1000 * cores * counts.length,
  });
  return { name, missedPercent: 100 * violations, clairvoyantPercent: 100 * (1 - share) };
}
