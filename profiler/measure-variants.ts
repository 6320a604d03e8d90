import { setTimeout as sleep } from "node:timers/promises";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline, Stage, Variant } from "../domain/pipeline.ts";
import type { Noise, Profile } from "../domain/profile-schema.ts";
import type { PipelineCode } from "../gateway/stage.ts";
import { sourceOf } from "./model-source.ts";
import type { ProfileCache } from "./profile-cache.ts";
import { sampleRows } from "./sample-rows.ts";
import { type VariantTimes, variantTimesOf } from "./variant-times.ts";
import { type VariantVisit, visitVariant } from "./visit-variant.ts";

/** So often every variant is visited, the others in between. */
const VISITS = 2;
/** … and a model file whose single rows take less than `SHORT_MS`: a neighbour slows it down by half, at times for a whole visit. */
const SHORT_VISITS = 4;
const SHORT_MS = 3;
/** Share of the gap between the first two visits that lies between later ones: there are many of these, and small models should not wait long. */
const LATER_GAP = 0.2;
/** So many has a batch size of which no two agree. */
const MOST_WINDOWS = 8;

export interface MeasureVariantsOptions {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  readonly modelFolder: string;
  /** How long each batch size of each variant is run in two visits. */
  readonly windowMs: number;
  /** Between the end of the first visit and the next one of the same variant: what disturbs one may be over by then. */
  readonly gapMs: number;
  /** Cores that every variant is measured on beside those of its stage. */
  readonly cores: readonly number[];
  /** Visits no variant again because its windows do not agree: it is written. */
  readonly acceptNoise: boolean;
  readonly onProgress: (line: string) => void;
}

type Measured = Pick<MeasureVariantsOptions, "pipeline" | "cores" | "windowMs">;

/** One variant on so many cores. */
interface Target {
  readonly stage: Stage;
  readonly variant: Variant;
  readonly cores: number;
  /** Of the cache. */
  readonly key: string;
  /** For people. */
  readonly title: string;
  /** The same, with how many there are. */
  readonly label: string;
}

/** Visits every variant twice, short ones four times. They take turns, so that what disturbs one visit is over at the next. */
export async function visitVariants(options: MeasureVariantsOptions, cache: ProfileCache): Promise<void> {
  const targets = targetsOf(options);
  for (const { key, label } of targets)
    if (cache.visits(key).length > 0) options.onProgress(`${label}: kept from the run before`);
  for (let visits = 0; visits < SHORT_VISITS; visits++)
    for (const target of targets) {
      const before = cache.visits(target.key);
      const isDue = before.length === visits && (visits < VISITS || isShort(before));
      if (isDue) await visit(options, target, cache, null);
    }
}

function isShort(visits: readonly VariantVisit[]): boolean {
  const single = visits.flatMap(({ windows }) => windows.filter(({ batch }) => batch === 1));
  return single.some(({ time }) => time.cpuMs !== null && time.latencyMs < SHORT_MS);
}

/**
 * Visits again whatever has batch sizes whose windows do not agree, a few times, unless noise is accepted; and measures larger ones
 * where times that windows agree about say that they may pay.
 */
export async function visitDoubtful(options: MeasureVariantsOptions, cache: ProfileCache): Promise<void> {
  if (options.acceptNoise) return;
  const targets = targetsOf(options);
  for (let isOver = false; !isOver; ) {
    isOver = true;
    for (const target of targets) {
      const batches = pendingBatches(target, cache);
      if (batches.length === 0) continue;
      isOver = false;
      await visit(options, target, cache, batches);
    }
  }
}

/** Of a target that has been visited. */
function pendingBatches(target: Target, cache: ProfileCache): readonly number[] {
  const visits = cache.visits(target.key);
  // Refused: that will be so the next time.
  if (visits.at(-1)?.windows.length === 0) return [];
  const { profile, doubtful, next } = timesOf(target, cache);
  const windows = visits.flatMap(one => one.windows);
  const again = profile.points.flatMap(({ batch }) => {
    const most = doubtful.includes(batch) ? MOST_WINDOWS : VISITS;
    return windows.filter(window => window.batch === batch).length < most ? [batch] : [];
  });
  return next === null ? again : [...again, next];
}

