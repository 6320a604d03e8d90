import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultModelFolder } from "../cli/folders.ts";
import { prepare } from "../cli/prepare-models.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import type { DriftErrors } from "../profiler/estimate-drifts.ts";
import { runProfile } from "../profiler/main.ts";
import { measureDrifts } from "../profiler/measure-drifts.ts";
import { readUnmeasured } from "../profiler/read-unmeasured.ts";
import { readPipeline } from "../runtime/read-pipeline.ts";
import { packageFolder } from "../runtime/version.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";
import { driftFigures, heldOutFigure } from "./pipelines-accuracy.ts";

const PIPELINES = ["id-card", "video", "audio", "question-answering"];
/** The default of `variscale profile`. */
const ITEMS = 300;

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
  readonly first: MeasurementsInput;
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
    const { measurements } = await runProfile({
      ...{ target: file, modelFolder, leaveOut: leftOut, items: count, output, onProgress, acceptNoise: true },
    });
    return measurements;
  };
  const startMs = performance.now();
  const first = await profile(items);
  const minutes = (performance.now() - startMs) / 60_000;
  return { name, minutes, first, second: await profile(1) };
}

function figuresOf(runs: readonly Run[]): Figure[] {
  const spans = runs.flatMap(({ name, first }) =>
    Object.entries(first.stages).map(([stage, variants]) => [`${name}/${stage}`, spanOf(variants)] as const),
  );
  const repeats = runs.map(({ name, first, second }) => [name, repeatPercent(first, second)] as const);
  const minutes = runs.map(run => [run.name, run.minutes] as const);
  const items = runs[0]?.first.accuracy?.combinations?.[0]?.items ?? 0;
  return [
    figure("pipelines.ladder.span", round(Math.min(...spans.map(([, span]) => span))), {
      against: roundedOf(spans),
      isWhole: runs.every(({ first }) => risesWithTime(first)),
      note: "slowest over fastest variant of a stage at batch 1; of the two the slowest must be the more accurate one",
    }),
    figure("pipelines.profile.repeatRatio", round(Math.max(...repeats.map(([, percent]) => percent))), {
      against: roundedOf(repeats),
      note: "how far the ratio of two variants' times is from what it was in the first profile, at worst",
    }),
    figure("pipelines.profile.minutes", round(Math.max(...minutes.map(([, value]) => value))), {
      against: roundedOf(minutes),
      note: `${items} items for accuracy`,
    }),
  ];
}

type Variants = MeasurementsInput["stages"][string];

function firstMs(variants: Variants): readonly (readonly [string, number])[] {
  return Object.entries(variants).map(
    ([variant, { points }]) => [variant, points[0]?.latencyMs ?? Number.NaN] as const,
  );
}

function spanOf(variants: Variants): number {
  const times = firstMs(variants).map(([, ms]) => ms);
  return Math.max(...times) / Math.min(...times);
}

/** Whether in every stage the slowest variant is right more often than the fastest. */
function risesWithTime({ stages, accuracy }: MeasurementsInput): boolean {
  return Object.entries(stages).every(([stage, variants]) => {
    const byTime = firstMs(variants).toSorted(([, a], [, b]) => a - b);
    const accuracyAt = (index: number): number =>
      accuracy?.stages?.[stage]?.[byTime.at(index)?.[0] ?? ""]?.accuracy ?? Number.NaN;
    return accuracyAt(-1) > accuracyAt(0);
  });
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
