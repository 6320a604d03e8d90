/**
 * What fails for a while. `scalerDown`: no control loop, no answers to KEDA; what was said stays. `monitoringSilent`: no samples of the load.
 * `hpaStuck`: counts stay as they are, whatever is asked. `nodeLost`: the first node that runs pods is gone with them, and comes back empty.
 * `slowMachine`: every batch that begins takes SLOWER times as long as was measured.
 */
export const FAULT_KINDS = ["scalerDown", "monitoringSilent", "hpaStuck", "nodeLost", "slowMachine"] as const;
export const SLOWER = 1.5;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** After the start of what counts. */
  readonly fromSecond: number;
  readonly seconds: number;
}

/** Faults on the clock of a simulation. */
export class Faults {
  readonly #spans: readonly { readonly kind: FaultKind; readonly fromMs: number; readonly toMs: number }[];

  constructor(faults: readonly Fault[], warmUpSeconds: number) {
    this.#spans = faults.map(({ kind, fromSecond, seconds }) => {
      const fromMs = (warmUpSeconds + fromSecond) * 1000;
      return { kind, fromMs, toMs: fromMs + seconds * 1000 };
    });
  }

  has(kind: FaultKind, nowMs: number): boolean {
    return this.#spans.some(span => span.kind === kind && nowMs >= span.fromMs && nowMs < span.toMs);
  }

  /** When nodes are lost and come back, in rising order of their places here. */
  get nodeLosses(): readonly { readonly fromMs: number; readonly toMs: number }[] {
    return this.#spans.filter(({ kind }) => kind === "nodeLost");
  }
}
