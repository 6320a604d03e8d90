import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defaultModelFolder } from "../cli/folders.ts";
import { prepare } from "../cli/prepare-models.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import { seededRandom } from "../load/seeded-random.ts";
import type { DriftErrors } from "../profiler/estimate-drifts.ts";
import { runProfile } from "../profiler/main.ts";
import { measureDrifts } from "../profiler/measure-drifts.ts";
import { readUnmeasured } from "../profiler/read-unmeasured.ts";
import { readPipeline } from "../runtime/read-pipeline.ts";
import { packageFolder } from "../runtime/version.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";
import { driftFigures, heldOutFigure } from "./pipelines-accuracy.ts";
import { laddersOf, rises, spanOf } from "./pipelines-ladder.ts";

const PIPELINES = ["id-card", "video", "audio", "question-answering"];
/** The default of `variscale profile`. */
const ITEMS = 300;

/** Of a profile that refuses to be written, before noise is accepted. */
const TRIES = 3;

const PARTS = ["profiles", "accuracy"] as const;

/**
 * The pipelines that come with the package. Profiled twice: how far their variants are apart, and how far two profiles are. Accuracy: how
 * well it is predicted where it was not measured, and under drifts.
 */
export async function pipelinesSuite(only: readonly string[] | null): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const parts = { profiles: profileFigures, accuracy: accuracyFigures };
  const figures: Figure[] = [];
  for (const part of askedParts(only, PARTS)) figures.push(...(await parts[part](isShort)));
  return figures;
}

