import { VariscaleError } from "../domain/errors.ts";
import type { Row } from "../gateway/stage.ts";
import { type MeasuringChild, startMeasuring } from "./measuring-child.ts";
import type { ModelSource } from "./model-source.ts";
import { type ServiceTime, serviceTimeOf } from "./service-time.ts";

/** Measured in this order; the first three always. */
const BATCHES = [1, 2, 4, 8, 16] as const;
const ALWAYS = 4;
/** A larger batch is worth trying when the last doubling saved this share of the time for one row. */
const WORTHWHILE = 0.02;
/** A batch that answers fewer of its rows is none. */
const LEAST_FILL = 0.85;

/** What one process measured of one variant: one window for each batch size. */
export interface VariantVisit {
  /** From the file to a warm session, each time anew. */
  readonly loadsMs: readonly number[];
  /** Resident memory that the first session added; null where another server has the model. */
  readonly memoryMiB: number | null;
  readonly windows: readonly BatchWindow[];
}

export interface BatchWindow {
  readonly batch: number;
  /** Share of its rows whose outputs are as those of the row alone; null: not looked at. */
  readonly fill: number | null;
  readonly time: ServiceTime;
}

export interface VisitOptions {
  /** `stage/variant`. */
  readonly label: string;
  /** How long each batch size is run. */
  readonly windowMs: number;
  /** Batch sizes to measure; null: from 1 on, as long as larger ones pay. */
  readonly batches: readonly number[] | null;
  readonly onPoint: (batch: number, time: ServiceTime) => void;
  /** The model or its server takes no batches of this size, or does not answer their rows: larger ones are not tried. */
  readonly onRefused: (batch: number, message: string) => void;
}

/**
 * Measures one variant in a process of its own, closed loop: full batches one after the other.
 *
 * @throws failed_precondition when the model can't be loaded or run, or the process ended by itself.
 */
export async function visitVariant(
  source: ModelSource,
  rows: readonly Row[],
  options: VisitOptions,
): Promise<VariantVisit> {
  const child = startMeasuring(options.label);
  try {
    const opened = await child.ask({ kind: "open", source, rows });
    if (opened.kind !== "opened") throw new VariscaleError("internal", `unexpected reply ${opened.kind}`);
    const windows: BatchWindow[] = [];
    for (const batch of options.batches ?? BATCHES) {
      if (options.batches === null && !isWorthTrying(windows)) break;
      const fill = options.batches === null && batch > 1 ? await fillOf(child, batch) : null;
      if (fill !== null && fill < LEAST_FILL) {
        const percent = Math.round(100 * fill);
        options.onRefused(batch, `${percent} % of its rows have the outputs that they have alone`);
        break;
      }
      const ran = await child.ask({ kind: "run", batch, windowMs: options.windowMs });
      if (ran.kind === "refused") {
        options.onRefused(batch, ran.message);
        break;
      }
      if (ran.kind !== "ran") throw new VariscaleError("internal", `unexpected reply ${ran.kind}`);
      const time = serviceTimeOf(ran.runs, source.kind === "file" ? source.threads : 1);
      windows.push({ batch, fill, time });
      options.onPoint(batch, time);
    }
    return { loadsMs: opened.loadsMs, memoryMiB: opened.memoryMiB, windows };
  } finally {
    if (source.kind === "remote") await child.ask({ kind: "close" }).catch(() => undefined);
    child.kill();
  }
}

/** @param windows of the batch sizes so far. */
function isWorthTrying(windows: readonly BatchWindow[]): boolean {
  const [before, last] = windows.map(({ batch, time }) => time.latencyMs / batch).slice(-2);
  if (windows.length < BATCHES.indexOf(ALWAYS) + 1 || before === undefined || last === undefined) return true;
  return last < before * (1 - WORTHWHILE);
}

/** Null where the model refuses the batch: running it says why. */
async function fillOf(child: MeasuringChild, batch: number): Promise<number | null> {
  const reply = await child.ask({ kind: "compare", batch });
  return reply.kind === "compared" ? reply.fill : null;
}
