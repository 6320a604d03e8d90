import { NO_VERSION, type Version } from "../domain/assignment.ts";
import type { BatchTimes } from "../domain/serving/batch-times.ts";
import type { Batcher } from "./batcher.ts";
import type { SwitcherConfig } from "./config.ts";
import type { Counters, ServiceTime } from "./counters.ts";
import type { MissingFiles } from "./missing-files.ts";
import type { SessionPool } from "./session-pool.ts";
import { findQuarantine } from "./switching/faults.ts";
import type { Switching } from "./switching/switching.ts";

export interface VariantStatus {
  readonly variant: string;
  readonly state: "absent" | "loading" | "resident" | "serving" | "quarantined";
  readonly reason: string;
  readonly loadMs: number;
  readonly memoryMiB: number;
  /** Rows that the ladder would have chosen it for, in shadow, since the start. */
  readonly shadowRows: number;
}

/** A snapshot of everything that a switcher reports. */
export interface SwitcherStatus {
  readonly applied: Version;
  readonly variant: string | null;
  readonly batch: number;
  readonly ready: boolean;
  readonly residentVariants: readonly string[];
  /** Can't be loaded now: they have no model file. */
  readonly missingVariants: readonly string[];
  readonly pin: { readonly variant: string; readonly batch: number; readonly expiresInMs: number } | null;
  readonly queuedRows: number;
  readonly queueAgeMs: number;
  readonly offeredRows: number;
  readonly servedRows: number;
  readonly droppedRows: number;
  readonly switches: number;
  readonly memoryMiB: number;
  readonly serviceTimes: readonly ServiceTime[];
  readonly variants: readonly VariantStatus[];
  /** Batches take so many times what was measured, and so many of them have told it since the start. */
  readonly timeFactor: number;
  readonly timedBatches: number;
}

export interface StatusSources {
  readonly config: Pick<SwitcherConfig, "variants">;
  readonly switching: Switching;
  readonly pool: SessionPool;
  readonly missing: MissingFiles;
  readonly batcher: Batcher;
  readonly counters: Counters;
  readonly times: BatchTimes;
  readonly isReady: () => boolean;
}

export function switcherStatus(sources: StatusSources): SwitcherStatus {
  const { batcher, counters, missing, pool, switching } = sources;
  const { applied, pin } = switching.state;
  const nowMs = performance.now();
  return {
    applied: applied?.version ?? NO_VERSION,
    variant: switching.servedVariant,
    batch: batcher.serving?.batch ?? 0,
    ready: sources.isReady(),
    residentVariants: pool.residentVariants,
    missingVariants: missing.variants.filter(name => !pool.residentVariants.includes(name)),
    pin: pin && { variant: pin.variant, batch: pin.batch, expiresInMs: Math.max(0, pin.expiresAtMs - nowMs) },
    queuedRows: batcher.queuedRows,
    queueAgeMs: batcher.queueAgeMs(),
    offeredRows: counters.offeredRows,
    servedRows: counters.servedRows,
    droppedRows: counters.droppedRows,
    switches: switching.history.done,
    memoryMiB: process.memoryUsage.rss() / (1024 * 1024),
    serviceTimes: counters.serviceTimes(),
    variants: sources.config.variants.map(({ name }) => variantStatus(sources, name)),
    timeFactor: sources.times.factor,
    timedBatches: sources.times.batches,
  };
}

function variantStatus({ counters, pool, switching }: StatusSources, variant: string): VariantStatus {
  const resident = pool.resident(variant);
  const quarantined = findQuarantine(switching.state.faults, variant, performance.now());
  const { shadowRows } = counters.find(variant);
  const numbers = { loadMs: resident?.loadMs ?? 0, memoryMiB: resident?.memoryMiB ?? 0, shadowRows };
  if (switching.servedVariant === variant) return { variant, state: "serving", reason: "", ...numbers };
  if (quarantined) return { variant, state: "quarantined", reason: quarantined.message, ...numbers };
  if (resident) return { variant, state: "resident", reason: "", ...numbers };
  return { variant, state: pool.isLoading(variant) ? "loading" : "absent", reason: "", ...numbers };
}
