import { VariscaleError } from "../domain/errors.ts";
import type { Row } from "../gateway/stage.ts";
import { nextBatch } from "./batch-sizes.ts";
import { type MeasuringChild, startMeasuring } from "./measuring-child.ts";
import type { ModelSource } from "./model-source.ts";
import { type ServiceTime, serviceTimeOf } from "./service-time.ts";

/** A batch that answers fewer of its rows is none. */
const LEAST_FILL = 0.85;

/** What one process measured of one variant: one window for each batch size. */
export interface VariantVisit {
  /** From the file to a warm session, each time anew. */
  readonly loadsMs: readonly number[];
  /**
   * Resident memory that a session adds which has run full batches of every size measured so far; null where another server has the model, and
   * where all sizes of this visit were known before.
   */
  readonly memoryMiB: number | null;
  readonly windows: readonly BatchWindow[];
  /** Whether a batch was left out: larger ones are not tried. */
  readonly isRefused: boolean;
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
  /** Batch sizes that were measured before; the fill of others is looked at. */
  readonly known?: readonly number[];
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
  const { known = [] } = options;
  const timed = await measureTimes(source, rows, options, known);
  const added = timed.windows.map(({ batch }) => batch).filter(batch => !known.includes(batch));
  if (source.kind !== "file" || added.length === 0) return { ...timed, memoryMiB: null };
  const batches = [...known, ...added].sort((a, b) => a - b);
  return { ...timed, memoryMiB: await measureMemory(source, rows, batches, options.label) };
}

async function measureTimes(
  source: ModelSource,
  rows: readonly Row[],
  options: VisitOptions,
  known: readonly number[],
): Promise<Omit<VariantVisit, "memoryMiB">> {
  const child = startMeasuring(options.label);
  try {
    const opened = await child.ask({ kind: "open", source, rows });
    if (opened.kind !== "opened") throw new VariscaleError("internal", `unexpected reply ${opened.kind}`);
    const windows: BatchWindow[] = [];
    const given = options.batches?.values();
    const next = (): number | null => (given ? (given.next().value ?? null) : nextBatch(windows));
    let isRefused = false;
    for (let batch = next(); batch !== null; batch = next()) {
      const fill = batch > 1 && !known.includes(batch) ? await fillOf(child, batch) : null;
      if (fill !== null && fill < LEAST_FILL) {
        const percent = Math.round(100 * fill);
        options.onRefused(batch, `${percent} % of its rows have the outputs that they have alone`);
        isRefused = true;
        break;
      }
      const ran = await child.ask({ kind: "run", batch, windowMs: options.windowMs });
      if (ran.kind === "refused") {
        options.onRefused(batch, ran.message);
        isRefused = true;
        break;
      }
      if (ran.kind !== "ran") throw new VariscaleError("internal", `unexpected reply ${ran.kind}`);
      const time = serviceTimeOf(ran.runs, source.kind === "file" ? source.threads : 1);
      windows.push({ batch, fill, time });
      options.onPoint(batch, time);
    }
    return { loadsMs: opened.loadsMs, windows, isRefused };
  } finally {
    if (source.kind === "remote") await child.ask({ kind: "close" }).catch(() => undefined);
    child.kill();
  }
}

/** In a process of its own: what measured times keeps the memory of other sessions and of all rows' outputs. */
async function measureMemory(
  source: ModelSource,
  rows: readonly Row[],
  batches: readonly number[],
  label: string,
): Promise<number> {
  const child = startMeasuring(label);
  try {
    const reply = await child.ask({ kind: "memory", source, rows, batches });
    if (reply.kind !== "memory") throw new VariscaleError("internal", `unexpected reply ${reply.kind}`);
    return reply.memoryMiB;
  } finally {
    child.kill();
  }
}

/** Null where the model refuses the batch: running it says why. */
async function fillOf(child: MeasuringChild, batch: number): Promise<number | null> {
  const reply = await child.ask({ kind: "compare", batch });
  return reply.kind === "compared" ? reply.fill : null;
}
