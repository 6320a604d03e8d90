export type SwitchCause = "start" | "assignment" | "pin" | "unpin" | "reload" | "recovery";
export type SwitchStep = "load" | "verify" | "warm" | "swap";

/** One Switch, tried or done. */
export interface SwitchRecord {
  readonly from: string | null;
  readonly to: string;
  readonly batch: number;
  readonly cause: SwitchCause;
  readonly startedAt: string;
  readonly steps: readonly { readonly step: SwitchStep; readonly ms: number }[];
  readonly switchMs: number;
  /** `running`, `done` or a nack code. */
  readonly outcome: string;
  readonly message: string | null;
}

type SwitchHead = Pick<SwitchRecord, "from" | "to" | "batch" | "cause" | "startedAt">;

const KEPT = 100;

/** The last hundred Switches, newest last. */
export class SwitchHistory {
  readonly #records: RunningSwitch[] = [];
  #done = 0;

  /** Switches that replaced the variant that is served. */
  get done(): number {
    return this.#done;
  }

  begin(from: string | null, to: string, batch: number, cause: SwitchCause): RunningSwitch {
    const running = new RunningSwitch({ from, to, batch, cause, startedAt: new Date().toISOString() }, () => {
      if (from !== to) this.#done++;
    });
    this.#records.push(running);
    if (this.#records.length > KEPT) this.#records.shift();
    return running;
  }

  records(): readonly SwitchRecord[] {
    return this.#records.map(running => running.record());
  }
}

/** Times the steps of one Switch. */
export class RunningSwitch {
  readonly #head: SwitchHead;
  readonly #steps: { readonly step: SwitchStep | null; readonly atMs: number }[] = [];
  readonly #startMs = performance.now();
  readonly #onDone: () => void;
  readonly #ended = new AbortController();
  #end: { readonly atMs: number; readonly outcome: string; readonly message: string | null } | null = null;

  constructor(head: SwitchHead, onDone: () => void) {
    this.#head = head;
    this.#onDone = onDone;
  }

  /** Aborted when it has ended. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** A step begins, and the one before ends; null: none begins yet. */
  step(step: SwitchStep | null): void {
    this.#steps.push({ step, atMs: performance.now() });
  }

  end(outcome: string, message: string | null): void {
    this.#end = { atMs: performance.now(), outcome, message };
    this.#ended.abort();
    if (outcome === "done") this.#onDone();
  }

  record(): SwitchRecord {
    const endMs = this.#end?.atMs ?? performance.now();
    const steps = this.#steps.flatMap(({ step, atMs }, i) =>
      step === null ? [] : [{ step, ms: round((this.#steps[i + 1]?.atMs ?? endMs) - atMs) }],
    );
    const { outcome, message } = this.#end ?? { outcome: "running", message: null };
    return { ...this.#head, steps, switchMs: round(endMs - this.#startMs), outcome, message };
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
