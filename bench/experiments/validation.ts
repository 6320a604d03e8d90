/**
 * `npm run validation [-- --short] [--write]`: runs pipelines of emulated variants as `variscale up` does, processes and all, and in the
 * simulator with the same load, and compares what came of it; writes a section of docs/report/experiments.md. Wants a quiet machine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { simulateCourse } from "../../cli/demo/fixed-combinations.ts";
import { arrivalsOf, demoShape, type LoadShape } from "../../cli/demo/load-shape.ts";
import { playScenario, type ScenarioResult } from "../../cli/demo/scenario.ts";
import { readServed } from "../../cli/demo/served-shares.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { accuracyOf } from "../../optimizer/accuracy.ts";
import { type OpenModel, openModel } from "../../predictor/network/open-model.ts";
import { createLogger } from "../../runtime/logger.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { LatencyHistogram } from "../../simulator/latency-histogram.ts";
import { summarise } from "../../simulator/summary.ts";
import { mean, percent, signed, table } from "./report-parts.ts";
import { VALIDATION_PIPELINES, type ValidationPipeline, writeValidationPipeline } from "./validation-pipelines.ts";
import { writeExperiments } from "./write-experiments.ts";

const WARM_UP_SECONDS = 20;
const LONG_SECONDS = 180;
const SHORT_SECONDS = 40;
const SEED = 1;
/** Of processes with the same requests: each has other chances, as when a variant takes over. */
const LONG_RUNS = 3;
/** Of simulations: each has other chances within the same load. */
const SEEDS = [1, 2, 3, 4, 5];
/** More than any plan takes: emulated variants take none of this machine's. */
const CORES = 1000;

interface Outcome {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly violations: number;
  readonly accuracy: number;
  readonly cores: number;
}

interface Validated {
  readonly name: string;
  readonly requests: number;
  readonly real: readonly Outcome[];
  readonly simulated: readonly Outcome[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { short: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
  });
  if (values.short && values.write) throw new Error("--short measures too little to be written down");
  const seconds = values.short ? SHORT_SECONDS : LONG_SECONDS;
  const runs = values.short ? 1 : LONG_RUNS;
  const model = await openModel(readBundledModel());
  const validated: Validated[] = [];
  for (const given of VALIDATION_PIPELINES) validated.push(await validate(given, seconds, runs, model));
  const report = reportOf(validated, seconds, runs);
  if (values.write) writeExperiments(report);
  else process.stdout.write(`${report}\n`);
}

