import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import {
  type MeasurementsInput,
  measurementsSchema,
  type Profile,
  type SwitchTimes,
} from "../domain/profile-schema.ts";
import type { LabelledItem, PipelineCode } from "../gateway/stage.ts";
import { findWrongEvaluation } from "./check-accuracy.ts";
import { itemKey } from "./item-key.ts";
import { accuracyOf, combinationsOf, fanOutOf, type ItemResult } from "./item-result.ts";
import { describeMachine } from "./machine.ts";
import type { ItemBench } from "./measure-item.ts";
import { describeProgress, measureItems } from "./measure-items.ts";
import { measureOverhead, type Overhead } from "./measure-overhead.ts";
import { measureSwitches } from "./measure-switches.ts";
import { forgetNoisy, measuredVariants, visitDoubtful, visitVariants } from "./measure-variants.ts";
import { ModelBench } from "./model-bench.ts";
import { noiseText } from "./noise-text.ts";
import { ProfileCache } from "./profile-cache.ts";

export interface ProfileOptions {
  readonly pipeline: Pipeline;
  /** The file that `pipeline` was read from. */
  readonly file: string;
  readonly code: PipelineCode;
  readonly modelFolder: string;
  /** Labelled items for accuracy and fan-out; fewer where the evaluation has not as many. */
  readonly items: number;
  /** Processes that measure items at most, each with all models; null: one for each core. */
  readonly jobs: number | null;
  /** How long items are measured: none is begun after that but the first; null: until all are. */
  readonly minutes: number | null;
  /** How long two windows of each batch size of each variant are together; some have more. */
  readonly windowMs: number;
  /** Between the first two windows of the same variant at least; a fifth of it between later ones. */
  readonly gapMs: number;
  /** Cores that every variant is measured on beside those of its stage. */
  readonly cores: readonly number[];
  /** Gives measurements also where the machine was too noisy; they say so. */
  readonly acceptNoise: boolean;
  /** Where an unfinished run is kept; null: nowhere. */
  readonly cacheFile: string | null;
  /** Is given the result before what an unfinished run keeps is deleted. */
  readonly write: (measurements: MeasurementsInput) => void;
  /** One line of text for people. */
  readonly onProgress: (line: string) => void;
  readonly nowMs: () => number;
}

/** Windows that follow each other at once have the same neighbours. */
export const GAP_MS = 5000;
/** More combinations of variants take too long to measure one by one. */
const MOST_COMBINATIONS = 1000;
/** Items between two saves of the cache. */
const ITEMS_PER_SAVE = 20;

/**
 * Measures a pipeline on this machine: service time, load time and memory of every variant, the gateway's own work, fan-out, and
 * the accuracy of every variant and every combination of variants. Without an evaluation in the pipeline's code only the variants
 * are measured, with random data.
 *
 * @throws failed_precondition when a model can't be loaded or run, there are too many combinations, the evaluation takes nothing for right, or
 * windows of the same batch size do not agree; what `write` throws.
 */
export async function profilePipeline(options: ProfileOptions): Promise<MeasurementsInput> {
  const { pipeline, code } = options;
  const combinations = combinationsOf(pipeline).length;
  if (code.evaluation && combinations > MOST_COMBINATIONS)
    throw new VariscaleError(
      "failed_precondition",
      `the pipeline has ${combinations} combinations of variants, at most ${MOST_COMBINATIONS} can be measured. Leave some variants out.`,
    );
  await checkItems(options);
  const machine = describeMachine();
  const cache = ProfileCache.open(options.cacheFile, pipeline, machine, options.nowMs);
  await visitVariants(options, cache);
  const evaluated = code.evaluation ? await evaluate({ ...options, evaluation: code.evaluation }, cache) : null;
  const wrong = evaluated && findWrongEvaluation(evaluated.found.accuracy);
  if (wrong) {
    // The code that is wrong has measured all that was kept of the items.
    await cache.forgetItems();
    throw new VariscaleError("failed_precondition", wrong);
  }
  await visitDoubtful(options, cache);
  const { stages, noise, disturbance } = measuredVariants(options, cache);
  if (noise.length > 0 && !options.acceptNoise) {
    await forgetNoisy(options, cache);
    throw new VariscaleError("failed_precondition", noiseText(noise, disturbance, options.cacheFile));
  }
  const measurements: MeasurementsInput = {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "PipelineMeasurements",
    machine: { ...machine, disturbance: Math.round(disturbance * 100) / 100 },
    date: new Date(options.nowMs()).toISOString(),
    stages: await withSwitches(options, stages, cache),
    ...(noise.length > 0 && { noise }),
    ...evaluated?.found,
  };
  const checked = measurementsSchema.safeParse(measurements);
  if (!checked.success)
    throw new VariscaleError("internal", `what was measured is not valid: ${checked.error.message}`);
  options.write(measurements);
  // The next run goes on with the items that there were no minutes for.
  if (evaluated?.isCutShort) await cache.save();
  else cache.delete();
  return measurements;
}

