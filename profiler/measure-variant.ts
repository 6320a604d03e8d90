import { VariscaleError } from "../domain/errors.ts";
import type { Profile } from "../domain/profile-schema.ts";
import type { Row } from "../gateway/stage.ts";
import { startMeasuring } from "./measuring-child.ts";
import type { ModelSource } from "./model-source.ts";
import { neverFalling } from "./never-falling.ts";
import { type ServiceTime, serviceTimeOf } from "./service-time.ts";

/** Measured in this order; the first three always. */
const BATCHES = [1, 2, 4, 8, 16] as const;
const ALWAYS = 4;
/** A larger batch is worth trying when the last doubling saved this share of the time for one row. */
const WORTHWHILE = 0.02;
const ROUNDING = 1e4;

export interface VariantMeasurement {
  readonly profile: Profile;
  /** The largest of its points' disturbances. */
  readonly disturbance: number;
}

export interface MeasureOptions {
  /** `stage/variant`. */
  readonly label: string;
  /** Of the stage. */
  readonly cores: number;
  /** How long each batch size is run. */
  readonly windowMs: number;
  readonly onPoint: (batch: number, time: ServiceTime) => void;
  /** The server of a remote variant takes no batches of this size: larger ones are not tried. */
  readonly onRefused: (batch: number, message: string) => void;
}

/**
 * Measures one variant in a process of its own, closed loop: full batches one after the other.
 *
 * @throws failed_precondition when the model can't be loaded or run, or the process ended by itself.
 */
export async function measureVariant(
  source: ModelSource,
  rows: readonly Row[],
  options: MeasureOptions,
): Promise<VariantMeasurement> {
  const child = startMeasuring(options.label);
  try {
    const opened = await child.ask({ kind: "open", source, rows });
    if (opened.kind !== "opened") throw new VariscaleError("internal", `unexpected reply ${opened.kind}`);
    const times: { readonly batch: number; readonly time: ServiceTime }[] = [];
    for (const batch of BATCHES) {
      if (!isWorthTrying(times.map(({ batch: size, time }) => time.latencyMs / size))) break;
      const ran = await child.ask({ kind: "run", batch, windowMs: options.windowMs });
      if (ran.kind === "refused") {
        options.onRefused(batch, ran.message);
        break;
      }
      if (ran.kind !== "ran") throw new VariscaleError("internal", `unexpected reply ${ran.kind}`);
      const time = serviceTimeOf(ran.runs, source.kind === "file" ? source.threads : 1);
      times.push({ batch, time });
      options.onPoint(batch, time);
    }
    return {
      profile: toProfile(times, { cores: options.cores, loadMs: opened.loadMs, memoryMiB: opened.memoryMiB }),
      disturbance: Math.max(...times.map(({ time }) => time.disturbance)),
    };
  } finally {
    if (source.kind === "remote") await child.ask({ kind: "close" }).catch(() => undefined);
    child.kill();
  }
}

/** @param rowMs time for one row at each batch size so far. */
function isWorthTrying(rowMs: readonly number[]): boolean {
  const [before, last] = rowMs.slice(-2);
  if (rowMs.length < BATCHES.indexOf(ALWAYS) + 1 || before === undefined || last === undefined) return true;
  return last < before * (1 - WORTHWHILE);
}

function toProfile(
  times: readonly { readonly batch: number; readonly time: ServiceTime }[],
  model: { readonly cores: number; readonly loadMs: number; readonly memoryMiB: number | null },
): Profile {
  const latencies = neverFalling(times.map(({ time }) => time.latencyMs));
  return {
    cores: model.cores,
    loadMs: round(model.loadMs),
    ...(model.memoryMiB !== null && { memoryMiB: round(Math.max(model.memoryMiB, 0.1)) }),
    points: times.map(({ batch, time }, i) => ({
      batch,
      latencyMs: Math.max(1 / ROUNDING, round(latencies[i] ?? time.latencyMs)),
      scv: round(Math.min(time.scv, 100)),
      ...(time.cpuMs !== null && { cpuMs: Math.max(1 / ROUNDING, round(time.cpuMs)) }),
      // Batches are made here, not waited for: all of them are full.
      fill: 1,
    })),
  };
}

function round(value: number): number {
  return Math.round(value * ROUNDING) / ROUNDING;
}
