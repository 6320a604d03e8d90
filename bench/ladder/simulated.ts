/**
 * The part `simulated`: requests of our pipelines that are late or dropped under loads that change a lot, against a clairvoyant's; and what plans for
 * expected rates with a ladder are worth against plans for the demand whose variants alone serve.
 */
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
import { mean } from "../experiments/report-parts.ts";
import { type Figure, figure } from "../figure.ts";
import { openBenchTraces } from "../load-traces.ts";
import { rounded } from "../samples.ts";
import { boundInTime, listWays } from "./clairvoyant.ts";
import { say } from "./player.ts";

const SECONDS = 1200;
export const PAST_SECONDS = 6 * 3600;
export const SEED = 1;
export const PRODUCT = { name: "variscale", policy: "default", forecast: "variscale" } as const;
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

/** The product against the same where replicas serve the planned variant alone, and plans are for the demand. */
export interface PlanningCell {
  readonly name: string;
  readonly morePoints: number;
  readonly coresSavedPercent: number;
}

export async function measureSimulated({ pipelines, traces, isShort }: SimulatedOptions): Promise<Figure[]> {
  const loads = openLoads(traces, isShort);
  const cells: SimulatedCell[] = [];
  const planning: PlanningCell[] = [];
  for (const name of isShort ? pipelines.slice(0, 1) : pipelines) {
    const file = ownPipeline(name);
    // Loads of one pipeline at a time: each has hours of history.
    const fitted: ExperimentLoad[] = [];
    for (const load of loads) fitted.push(await fittedLoad(file, { ...load, past: NO_PAST }, SEED));
    const cases = fitted.flatMap(load => {
      const product = ownCase(file, load, PRODUCT, SEED);
      const { pipeline } = product;
      return [
        product,
        { ...product, pipeline: { ...pipeline, serving: { ...pipeline.serving, rule: "fixed" as const } } },
      ];
    });
    const summaries: CaseResult["summary"][] = [];
    await runAll(cases, null, () => undefined, {
      onResult: (at, { summary }) => {
        summaries[at] = summary;
      },
    });
    for (const [at, { name: loadName, load }] of fitted.entries()) {
      const [product, fixed] = summaries.slice(2 * at);
      if (!product || !fixed) continue;
      const cell = judge(`${name}/${loadName}`, cases[2 * at]?.pipeline ?? file, load, product);
      cells.push(cell);
      const compared = comparePlanning(cell.name, product, fixed);
      planning.push(compared);
      say(
        `${cell.name}: ${rounded(cell.missedPercent)} % late or dropped of ${product.offered}, clairvoyant ${rounded(cell.clairvoyantPercent)} %; ${rounded(100 * product.effectiveAccuracy)} % effective, ${rounded(product.cores)} cores; ${rounded(compared.morePoints)} points more and ${rounded(compared.coresSavedPercent)} % fewer cores than planned variants alone`,
      );
    }
  }
  const missing = [...GENERATED, ...RECORDED].filter(name => !loads.some(load => load.name === name));
  return [createFigure(cells, missing), ...createPlanningFigures(planning, missing)];
}

function comparePlanning(name: string, product: CaseResult["summary"], fixed: CaseResult["summary"]): PlanningCell {
  return {
    name,
    morePoints: 100 * (product.effectiveAccuracy - fixed.effectiveAccuracy),
    coresSavedPercent: 100 * (1 - product.cores / fixed.cores),
  };
}

/** Figures of fewer loads than there are do not count. */
export function createPlanningFigures(cells: readonly PlanningCell[], missing: readonly string[]): Figure[] {
  const note = `mean of ${cells.length} cells, against the same where replicas serve the planned variant alone and plans are for the demand`;
  const create = (name: string, what: string, read: (cell: PlanningCell) => number): Figure =>
    figure(name, rounded(mean(cells.map(read))), {
      against: Object.fromEntries(cells.map(cell => [cell.name, rounded(read(cell))])),
      isWhole: missing.length === 0,
      note: `${what}, ${note}`,
    });
  return [
    create("ladder.simulated.coresSaved", "cores that are saved", cell => cell.coresSavedPercent),
    create("ladder.simulated.morePoints", "points of effective accuracy", cell => cell.morePoints),
  ];
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
