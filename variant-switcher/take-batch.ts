import type { ModelSession } from "./session.ts";
import type { Entry, WorkQueue } from "./work-queue.ts";

/** The session that serves, and how it is fed. */
export interface Serving {
  readonly session: ModelSession;
  /** Most rows in one batch. */
  readonly batch: number;
  /** How long an incomplete batch waits for more rows; 0: never. */
  readonly maxWaitMs: number;
}

export interface TakenBatch {
  readonly serving: Serving;
  readonly parts: readonly { readonly entry: Entry; readonly from: number; readonly to: number }[];
  readonly rows: number;
}

/**
 * Takes the next batch from the head of the queue; null: there is none. What failed before runs alone, and only rows of the
 * same shape share a batch. `begin` whole: no request joins whose rows do not all fit, so that none
 * is half served but those that are already. `refuse` is given work that this session may not serve, and takes it out of the queue.
 */
export function takeBatch(
  queue: WorkQueue,
  serving: Serving,
  begin: "any" | "whole",
  refuse: (entry: Entry, message: string) => void,
): TakenBatch | null {
  const parts: TakenBatch["parts"][number][] = [];
  let rows = 0;
  for (let entry = queue.head; entry && rows < serving.batch; entry = queue.head) {
    const { variant } = entry.work;
    if (variant !== null && variant !== serving.session.variant) {
      refuse(entry, `${variant} is not served any more, ${serving.session.variant} is`);
      continue;
    }
    const first = parts[0]?.entry;
    if (first && (first.failures > 0 || entry.failures > 0 || first.work.shapeKey !== entry.work.shapeKey)) break;
    const from = entry.nextRow;
    if (begin === "whole" && first && from === 0 && entry.work.rows > serving.batch - rows) break;
    const to = Math.min(entry.work.rows, from + serving.batch - rows);
    parts.push({ entry, from, to });
    rows += to - from;
    queue.advance(entry, to - from);
  }
  return rows > 0 ? { serving, parts, rows } : null;
}
