import type { AssignedRung } from "../domain/assignment.ts";
import { serviceMs } from "../domain/profile.ts";
import type { BatchTimes, RanBatch } from "../domain/serving/batch-times.ts";
import { chooseRung } from "../domain/serving/choose-batch.ts";
import { type Call, createRung, type ExpectedCall, type Ladder, type Rung } from "../domain/serving/ladder.ts";
import type { ServicePoint, SwitcherVariant } from "./config.ts";
import type { ModelSession } from "./session.ts";

/** The largest batch of the default variant until the scaler says another one. */
const DEFAULT_BATCH = 1;

type Measured = Pick<SwitcherVariant, "name" | "points">;

/** The ladder of a replica as it was switched to. */
export interface Serving {
  /** The session of the most accurate rung. */
  readonly session: ModelSession;
  /** Most rows in one batch of it. */
  readonly batch: number;
  /** The rungs below it down to the floor, the most accurate first; those that are in memory serve too. */
  readonly lighter: readonly AssignedRung[];
}

/** The sessions in memory. */
export interface ResidentSessions {
  readonly residentVariants: readonly string[];
  /** Null where there is none that can run. */
  findSession(variant: string): ModelSession | null;
}

/** The ladder of this moment: what may serve, as far as it is in memory, with the times that batches take here. */
export class ReplicaLadder {
  readonly times: BatchTimes;
  readonly #points: ReadonlyMap<string, readonly ServicePoint[]>;
  readonly #sessions: ResidentSessions;
  /** As measured, by variant and largest batch. */
  readonly #measured = new Map<string, Rung>();
  /** As they are here while the factor is `#factor`. */
  readonly #scaled = new Map<Rung, Rung>();
  /** The next heavier variant that may serve, in memory or not. */
  readonly #findHeavier: (variant: string) => string | undefined;
  #factor = 1;

  constructor(
    variants: readonly Measured[],
    sessions: ResidentSessions,
    times: BatchTimes,
    findHeavier: (variant: string) => string | undefined,
  ) {
    this.#findHeavier = findHeavier;
    this.#points = new Map(variants.map(({ name, points }) => [name, points]));
    this.#sessions = sessions;
    this.times = times;
  }

  find({ session, batch, lighter }: Serving): Ladder {
    const top = this.#scale(session.variant, batch);
    const rungs = [top];
    const belowGaps: string[] = [];
    const heavier = this.#findHeavier(session.variant);
    if (heavier !== undefined && !this.#sessions.findSession(heavier)) belowGaps.push(session.variant);
    let isGap = false;
    for (const { variant, maxBatch } of lighter) {
      const isInMemory = this.#sessions.findSession(variant) !== null;
      if (isInMemory) rungs.push(this.#scale(variant, maxBatch));
      if (isInMemory && isGap) belowGaps.push(variant);
      isGap = !isInMemory;
    }
    const others: Rung[] = [];
    for (const variant of this.#sessions.residentVariants) {
      if (rungs.some(rung => rung.variant === variant) || !this.#sessions.findSession(variant)) continue;
      others.push(this.#scale(variant, this.#chooseMaxBatch(variant, top.batchMs[batch] as number)));
    }
    return { rungs, others, belowGaps, crowding: this.times.crowding };
  }

  /** The session behind a rung of the ladder; null: it is not in memory any more. */
  findSession({ session }: Serving, variant: string): ModelSession | null {
    return session.variant === variant ? session : this.#sessions.findSession(variant);
  }

  /** The rung of the next batch by the rule; null: there is but one. */
  chooseRung(serving: Serving, calls: readonly Call[], startMs: number, expected: ExpectedCall | null): Rung | null {
    return serving.lighter.length > 0 ? chooseRung(this.find(serving), calls, startMs, expected) : null;
  }

  /** The ladder without its most accurate rung, as far as it is in memory; null: nothing else is. */
  findNext(serving: Serving): Serving | null {
    for (const [at, { variant, maxBatch }] of serving.lighter.entries()) {
      const session = this.findSession(serving, variant);
      if (session) return { session, batch: maxBatch, lighter: serving.lighter.slice(at + 1) };
    }
    return null;
  }

  /** Learns the times of this replica from a batch that has just ended. */
  learn(variant: string, rows: number, times: Pick<RanBatch, "serviceMs" | "tookMs" | "wasLoading">): void {
    this.times.ran({ ...times, measuredMs: this.#findMeasuredMs(variant, rows), endedMs: performance.now() });
  }

  /** Milliseconds that so many rows were measured to take; 0: the variant was not measured. */
  #findMeasuredMs(variant: string, rows: number): number {
    const points = this.#points.get(variant) ?? [];
    return points.length === 0 ? 0 : serviceMs({ points }, rows);
  }

  /** The largest measured batch that takes no longer than this. */
  #chooseMaxBatch(variant: string, longestMs: number): number {
    const points = this.#points.get(variant) ?? [];
    return points.findLast(({ latencyMs }) => this.#factor * latencyMs <= longestMs)?.batch ?? 1;
  }

  #scale(variant: string, maxBatch: number): Rung {
    const { factor } = this.times;
    if (factor !== this.#factor) {
      this.#scaled.clear();
      this.#factor = factor;
    }
    const measured = this.#measure(variant, maxBatch);
    let scaled = this.#scaled.get(measured);
    if (!scaled) {
      scaled = { ...measured, batchMs: measured.batchMs.map(ms => factor * ms) };
      this.#scaled.set(measured, scaled);
    }
    return scaled;
  }

  #measure(variant: string, maxBatch: number): Rung {
    const key = `${maxBatch} ${variant}`;
    let rung = this.#measured.get(key);
    if (!rung) {
      const points = this.#points.get(variant) ?? [];
      const unmeasured = { variant, maxBatch, batchMs: new Float64Array(maxBatch + 1) };
      rung = points.length === 0 ? unmeasured : createRung(variant, { points }, maxBatch);
      this.#measured.set(key, rung);
    }
    return rung;
  }
}

/** The rungs of a replica that was never assigned any: the default variant, and below it the lightest one where that is lighter. */
export function chooseDefaultRungs(variants: readonly Measured[], defaultVariant: string): readonly AssignedRung[] {
  const top = { variant: defaultVariant, maxBatch: DEFAULT_BATCH };
  const measured = variants.find(({ name, points }) => name === defaultVariant && points.length > 0);
  if (!measured) return [top];
  const lightest = variants
    .filter(({ points }) => points.length > 0)
    .reduce((least, variant) => (leastRowMs(variant) < leastRowMs(least) ? variant : least), measured);
  if (lightest.name === defaultVariant) return [top];
  const longestMs = serviceMs(measured, DEFAULT_BATCH);
  const maxBatch = lightest.points.findLast(({ latencyMs }) => latencyMs <= longestMs)?.batch ?? 1;
  return [top, { variant: lightest.name, maxBatch }];
}

/** Milliseconds of a row in the batch that is best for it. */
function leastRowMs({ points }: Measured): number {
  return Math.min(...points.map(({ batch, latencyMs }) => latencyMs / batch));
}