async function withSwitches(
  { pipeline, modelFolder, onProgress }: ProfileOptions,
  stages: Readonly<Record<string, Readonly<Record<string, Profile>>>>,
  cache: ProfileCache,
): Promise<MeasurementsInput["stages"]> {
  const whole: Record<string, Record<string, Profile>> = {};
  for (const stage of pipeline.stages) {
    const profiles = stages[stage.name] ?? {};
    whole[stage.name] = { ...profiles };
    for (const variant of stage.variants) {
      const key = `${stage.name}/${variant.name}`;
      const profile = profiles[variant.name];
      let times = cache.switchTimes(key);
      if (times === undefined) {
        times = await measureSwitches(pipeline, stage, variant, profiles, modelFolder).catch((error: unknown) => {
          onProgress(`${key}: Switches are left out: ${VariscaleError.from(error).message}`);
          return undefined;
        });
        // What failed is tried again where this run is gone on with.
        if (times !== undefined) await cache.addSwitchTimes(key, times);
        if (times) onProgress(`${key}: ${switchText(times)}`);
      }
      if (profile && times) whole[stage.name] = { ...whole[stage.name], [variant.name]: { ...profile, switch: times } };
    }
  }
  return whole;
}

function switchText({ coldMs, residentMs }: SwitchTimes): string {
  const resident = residentMs === undefined ? "" : `, ${residentMs.toFixed(1)} ms where it is resident`;
  return `a Switch to it takes ${coldMs.toFixed(0)} ms${resident}`;
}

/** Before minutes of measuring: whether the evaluation can give its items at all. */
async function checkItems({ code, items }: ProfileOptions): Promise<void> {
  if (!code.evaluation) return;
  for await (const item of code.evaluation.items(items)) {
    const { id, body, contentType } = (item ?? {}) as Partial<LabelledItem>;
    if (typeof id === "string" && body instanceof Uint8Array && typeof contentType === "string") return;
    throw new VariscaleError(
      "failed_precondition",
      "`items` of the evaluation must give items as { id: text, body: bytes (a Buffer), contentType: text, label }, and the first one is another thing.",
    );
  }
  throw new VariscaleError(
    "failed_precondition",
    "`items` of the evaluation gives no item, so that nothing can be measured with it. Let it yield labelled items, or remove `evaluation` to measure service times alone.",
  );
}

async function evaluate(
  options: ProfileOptions & Pick<ItemBench, "evaluation">,
  cache: ProfileCache,
): Promise<{
  readonly found: Pick<MeasurementsInput, "overhead" | "fanOut" | "accuracy">;
  readonly isCutShort: boolean;
}> {
  const { pipeline, onProgress } = options;
  const overhead = cache.overhead ?? (await overheadOf(options));
  if (overhead) {
    await cache.addOverhead(overhead);
    onProgress(`the gateway takes ${overhead.latencyMs} ms for a request, ${overhead.cpuMs} ms of CPU time`);
  }
  const { results, isCutShort } = await measureAccuracy(options, cache);
  const fanOut = fanOutOf(pipeline, results);
  const accuracy = accuracyOf(pipeline, results);
  const found = { ...(overhead && { overhead }), ...(fanOut && { fanOut }), ...(accuracy && { accuracy }) };
  return { found, isCutShort };
}

async function overheadOf(options: ProfileOptions & Pick<ItemBench, "evaluation">): Promise<Overhead | null> {
  const { pipeline, code, evaluation, file } = options;
  const models = await ModelBench.open(pipeline, options.modelFolder);
  try {
    return await measureOverhead({ pipeline, code, evaluation, models }, file);
  } finally {
    await models.close();
  }
}

async function measureAccuracy(
  options: ProfileOptions & Pick<ItemBench, "evaluation">,
  cache: ProfileCache,
): Promise<{ readonly results: readonly ItemResult[]; readonly isCutShort: boolean }> {
  const { pipeline, file, modelFolder, evaluation, items, jobs, minutes, nowMs, onProgress } = options;
  const startedMs = nowMs();
  let known = 0;
  let measured = 0;
  let isCutShort = false;
  const timeLeftMs = (): number => (minutes === null ? Infinity : startedMs + minutes * 60_000 - nowMs());
  const measuring = measureItems(evaluation.items(items), {
    ...{ pipeline, file, modelFolder, jobs },
    isGoingOn: () => {
      // Asked only where there is an item left to measure.
      if (timeLeftMs() <= 0) isCutShort = true;
      return !isCutShort;
    },
    known: item => {
      const result = cache.item(itemKey(item));
      if (result) known += 1;
      return result;
    },
    onMeasured: async (result, item) => {
      cache.addItem(itemKey(item), result);
      measured += 1;
      if (measured % ITEMS_PER_SAVE !== 0) return;
      await cache.save();
      const leftMs = Math.min(
        Math.max(0, timeLeftMs()),
        ((nowMs() - startedMs) / measured) * (items - known - measured),
      );
      onProgress(`accuracy: ${describeProgress(known + measured, items, leftMs)}`);
    },
  });
  try {
    const results = await measuring;
    if (isCutShort)
      onProgress(
        `accuracy: ${results.length} of ${items} items were measured in ${minutes} min; the same command goes on with the others`,
      );
    return { results, isCutShort };
  } catch (error) {
    // What was measured since the last save is kept too; what went wrong is what is to be told.
    await cache.save().catch(() => undefined);
    throw error;
  }
}
