import type { Logger } from "pino";
import { mainPart } from "../../domain/configuration.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { percent } from "../../explanation/number-text.ts";
import { type LoadTable, readLoadTable } from "../../load/load-table.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { reachedAt } from "../reached-at.ts";
import { readLoadFile } from "../read-load-file.ts";
import type { Up } from "../up/up.ts";
import { type Combination, mostAccurateAt, pickVariants, staticOverrides } from "./demo-rates.ts";
import { prepareSetting } from "./demo-setting.ts";
import { chooseBySimulation, listCombinations, nameCombination, simulateCourse } from "./fixed-combinations.ts";
import { findReloadStage, playHotReload } from "./hot-reload.ts";
import { arrivalsOf, demoShape, type LoadShape, levelAt, shapeFromTable } from "./load-shape.ts";
import { type ReportRow, reportRows } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { playScenario } from "./scenario.ts";
import { type Check, type Comparison, checkBehaviour, compareRuns } from "./verdict.ts";

export interface DemoOptions {
  readonly pipelinePath: string;
  readonly modelFolder: (pipeline: Pipeline) => string;
  readonly machineCores: number;
  readonly short: boolean;
  /** The user's own load; null: the demo's. */
  readonly csv: string | null;
  /** Of the file; null: the only one. */
  readonly column: string | null;
  readonly seed: number;
  /** Of the live page while the load is played with variscale; port 0: one that is free. */
  readonly page: { readonly host: string; readonly port: number };
  readonly say: (line: string) => void;
  readonly logger: Logger;
  readonly logLevel: LogLevel;
  /** Told of what runs, so that an interrupt can end it. */
  readonly onStart: (starting: Promise<Up>) => void;
}

export interface DemoResult {
  /** Of this machine against the one of the profiles: at first, and after each scenario. */
  readonly speedFactors: readonly number[];
  readonly rows: readonly ReportRow[];
  /** The fixed combinations that were run. */
  readonly fixed: readonly { readonly variants: Combination; readonly effectiveAccuracy: number }[];
  readonly checks: readonly Check[];
  /** How variscale compares with the best of them. */
  readonly comparison: Comparison;
}

const FOR_PEAK = "best fixed for the peak";
const AFTERWARDS = "best fixed, picked afterwards";
/** Combinations that are run to pick from: those that the simulator finds best. */
const RUN_FIXED = 3;

/** Two runs of this length and the starts between must fit into 90 s, or five of the longer one into 8 minutes. */
const SHORT_MS = 25_000;
const LONG_MS = 64_000;
const WARM_UP_MS = 4000;

