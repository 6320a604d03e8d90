import { serviceMs } from "../domain/profile.ts";
import type { SwitcherVariant } from "./config.ts";
import type { RanBatch } from "./counters.ts";
import type { Serving } from "./take-batch.ts";

/** Weight of the newest batch in what the next one is expected to take. */
const WEIGHT = 0.1;
/** A batch pays to be waited for when a row in it costs at most this share of a row alone. */
const PAYS = 0.9;
/** What a batch costs beside its service: the way to its session and back, its parts put together and shared out. */
const BATCH_MS = 0.1;

/** What batches are expected to take: at first what the Profile says, then more and more what they took. */
export class Foresight {
  readonly #expected = new Map<string, Map<number, number>>();

  constructor(variants: readonly Pick<SwitcherVariant, "name" | "points">[]) {
    for (const { name, points } of variants)
      this.#expected.set(name, new Map(points.map(({ batch, latencyMs }) => [batch, latencyMs])));
  }

  ran({ variant, rows, serviceMs: tookMs }: Pick<RanBatch, "variant" | "rows" | "serviceMs">): void {
    let byRows = this.#expected.get(variant);
    if (!byRows) {
      byRows = new Map();
      this.#expected.set(variant, byRows);
    }
    const before = byRows.get(rows);
    byRows.set(rows, before === undefined ? tookMs : before + WEIGHT * (tookMs - before));
  }

  /** 0: nothing is known of the variant. */
  expectedMs(variant: string, rows: number): number {
    const byRows = this.#expected.get(variant);
    if (!byRows || byRows.size === 0) return 0;
    const known = byRows.get(rows);
    if (known !== undefined) return known;
    const points = Array.from(byRows, ([batch, latencyMs]) => ({ batch, latencyMs })).toSorted(
      (a, b) => a.batch - b.batch,
    );
    return serviceMs({ points }, rows);
  }

  /** When work behind `queuedRows` rows would be done, from now on; 0: not known. `runningMs`: what runs still takes. */
  doneInMs(serving: Serving, queuedRows: number, rows: number, runningMs: number): number {
    const { variant } = serving.session;
    const fullBatches = Math.floor((queuedRows + rows) / serving.batch);
    const rest = (queuedRows + rows) % serving.batch;
    const fullMs = fullBatches > 0 ? fullBatches * this.expectedMs(variant, serving.batch) : 0;
    const restMs = rest > 0 ? this.expectedMs(variant, rest) : 0;
    return fullMs + restMs === 0 ? 0 : runningMs + fullMs + restMs;
  }

  /** What the halves of a full batch cost, one after the other, as a share of the whole one; infinite: nothing is known of them. */
  costOfHalves({ session: { variant }, batch }: Serving): number {
    const half = Math.ceil(batch / 2);
    const wholeMs = this.expectedMs(variant, batch);
    const halvesMs = this.expectedMs(variant, half) + this.expectedMs(variant, batch - half);
    return wholeMs === 0 ? Number.POSITIVE_INFINITY : (halvesMs + 2 * BATCH_MS) / (wholeMs + BATCH_MS);
  }

  /** Whether a full batch is known to be that much cheaper than single rows that an incomplete one should wait for more. */
  paysToWait({ session, batch }: Serving): boolean {
    const aloneMs = this.expectedMs(session.variant, 1);
    return aloneMs > 0 && this.expectedMs(session.variant, batch) <= PAYS * batch * aloneMs;
  }
}