async function accuracyFigures(isShort: boolean): Promise<Figure[]> {
  const pipelines = PIPELINES.map(name => readPipeline(fileOf(name)));
  const folder = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  try {
    const runs: [string, Readonly<Record<string, DriftErrors>>][] = [];
    for (const name of PIPELINES) {
      const { file, modelFolder, leftOut } = await prepared(name);
      const { measurements } = await measureDrifts({
        file,
        modelFolder,
        leaveOut: leftOut,
        items: isShort ? 20 : ITEMS,
        output: join(folder, `${name}.json`),
        onProgress: line => console.error(`${name}: ${line}`),
        nowMs: () => Date.now(),
        random: seededRandom(1),
      });
      runs.push([name, measurements.errors]);
    }
    return [heldOutFigure(pipelines), ...driftFigures(runs)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function profileFigures(isShort: boolean): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  try {
    const runs: Run[] = [];
    for (const name of PIPELINES) runs.push(await profileTwice(name, folder, isShort ? 20 : ITEMS));
    return figuresOf(runs);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Run {
  readonly name: string;
  readonly minutes: number;
  /** Of the first profile, those that accuracy takes. */
  readonly evaluateMinutes: number;
  /** `stage/variant` of those that are not installed. */
  readonly leftOut: readonly string[];
  readonly first: MeasurementsInput;
  /** That come with the pipeline, of more items. */
  readonly accuracy: MeasurementsInput["accuracy"];
  readonly second: MeasurementsInput;
}

function fileOf(name: string): string {
  return join(packageFolder, "pipelines", name, "pipeline.yaml");
}

async function prepared(name: string) {
  const file = fileOf(name);
  const pipeline = readUnmeasured(file);
  const modelFolder = defaultModelFolder(process.env, pipeline);
  const { leftOut } = await prepare(pipeline, file, modelFolder, () => undefined);
  return { file, modelFolder, leftOut };
}

async function profileTwice(name: string, folder: string, items: number): Promise<Run> {
  const { file, modelFolder, leftOut } = await prepared(name);
  const profile = async (count: number) => {
    const onProgress = (line: string): void => console.error(`${name}: ${line}`);
    const output = join(folder, `${name}.json`);
    const command = { target: file, modelFolder, leaveOut: leftOut, items: count, output, onProgress };
    // As the command says where the machine is too noisy: what windows do not agree about is measured anew.
    for (let left = TRIES; ; left--)
      try {
        return (await runProfile({ ...command, acceptNoise: left === 0 })).measurements;
      } catch (error) {
        if (left === 0 || !(error instanceof VariscaleError) || error.code !== "failed_precondition") throw error;
        onProgress(error.message);
      }
  };
  const timed = async (
    count: number,
  ): Promise<{ readonly measurements: MeasurementsInput; readonly minutes: number }> => {
    const startMs = performance.now();
    const measurements = await profile(count);
    return { measurements, minutes: (performance.now() - startMs) / 60_000 };
  };
  const [first, second] = [await timed(items), await timed(1)];
  return {
    name,
    minutes: first.minutes,
    evaluateMinutes: Math.max(0, first.minutes - second.minutes),
    leftOut,
    first: first.measurements,
    accuracy: committedAccuracy(name),
    second: second.measurements,
  };
}

function figuresOf(runs: readonly Run[]): Figure[] {
  const ladders = runs.flatMap(({ name, first, accuracy }) =>
    laddersOf({ ...first, accuracy }).map(({ stage, ladder }) => [`${name}/${stage}`, ladder] as const),
  );
  const spans = ladders.map(([name, ladder]) => [name, spanOf(ladder)] as const);
  const repeats = runs.map(({ name, first, second }) => [name, repeatPercent(first, second)] as const);
  const minutes = runs.map(run => [run.name, run.minutes] as const);
  const evaluate = runs.map(run => [run.name, run.evaluateMinutes] as const);
  const items = runs[0]?.first.accuracy?.combinations?.[0]?.items ?? 0;
  return [
    figure("pipelines.ladder.span", round(Math.min(...spans.map(([, span]) => span))), {
      against: roundedOf(spans),
      isWhole: ladders.every(([, ladder]) => rises(ladder)),
      note: "slowest over fastest variant of a stage at batch 1, those left out that another one dominates; accuracy of the whole pipeline with a variant, as it was measured with 500 or 1500 items, mean over the variants of the other stages, must rise from each to the next slower one",
    }),
    figure("pipelines.profile.repeatRatio", round(Math.max(...repeats.map(([, percent]) => percent))), {
      against: roundedOf(repeats),
      note: "how far the ratio of two variants' times is from what it was in the first profile, at worst",
    }),
    figure("pipelines.profile.minutes", round(Math.max(...minutes.map(([, value]) => value))), {
      against: roundedOf(minutes),
      note: `${items} items for accuracy${withoutText(runs)}`,
    }),
    figure("pipelines.evaluate.minutes", round(evaluate.reduce((sum, [, value]) => sum + value, 0)), {
      against: roundedOf(evaluate),
      note: `all pipelines together: a profile with ${items} items for accuracy less one with a single item, on ${availableParallelism()} cores${withoutText(runs)}`,
    }),
  ];
}

/** Of as many items as the pipeline's tables: 300 do not tell variants apart that are right on 99 of 100. */
function committedAccuracy(name: string): MeasurementsInput["accuracy"] {
  return JSON.parse(readFileSync(join(packageFolder, "pipelines", name, "measurements.json"), "utf8")).accuracy;
}

/** What these figures are without: variants that a package has to be installed for. */
function withoutText(runs: readonly Run[]): string {
  const missing = runs.flatMap(({ name, leftOut }) => leftOut.map(variant => `${name}/${variant}`));
  return missing.length === 0 ? "" : `; without ${missing.join(", ")}, which are not installed`;
}

type Variants = MeasurementsInput["stages"][string];

function firstMs(variants: Variants): readonly (readonly [string, number])[] {
  return Object.entries(variants).map(
    ([variant, { points }]) => [variant, points[0]?.latencyMs ?? Number.NaN] as const,
  );
}

/** Over all pairs of variants of a stage; per cent. */
function repeatPercent(first: MeasurementsInput, second: MeasurementsInput): number {
  let worst = 0;
  for (const [stage, variants] of Object.entries(first.stages)) {
    const again = new Map(firstMs(second.stages[stage] ?? {}));
    const changes = firstMs(variants).map(([variant, ms]) => (again.get(variant) ?? Number.NaN) / ms);
    worst = Math.max(worst, Math.max(...changes) / Math.min(...changes) - 1);
  }
  return 100 * worst;
}

function roundedOf(entries: readonly (readonly [string, number])[]): Record<string, number> {
  return Object.fromEntries(entries.map(([name, value]) => [name, round(value)]));
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
