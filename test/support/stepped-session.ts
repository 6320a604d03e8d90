import { setImmediate as turn } from "node:timers/promises";
import type { StageContract } from "../../domain/tensor.ts";
import type { ModelSession, RunResult } from "../../variant-switcher/session.ts";
import type { TransferredTensor } from "../../variant-switcher/session-messages.ts";

/** Bytes in, the same bytes out. */
export const ECHO_CONTRACT: StageContract = {
  inputs: [{ name: "x", datatype: "UINT8", shape: [-1, -1] }],
  outputs: [{ name: "y", datatype: "UINT8", shape: [-1, -1] }],
};

/** Echoes its inputs when the test lets it, one batch after the other. */
export class SteppedSession implements ModelSession {
  readonly variant: string;
  readonly batches: number[][] = [];
  isLost = false;
  readonly #waiting: (() => void)[] = [];
  /** Decides what a batch comes to; null: it is echoed. */
  onRun: (rows: readonly number[]) => RunResult | null = () => null;
  /** What a batch of so many rows took. */
  serviceMs: (rows: number) => number = () => 1;

  constructor(variant: string) {
    this.variant = variant;
  }

  async run(inputs: readonly TransferredTensor[]): Promise<RunResult> {
    const input = inputs[0]!;
    const bytes = new Uint8Array(input.data.slice(0, input.bytes));
    const rows = Array.from({ length: input.shape[0]! }, (_, row) => bytes[row * input.shape[1]!]!);
    this.batches.push(rows);
    await new Promise<void>(resolve => this.#waiting.push(resolve));
    return (
      this.onRun(rows) ?? {
        kind: "ran",
        outputs: [{ ...input, name: "y", bytes }],
        spare: [input.data],
        serviceMs: this.serviceMs(rows.length),
      }
    );
  }

  /** Ends the batch that runs, and waits until the next one could start. */
  async step(): Promise<void> {
    this.#waiting.shift()?.();
    await turn();
  }
}