/** Plays a load that rises several-fold and falls with variscale, and again with fixed combinations of variants. */
export async function playDemo(options: DemoOptions): Promise<DemoResult> {
  const { say } = options;
  const table = options.csv === null ? null : readCsv(options.csv, options.column);
  const setting = await prepareSetting({
    pipelinePath: options.pipelinePath,
    modelFolder: options.modelFolder,
    machineCores: options.machineCores,
    calibrationMs: options.short ? 1500 : 3000,
    speedFactor: null,
    say,
  });
  const { pipeline, rates } = setting;
  const speedFactors = [setting.speedFactor];
  const durationMs = options.short ? SHORT_MS : LONG_MS;
  const shape = table ? shapeFromTable(table, durationMs) : demoShape(durationMs, rates.lowRps / rates.peakRps);
  const arrivalsMs = arrivalsOf(shape, rates.peakRps, options.seed);
  // Whatever is compared has been serving the low load for a while: none of it starts from nothing.
  const warmUp = { durationMs: WARM_UP_MS, levels: [levelAt(shape, 0)], phases: [] };
  const warmUpMs = arrivalsOf(warmUp, rates.peakRps, options.seed + 1);
  const timeoutMs = pipeline.slo.latencyMs * 4 + 5000;
  const upOptions = (overrides: readonly string[], httpPort: number) => ({
    ...setting.upOptions(overrides),
    ports: { gateway: 0, http: httpPort, keda: 0, switchers: 0 },
    httpHost: options.page.host,
    logger: options.logger,
    logLevel: options.logLevel,
  });
  const play = async (name: string, fixed: Combination | null): Promise<Played> => {
    const overrides = fixed === null ? [] : staticOverrides(pipeline, fixed);
    say(
      `\n${name}${fixed ? `, ${nameCombination(fixed)}` : ""}: ${arrivalsMs.length} requests in ${durationMs / 1000} s`,
    );
    const result = await playScenario({
      up: upOptions(overrides, fixed === null ? options.page.port : 0),
      items: setting.items,
      evaluation: setting.evaluation,
      arrivalsMs,
      warmUpMs,
      timeoutMs,
      onStart: starting => {
        options.onStart(starting);
        if (fixed === null)
          void starting.then(
            up => say(`  live page: http://${reachedAt(options.page.host, up.scaler.ports.http)}/`),
            () => undefined,
          );
      },
      onProgress: progressLine(say, shape, rates.peakRps, durationMs),
    });
    speedFactors.push(await setting.measureSpeed());
    const rows = reportRows(name, result, shape, pipeline);
    const effective = rows.at(-1)?.effectiveAccuracy || 0;
    say(`  ${percent(effective)} of all requests right and within the SLO`);
    return { variants: fixed, rows, records: result.records, effective };
  };
  const simulateFixed = (fixed: Combination) => {
    const course = { arrivalsMs, durationMs, warmUpMs, warmUpSeconds: WARM_UP_MS / 1000 };
    const { machineCores, seed } = options;
    // Networks say nothing of the first minute of a load, which is nearly all of this one.
    const surroundings = { machineCores, seed, model: null };
    return simulateCourse(setting.read(staticOverrides(pipeline, fixed)), course, surroundings);
  };
  const ours = await play("variscale", null);
  const forPeak = mostAccurateAt(pipeline, options.machineCores, rates.peakRps);
  const peak = await play(FOR_PEAK, forPeak ?? pickVariants(pipeline, "lightest"));
  const fixed = [peak];
  if (!options.short) {
    const all = listCombinations(pipeline, options.machineCores, rates);
    for (const combination of chooseBySimulation(all, RUN_FIXED, simulateFixed))
      if (nameCombination(combination) !== nameCombination(peak.variants ?? {}))
        fixed.push(await play("fixed", combination));
  }
  const checks = checkBehaviour(ours.rows, options.csv === null ? { low: "low", high: "peak" } : null, speedFactors);
  const reload = findReloadStage(pipeline);
  if (reload) {
    say(`\nhot reload: ${reload.stage} with memory for two of ${reload.variants.join(", ")}`);
    const { items, evaluation } = setting;
    const { onStart } = options;
    const up = (overrides: readonly string[]) => upOptions(overrides, 0);
    checks.push(
      await playHotReload(reload, { pipeline, items, evaluation, timeoutMs, onStart, up, rateRps: rates.lowRps / 2 }),
    );
  }
  const best = fixed.reduce((most, one) => (one.effective > most.effective ? one : most));
  const afterwards = options.short ? [] : best.rows.map(row => ({ ...row, scenario: AFTERWARDS }));
  return {
    speedFactors,
    rows: [...ours.rows, ...peak.rows, ...afterwards],
    fixed: fixed.map(({ variants, effective }) => ({ variants: variants ?? {}, effectiveAccuracy: effective })),
    checks,
    comparison: compareRuns(ours.records, options.short ? FOR_PEAK : AFTERWARDS, best.records, pipeline.slo.latencyMs),
  };
}

interface Played {
  /** The fixed variants; null: variscale chooses them. */
  readonly variants: Combination | null;
  readonly rows: readonly ReportRow[];
  readonly records: readonly RequestRecord[];
  /** The share of all requests that were right and within the SLO. */
  readonly effective: number;
}

/** Before anything takes its time: the file is read, and what is wrong with it is said. */
function readCsv(path: string, column: string | null): LoadTable {
  const table = readLoadTable(readLoadFile(path), path, { column });
  shapeFromTable(table, 1);
  return table;
}

/** A line every few seconds: load, what is served, what came of it so far. */
function progressLine(say: (line: string) => void, shape: LoadShape, peakRps: number, durationMs: number) {
  let nextMs = 0;
  return (atMs: number, up: Up, records: readonly { readonly outcome: string }[]): void => {
    if (atMs < nextMs) return;
    nextMs = atMs + durationMs / 11;
    const board = up.board();
    const stages = (board?.plan?.stages ?? []).map(stage => {
      const now = board?.stages.find(other => other.stage === stage.stage);
      return `${mainPart(stage)?.variant}×${now?.replicasNow ?? "?"}`;
    });
    const answered = records.filter(record => record.outcome === "served").length;
    say(
      `  ${(atMs / 1000).toFixed(0).padStart(3)} s  load ${(levelAt(shape, atMs) * peakRps).toFixed(1).padStart(5)} rps  ${stages.join(" → ")}  ${answered} of ${records.length} served`,
    );
  };
}
