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

/** `whole`: no request joins whose rows do not all fit, so that none is half served but those that are already. */
export type Begin = "any" | "whole";

/** Is given work that the session may not serve, and takes it out of the queue. */
export type Refuse = (entry: Entry, message: string) => void;

export interface TakenBatch {
  readonly serving: Serving;
  readonly parts: readonly { readonly entry: Entry; readonly from: number; readonly to: number }[];
  readonly rows: number;
}

/**
 * Takes the next batch from the head of the queue; null: there is none. What failed before runs alone, and only rows of the
 * same shape share a batch. `half`: rows after which a batch ends that would be full, unless that cuts a request; null: none does.
 */
export function takeBatch(
  queue: WorkQueue,
  serving: Serving,
  half: number | null,
  begin: Begin,
  refuse: Refuse,
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
    if (first && !mayShareBatch(first, entry)) break;
    const from = entry.nextRow;
    if (begin === "whole" && first && from === 0 && entry.work.rows > serving.batch - rows) break;
    if (first && rows === half && from === 0 && queue.leads(serving.batch - rows, other => mayShareBatch(first, other)))
      break;
    const to = Math.min(entry.work.rows, from + serving.batch - rows);
    parts.push({ entry, from, to });
    rows += to - from;
    queue.advance(entry, to - from);
  }
  return rows > 0 ? { serving, parts, rows } : null;
}

function mayShareBatch(first: Entry, entry: Entry): boolean {
  return first.failures === 0 && entry.failures === 0 && first.work.shapeKey === entry.work.shapeKey;
}