async function validate(
  given: ValidationPipeline,
  seconds: number,
  runs: number,
  model: OpenModel,
): Promise<Validated> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-validation-"));
  try {
    writeValidationPipeline(folder, given);
    const pipeline = readPipeline(folder);
    const shape = demoShape(seconds * 1000, given.lowShare);
    const arrivalsMs = arrivalsOf(shape, given.peakRps, SEED);
    const warmUpShape: LoadShape = { durationMs: WARM_UP_SECONDS * 1000, levels: [given.lowShare], phases: [] };
    const warmUpMs = arrivalsOf(warmUpShape, given.peakRps, SEED + 1);
    const real: Outcome[] = [];
    for (let run = 1; run <= runs; run++) {
      process.stderr.write(`${given.name}, run ${run} of ${runs}: ${arrivalsMs.length} requests in ${seconds} s\n`);
      const result = await playScenario({
        up: {
          file: folder,
          read: {},
          modelFolder: folder,
          machineCores: CORES,
          stateDir: null,
          ports: { gateway: 0, http: 0, keda: 0, switchers: 0 },
          logger: createLogger("validation", "error"),
          logLevel: "error",
        },
        items: [{ id: "any", body: Buffer.from("{}"), contentType: "application/json", label: null }],
        evaluation: { score: () => ({ correct: true, partsCorrect: 0, parts: 0 }) },
        arrivalsMs,
        warmUpMs,
        timeoutMs: given.sloMs * 4 + 5000,
        onStart: () => undefined,
        onProgress: () => undefined,
      });
      real.push(outcomeOf(pipeline, result));
    }
    const simulated = simulatedOutcomes(pipeline, seconds, arrivalsMs, warmUpMs, model);
    return { name: given.name, requests: arrivalsMs.length, real, simulated };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outcomeOf(pipeline: Pipeline, { records, samples }: ScenarioResult): Outcome {
  const latency = new LatencyHistogram();
  const served = records.filter(({ outcome }) => outcome === "served");
  for (const { latencyMs } of served) latency.add(latencyMs);
  const inTime = served.filter(({ latencyMs }) => latencyMs <= pipeline.slo.latencyMs);
  const model = accuracyOf(pipeline);
  const accuracies = served.map(({ variants }) => {
    const shares = readServed(variants);
    // Each row is of one stage's variant: combinations count by the product of their shares.
    const combinations = pipeline.stages.reduce<{ variants: readonly string[]; share: number }[]>(
      (all, { name, defaultVariant }) =>
        all.flatMap(one =>
          Object.entries(shares[name] ?? { [defaultVariant]: 1 }).map(([variant, share]) => ({
            variants: [...one.variants, variant],
            share: one.share * share,
          })),
        ),
      [{ variants: [], share: 1 }],
    );
    return combinations.reduce((sum, one) => sum + one.share * model.of(one.variants), 0);
  });
  return {
    p50Ms: latency.quantile(0.5) ?? Number.NaN,
    p99Ms: latency.quantile(0.99) ?? Number.NaN,
    violations: 1 - inTime.length / records.length,
    accuracy: mean(accuracies),
    cores: mean(samples.map(({ replicas }) => Object.values(replicas).reduce((sum, count) => sum + count, 0))),
  };
}

/** Of several runs, of which each has its own chances. */
function simulatedOutcomes(
  pipeline: Pipeline,
  seconds: number,
  arrivalsMs: readonly number[],
  warmUpMs: readonly number[],
  model: OpenModel,
): readonly Outcome[] {
  const course = { arrivalsMs, durationMs: seconds * 1000, warmUpMs, warmUpSeconds: WARM_UP_SECONDS };
  return SEEDS.map(seed => {
    const run = simulateCourse(pipeline, course, { machineCores: null, seed, model });
    const { p50Ms, p99Ms, violations, accuracy } = summarise(run);
    const ready = run.windows.map(({ stages }) => stages.reduce((sum, stage) => sum + stage.ready, 0));
    return { p50Ms: p50Ms ?? Number.NaN, p99Ms: p99Ms ?? Number.NaN, violations, accuracy, cores: mean(ready) };
  });
}

function meanOf(outcomes: readonly Outcome[]): Outcome {
  const of = (read: (outcome: Outcome) => number): number => mean(outcomes.map(read));
  return {
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    violations: of(({ violations }) => violations),
    accuracy: of(({ accuracy }) => accuracy),
    cores: of(({ cores }) => cores),
  };
}

function reportOf(validated: readonly Validated[], seconds: number, runs: number): string {
  const both = (real: string, simulated: string, difference: string): string =>
    `${real} / ${simulated} (${difference})`;
  const ratio = (real: number, simulated: number): string => `${signed((100 * simulated) / real - 100)} %`;
  const points = (real: number, simulated: number): string => signed(100 * (simulated - real), 2);
  const each = (outcomes: readonly Outcome[]): string =>
    outcomes.map(({ accuracy, cores }) => `${percent(accuracy)} with ${cores.toFixed(2)}`).join(", ");
  return [
    "## Validation: the simulator against processes that run",
    "",
    `Pipelines whose variants take as long as their profiles say and compute nothing, run by \`variscale up\` (scaler, gateway, a process for each replica) for ${seconds} s of a load that rises several-fold and falls (mean of ${runs} runs with the same requests), and in the simulator with as many requests in each second (mean of ${SEEDS.length} seeds). Each cell: run / simulated (difference). Written by \`npm run validation -- --write\`.`,
    "",
    table(
      ["pipeline", "requests", "p50 ms", "p99 ms", "violations", "accuracy", "cores"],
      validated.map(({ name, requests, ...outcomes }) => {
        const [real, simulated] = [meanOf(outcomes.real), meanOf(outcomes.simulated)];
        return [
          name,
          String(requests),
          both(real.p50Ms.toFixed(0), simulated.p50Ms.toFixed(0), ratio(real.p50Ms, simulated.p50Ms)),
          both(real.p99Ms.toFixed(0), simulated.p99Ms.toFixed(0), ratio(real.p99Ms, simulated.p99Ms)),
          both(
            percent(real.violations, 2),
            percent(simulated.violations, 2),
            points(real.violations, simulated.violations),
          ),
          both(percent(real.accuracy), percent(simulated.accuracy), points(real.accuracy, simulated.accuracy)),
          both(real.cores.toFixed(2), simulated.cores.toFixed(2), ratio(real.cores, simulated.cores)),
        ];
      }),
    ),
    "",
    "Accuracy and cores one by one:",
    "",
    ...validated.map(({ name, real, simulated }) => `- ${name}: runs ${each(real)}; simulated ${each(simulated)}`),
  ].join("\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
