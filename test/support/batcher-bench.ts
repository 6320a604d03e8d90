import { Batcher, type Ticket } from "../../variant-switcher/batcher.ts";
import { Foresight } from "../../variant-switcher/foresight.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";
import { ECHO_CONTRACT } from "./stepped-session.ts";

/** A Batcher of rows of bytes, and short ways to talk to it. */
export class BatcherBench {
  /** Why work was dropped, in the order in which it was. */
  readonly drops: string[] = [];
  readonly lost: ModelSession[] = [];
  /** Why the Batcher takes nothing in; null: it does. */
  refusal: string | null = null;
  foresight = new Foresight([]);
  batcher = this.#batcher(100, 1000);

  /** Another Batcher, of which nothing is known. */
  create(maxRows = 100, maxBytes = 1000): void {
    this.foresight = new Foresight([]);
    this.batcher = this.#batcher(maxRows, maxBytes);
  }

  async serve(session: ModelSession, batch: number, maxWaitMs = 0): Promise<void> {
    await this.batcher.serve({ session, batch, maxWaitMs });
  }

  submit(
    rows: readonly number[],
    more: { readonly width?: number; readonly variant?: string; readonly timeoutMs?: number } = {},
  ): Ticket {
    const { width = 1, variant = null, timeoutMs = 60_000 } = more;
    const bytes = Uint8Array.from(rows.flatMap(row => Array(width).fill(row)));
    const inputs = [{ datatype: "UINT8", shape: [rows.length, width], bytes }] as const;
    const deadlineMs = performance.now() + timeoutMs;
    return this.batcher.submit({ rows: rows.length, inputs, shapeKey: String(width), variant, deadlineMs });
  }

  /** What served and the served rows, or why there are none. */
  readonly result = async (ticket: Ticket): Promise<string | (string | number)[]> => {
    const settled = await ticket.result;
    return settled.kind === "served" ? [settled.variant, ...(settled.outputs[0]?.bytes ?? [])] : settled.reason;
  };

  close(): void {
    this.batcher.dropAll("not_ready", "the test has ended");
  }

  #batcher(maxRows: number, maxBytes: number): Batcher {
    return new Batcher({
      contract: ECHO_CONTRACT,
      limits: { maxRows, maxBytes },
      foresight: this.foresight,
      observer: {
        offered: () => undefined,
        served: () => undefined,
        ran: () => undefined,
        dropped: ({ reason }) => void this.drops.push(reason),
      },
      refusal: () => this.refusal,
      onLost: session => void this.lost.push(session),
    });
  }
}
