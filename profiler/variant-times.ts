import type { Profile } from "../domain/profile-schema.ts";
import { batchFitOf } from "./batch-fit.ts";
import { nextBatch } from "./batch-sizes.ts";
import { median } from "./median.ts";
import { threadsOf } from "./model-source.ts";
import { neverFalling } from "./never-falling.ts";
import { agree, type SettledTime, settledTimeOf } from "./settled-time.ts";
import type { VariantVisit } from "./visit-variant.ts";

const ROUNDING = 1e4;

/** What all visits to one variant say together. */
export interface VariantTimes {
  readonly profile: Profile;
  /** Batch sizes of which no two windows agree, with how far apart the two fastest are. */
  readonly noisy: readonly { readonly batch: number; readonly spread: number }[];
  /** Batch sizes that another window may make surer: those, short ones that are nearly so, and what is slower than a larger batch. */
  readonly doubtful: readonly number[];
  /** A batch size that was not measured, and is worth it by times that windows agree about; null: there is none. */
  readonly next: number | null;
  /** The largest of all windows. */
  readonly disturbance: number;
}

/** @param visits at least one. @param cores that they were measured on. */
export function variantTimesOf(visits: readonly VariantVisit[], cores: number): VariantTimes {
  const points = settledPoints(visits, threadsOf(cores));
  const noisy = points.filter(({ time }) => !time.isSettled).map(({ batch, time }) => ({ batch, spread: time.spread }));
  const falling = points.filter(({ time }, i) =>
    points.slice(i + 1).some(larger => !agree(larger.time.latencyMs, time.latencyMs)),
  );
  const unsure = points.filter(({ time }) => !time.isSure);
  const isDoubtful = (batch: number): boolean => [...unsure, ...falling].some(one => one.batch === batch);
  const doubtful = points.map(({ batch }) => batch).filter(isDoubtful);
  const isEnd = noisy.length > 0 || visits.some(({ isRefused }) => isRefused);
  return {
    profile: toProfile(visits, points, cores),
    noisy,
    doubtful,
    next: isEnd ? null : nextBatch(points),
    disturbance: Math.max(...points.map(({ time }) => time.disturbance)),
  };
}

interface SettledPoint {
  readonly batch: number;
  readonly fill: number | null;
  readonly time: SettledTime;
}

/** Ascending. What is measured at a later visit for the first time has its fill from there. */
function settledPoints(visits: readonly VariantVisit[], threads: number): readonly SettledPoint[] {
  const windows = visits.flatMap(visit => visit.windows);
  const batches = [...new Set(windows.map(({ batch }) => batch))].sort((a, b) => a - b);
  return batches.map(batch => {
    const own = windows.filter(window => window.batch === batch);
    const times = own.map(({ time }) => time);
    return { batch, fill: own[0]?.fill ?? null, time: settledTimeOf(times, threads) };
  });
}

function toProfile(visits: readonly VariantVisit[], points: readonly SettledPoint[], cores: number): Profile {
  const measured = points.map(({ batch, time }) => ({ batch, latencyMs: time.latencyMs }));
  const latencies = neverFalling(measured.map(({ latencyMs }) => latencyMs));
  const fit = batchFitOf(measured, latencies);
  const memories = visits.flatMap(({ memoryMiB }) => memoryMiB ?? []);
  return {
    cores,
    loadMs: round(median(visits.flatMap(({ loadsMs }) => loadsMs))),
    // The first visit may not have had the largest batch.
    ...(memories.length > 0 && { memoryMiB: round(Math.max(...memories, 0.1)) }),
    points: points.map(({ batch, fill, time }, i) => ({
      batch,
      latencyMs: Math.max(1 / ROUNDING, round(latencies[i] ?? time.latencyMs)),
      throughputRps: Math.max(1 / ROUNDING, round((batch * 1000) / (latencies[i] ?? time.latencyMs))),
      scv: round(Math.min(time.scv, 100)),
      ...(time.cpuMs !== null && { cpuMs: Math.max(1 / ROUNDING, round(time.cpuMs)) }),
      ...(fill !== null && { fill: round(fill) }),
      spread: round(time.spread),
    })),
    ...(fit && {
      fit: {
        fixedMs: round(fit.fixedMs),
        rowMs: round(fit.rowMs),
        largestResidual: round(fit.largestResidual),
        isotonicResidual: round(fit.isotonicResidual),
      },
    }),
  };
}

function round(value: number): number {
  return Math.round(value * ROUNDING) / ROUNDING;
}
