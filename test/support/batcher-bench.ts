import type { AssignedRung } from "../../domain/assignment.ts";
import { BatchTimes } from "../../domain/serving/batch-times.ts";
import { Batcher } from "../../variant-switcher/batcher.ts";
import { Counters } from "../../variant-switcher/counters.ts";
import type { Ticket } from "../../variant-switcher/outcomes.ts";
import { ReplicaLadder } from "../../variant-switcher/replica-ladder.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";
import type { Work } from "../../variant-switcher/work-queue.ts";
import { ECHO_CONTRACT } from "./stepped-session.ts";

/** Milliseconds that batches were measured to take, by variant and rows. */
type Measured = Readonly<Record<string, Readonly<Record<number, number>>>>;

interface SubmitOptions {
  readonly width?: number;
  readonly variant?: string;
  readonly keeps?: Work["keeps"];
  readonly timeoutMs?: number;
  /** Default: the timeout. */
  readonly softAfterMs?: number;
}

/** A Batcher of rows of bytes, and short ways to talk to it. */
export class BatcherBench {
  /** Why work was dropped, in the order in which it was. */
  readonly drops: string[] = [];
  readonly lost: ModelSession[] = [];
  /** Sessions in memory, beside the one at the top. */
  readonly residents = new Map<string, ModelSession>();
  /** Why the Batcher takes nothing in; null: it does. */
  refusal: string | null = null;
  belowFloor: readonly string[] = [];
  /** Rungs that only count, and what they counted. */
  shadowRungs: readonly AssignedRung[] = [];
  readonly shadowed: string[] = [];
  /** Everything that was counted. */
  readonly counters: Counters;
  /** A variant that may serve and is heavier than what serves. */
  heavierVariant: string | undefined;
  readonly times: BatchTimes;
  readonly batcher: Batcher;

  constructor({
    measured = {},
    maxRows = 100,
    maxBytes = 1000,
    crowding = 1,
    Ladder = ReplicaLadder,
  }: BenchOptions = {}) {
    this.times = new BatchTimes(crowding);
    const variants = Object.entries(measured).map(([name, byRows]) => ({
      name,
      points: Object.entries(byRows).map(([rows, latencyMs]) => ({ batch: Number(rows), latencyMs, scv: 0 })),
    }));
    const { residents } = this;
    const counters = new Counters(Object.keys(measured), () => undefined);
    this.counters = counters;
    const sessions = {
      get residentVariants() {
        return [...residents.keys()];
      },
      findSession: (variant: string) => {
        const session = residents.get(variant);
        return session && !session.isLost ? session : null;
      },
    };
    this.batcher = new Batcher({
      contract: ECHO_CONTRACT,
      limits: { maxRows, maxBytes },
      ladder: new Ladder(variants, sessions, this.times, () => this.heavierVariant),
      isLoading: () => false,
      observer: {
        offered: rows => counters.offered(rows),
        served: request => counters.served(request),
        ran: batch => counters.ran(batch),
        dropped: ({ reason }) => void this.drops.push(reason),
        countShadow: ({ variant, rows }) => void this.shadowed.push(`${variant}=${rows}`),
      },
      refusal: () => this.refusal,
      isBelowFloor: variant => this.belowFloor.includes(variant),
      shadowRungs: () => this.shadowRungs,
      onLost: session => void this.lost.push(session),
    });
  }

  /** `lighter`: sessions below it and their largest batches, the most accurate first. */
  async serve(session: ModelSession, batch: number, lighter: readonly [ModelSession, number][] = []): Promise<void> {
    for (const one of [session, ...lighter.map(([other]) => other)]) this.residents.set(one.variant, one);
    const rungs = lighter.map(([{ variant }, maxBatch]) => ({ variant, maxBatch }));
    await this.batcher.serve({ session, batch, lighter: rungs });
  }

  submit(rows: readonly number[], more: SubmitOptions = {}): Ticket {
    const { width = 1, variant = null, keeps = { keys: [] }, timeoutMs = 60_000, softAfterMs = timeoutMs } = more;
    const bytes = Uint8Array.from(rows.flatMap(row => Array(width).fill(row)));
    const inputs = [{ datatype: "UINT8", shape: [rows.length, width], bytes }] as const;
    const nowMs = performance.now();
    const deadlines = { softMs: nowMs + softAfterMs, hardMs: nowMs + timeoutMs, deadlineMs: nowMs + timeoutMs };
    return this.batcher.submit({ rows: rows.length, inputs, shapeKey: String(width), variant, keeps, ...deadlines });
  }

  /** What served and the served rows, or why there are none. */
  readonly result = async (ticket: Ticket): Promise<string | (string | number)[]> => {
    const settled = await ticket.result;
    return settled.kind === "served" ? [settled.variant, ...(settled.outputs[0]?.bytes ?? [])] : settled.reason;
  };

  /** How many rows each variant served of a request, as `a=2`. */
  readonly shares = async (ticket: Ticket): Promise<string> => {
    const settled = await ticket.result;
    if (settled.kind !== "served") return settled.reason;
    return settled.shares.map(({ variant, rows }) => `${variant}=${rows}`).join();
  };

  /** The variant that served, why nothing heavier did, and whether there was so much time, within a half. */
  readonly choice = async (ticket: Ticket, longestMs: number): Promise<string | readonly [string, string, boolean]> => {
    const settled = await ticket.result;
    if (settled.kind !== "served") return settled.reason;
    const { variant, why, slackMs } = settled;
    return [variant, why, slackMs <= longestMs && slackMs > longestMs / 2];
  };

  close(): void {
    this.batcher.dropAll("not_ready", "the test has ended");
  }
}

interface BenchOptions {
  readonly measured?: Measured;
  readonly maxRows?: number;
  readonly maxBytes?: number;
  readonly crowding?: number;
  readonly Ladder?: typeof ReplicaLadder;
}
