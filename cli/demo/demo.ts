import type { Logger } from "pino";
import { mainPart } from "../../domain/configuration.ts";
import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { loadCode } from "../../gateway/load-code.ts";
import { type LoadTable, readLoadTable } from "../../load/load-table.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { pipelineFileAt, readPipeline } from "../../runtime/read-pipeline.ts";
import { leftOutLine, prepare } from "../prepare-models.ts";
import { reachedAt } from "../reached-at.ts";
import { readLoadFile } from "../read-load-file.ts";
import type { Up } from "../up/up.ts";
import { batchGains } from "./batch-check.ts";
import { calibrate } from "./calibrate.ts";
import { demoRates, extremeVariants, staticOverrides } from "./demo-rates.ts";
import { readItems } from "./load-client.ts";
import { arrivalsOf, demoShape, type LoadShape, levelAt, shapeFromTable } from "./load-shape.ts";
import { type ReportRow, reportRows } from "./report.ts";
import { playScenario } from "./scenario.ts";
import { type Check, checks, SCENARIOS } from "./verdict.ts";

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
  readonly checks: readonly Check[];
}

/** Of one scenario; three of them and the starts between must fit into 90 s, or 4 minutes. */
const SHORT_MS = 20_000;
const LONG_MS = 64_000;
const WARM_UP_MS = 4000;
/** The pipeline's SLO and loop on the demo's time scale: minutes stand for hours. */
const INTERVAL_MS = 2000;
const SCALE_DOWN_MS = 2000;
/** Labelled items that are sent in turn: as many as come with a pipeline. */
const ITEMS = 100;

/** Plays a load that rises several-fold and falls, three times: with variscale, with the heaviest and with the lightest variants. */
export async function playDemo(options: DemoOptions): Promise<DemoResult> {
  const { say } = options;
  const file = pipelineFileAt(options.pipelinePath);
  const whole = readPipeline(file);
  const table = options.csv === null ? null : readCsv(options.csv, options.column);
  const code = await loadCode(whole, file);
  const { evaluation } = code;
  if (!evaluation)
    throw new VariscaleError(
      "failed_precondition",
      `${whole.code} has no \`evaluation\`: the demo needs labelled items`,
    );
  const modelFolder = options.modelFolder(whole);
  say(`preparing models in ${modelFolder}`);
  const { leftOut } = await prepare(
    whole,
    file,
    modelFolder,
    model => model.kind === "prepared" && say(`  prepared ${model.file}`),
  );
  const without = leftOutLine(leftOut, file);
  if (without) say(without);
  const profiled = readPipeline(file, { leaveOut: leftOut });
  say("measuring this machine");
  const measure = () => calibrate(profiled, modelFolder, options.machineCores, options.short ? 1500 : 3000);
  const speedFactor = await measure();
  const speedFactors = [speedFactor];
  const set = [
    `spec.mode=active`,
    `spec.intervalMs=${INTERVAL_MS}`,
    `spec.stabilisation.scaleDownMs=${SCALE_DOWN_MS}`,
    `spec.slo.latencyMs=${Math.round(profiled.slo.latencyMs * Math.max(1, speedFactor))}`,
  ];
  const pipeline = readPipeline(file, { set, speedFactor, leaveOut: leftOut });
  const rates = demoRates(pipeline, options.machineCores);
  const durationMs = options.short ? SHORT_MS : LONG_MS;
  const shape = table ? shapeFromTable(table, durationMs) : demoShape(durationMs, rates.lowRps / rates.peakRps);
  say(
    `speed factor ${speedFactor.toFixed(2)}; SLO ${pipeline.slo.latencyMs} ms; within it ${options.machineCores} cores serve ${rates.heaviestCapacityRps.toFixed(1)} rps with the heaviest variants and ${rates.lightestCapacityRps.toFixed(1)} rps with the lightest; peak ${rates.peakRps.toFixed(1)} rps`,
  );
  const arrivalsMs = arrivalsOf(shape, rates.peakRps, options.seed);
  // Whatever is compared has been serving the low load for a while: none of it starts from nothing.
  const warmUp = { durationMs: WARM_UP_MS, levels: [levelAt(shape, 0)], phases: [] };
  const warmUpMs = arrivalsOf(warmUp, rates.peakRps, options.seed + 1);
  const items = await readItems(code, ITEMS);
  const rows: ReportRow[] = [];
  for (const name of SCENARIOS) {
    const fixed =
      name === SCENARIOS[0]
        ? []
        : staticOverrides(pipeline, extremeVariants(pipeline, name === SCENARIOS[1] ? "heaviest" : "lightest"));
    say(`\n${name}: ${arrivalsMs.length} requests in ${durationMs / 1000} s`);
    const result = await playScenario({
      name,
      up: {
        file,
        read: { set: [...set, ...fixed], speedFactor, leaveOut: leftOut },
        modelFolder,
        machineCores: options.machineCores,
        stateDir: null,
        ports: { gateway: 0, http: name === SCENARIOS[0] ? options.page.port : 0, keda: 0, switchers: 0 },
        httpHost: options.page.host,
        logger: options.logger,
        logLevel: options.logLevel,
      },
      items,
      evaluation,
      arrivalsMs,
      warmUpMs,
      timeoutMs: pipeline.slo.latencyMs * 4 + 5000,
      onStart: starting => {
        options.onStart(starting);
        if (name === SCENARIOS[0])
          void starting.then(
            up => say(`  live page: http://${reachedAt(options.page.host, up.scaler.ports.http)}/`),
            () => undefined,
          );
      },
      onProgress: progressLine(say, shape, rates.peakRps, durationMs),
    });
    rows.push(...reportRows(result, shape, pipeline.slo.latencyMs));
    speedFactors.push(await measure());
  }
  // The loop's answer comes a round or two later: in a short run that is a whole phase.
  const high = options.short ? ["peak", "fall"] : ["peak"];
  return {
    speedFactors,
    rows,
    checks: checks(rows, options.csv === null ? { low: "low", high } : null, {
      speedFactors,
      gains: batchGains(pipeline),
      short: options.short,
    }),
  };
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