/** What the visits give; `noise`: what of it no two windows agree about. */
export function measuredVariants(measured: Measured, cache: ProfileCache) {
  const stages: Record<string, Record<string, Profile>> = {};
  const noise: Noise[] = [];
  let disturbance = 1;
  for (const target of targetsOf(measured)) {
    const { profile, noisy, disturbance: own } = timesOf(target, cache);
    const { stage, cores } = target;
    const names = { stage: stage.name, variant: target.variant.name, ...(cores !== stage.cores && { cores }) };
    noise.push(...noisy.map(({ batch, spread }) => ({ ...names, batch, spread: Math.round(spread * 1e4) / 1e4 })));
    disturbance = Math.max(disturbance, own);
    stages[stage.name] = { ...stages[stage.name], [names.variant]: withCores(stages, names, profile) };
  }
  return { stages, noise, disturbance };
}

/** The first one of a variant is of its stage's cores. */
function withCores(
  stages: Readonly<Record<string, Readonly<Record<string, Profile>>>>,
  { stage, variant }: { readonly stage: string; readonly variant: string },
  profile: Profile,
): Profile {
  const first = stages[stage]?.[variant];
  return first === undefined ? profile : { ...first, otherCores: [...(first.otherCores ?? []), profile] };
}

/** So that the next run measures these anew, and nothing else. */
export async function forgetNoisy(measured: Measured, cache: ProfileCache): Promise<void> {
  for (const target of targetsOf(measured))
    if (timesOf(target, cache).noisy.length > 0) await cache.forgetVisits(target.key);
}

/** Those on the stage's cores first. What another server runs has its own cores. */
function targetsOf({ pipeline, cores, windowMs }: Measured): readonly Target[] {
  const all = pipeline.stages.flatMap(stage => stage.variants.map(variant => ({ stage, variant })));
  const own = all.map(one => ({ ...one, cores: one.stage.cores }));
  const others = cores.flatMap(count => all.map(one => ({ ...one, cores: count })));
  const targets = [
    ...own,
    ...others.filter(({ stage, variant, cores: count }) => count !== stage.cores && variant.sha256 !== null),
  ];
  return targets.map((target, i) => {
    const name = `${target.stage.name}/${target.variant.name}`;
    const title = target.cores === target.stage.cores ? name : `${name} on ${target.cores} cores`;
    const key = `${title}, ${windowMs} ms`;
    return { ...target, key, title, label: `[${i + 1}/${targets.length}] ${title}` };
  });
}

function timesOf({ key, cores }: Target, cache: ProfileCache): VariantTimes {
  const visits = cache.visits(key);
  if (visits.length === 0) throw new VariscaleError("internal", `${key} was not measured`);
  return variantTimesOf(visits, cores);
}

/** @param batches null: from 1 on at the first visit, all of these at the next. */
async function visit(
  options: MeasureVariantsOptions,
  target: Target,
  cache: ProfileCache,
  batches: readonly number[] | null,
): Promise<void> {
  const { stage, variant, key, title, cores } = target;
  const before = cache.visits(key);
  const label = before.length === 0 ? target.label : `${target.label}, window ${before.length + 1}`;
  const known = before.length === 0 ? [] : timesOf(target, cache).profile.points.map(({ batch }) => batch);
  const gapMs = before.length < VISITS ? options.gapMs : LATER_GAP * options.gapMs;
  if (before.length > 0) await sleep(cache.msUntil(key, gapMs));
  const rows = await sampleRows(stage, options.code);
  const visited = await visitVariant(sourceOf({ ...stage, cores }, variant, options.modelFolder), rows, {
    label: title,
    windowMs: options.windowMs / VISITS,
    batches: batches ?? (before.length === 0 ? null : known),
    known,
    onPoint: (batch, time) => {
      const row = (time.latencyMs / batch).toFixed(2);
      const noise = time.basis === "cpu" ? "; the machine is busy, so this is from CPU time" : "";
      options.onProgress(`${label}: batch ${batch} takes ${time.latencyMs.toFixed(2)} ms, ${row} ms a row${noise}`);
    },
    onRefused: (batch, message) => options.onProgress(`${label}: batch ${batch} is left out: ${message}`),
  });
  await cache.addVisit(key, visited);
}
