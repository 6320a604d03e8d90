import { VariscaleError } from "../../domain/errors.ts";
import { plainText } from "../plain-text.ts";
import { chooseStates, SORT_ORDERS, type SortOrder } from "./choose-states.ts";
import { formatStates } from "./format-states.ts";
import type { PipelineState } from "./pipeline-state.ts";
import { openScreen, type Terminal } from "./screen.ts";

export interface WatchOptions {
  readonly terminal: Terminal;
  readonly fetch: () => Promise<readonly PipelineState[]>;
  readonly everyMs: number;
  readonly order: SortOrder;
  readonly problemsOnly: boolean;
  /** Calls `onKey` for every key until the function that it returns is called. */
  readonly keys: (onKey: (key: string) => void) => () => void;
}

/**
 * Shows the pipelines until `q` or Ctrl-C, also while it waits for an answer. A scaler that does not answer for a while is said, and what is
 * known stays.
 */
export async function watchStates(options: WatchOptions): Promise<void> {
  const { terminal, everyMs, problemsOnly } = options;
  const screen = openScreen(terminal);
  let { order } = options;
  let states: readonly PipelineState[] | null = null;
  let problem: string | null = null;
  let isEnded = false;
  let wake = (): void => undefined;
  /** What comes of it; undefined: it was ended before. */
  const orEnded = <T>(work: Promise<T>): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      wake = () => resolve(undefined);
      work.then(resolve, reject);
    });
  const show = (): void => {
    const heading = `${clock(states)}  sorted by ${order}  (s: sort, q: quit)`;
    const chosen = states && chooseStates(states, { order, problemsOnly });
    screen.show(columns =>
      [
        heading,
        ...(problem === null ? [] : [plainText(problem)]),
        "",
        chosen === null ? "" : formatStates(chosen, columns),
      ].join("\n"),
    );
  };
  const stop = options.keys(key => {
    if (key === "q" || key === "\u0003") {
      isEnded = true;
      wake();
    }
    if (key !== "s") return;
    order = SORT_ORDERS[(SORT_ORDERS.indexOf(order) + 1) % SORT_ORDERS.length] ?? order;
    show();
  });
  try {
    while (!isEnded) {
      try {
        // A scaler that hangs keeps nobody waiting.
        states = (await orEnded(options.fetch())) ?? states;
        problem = null;
      } catch (error) {
        problem = VariscaleError.from(error).message;
        if (states === null) throw error;
      }
      if (isEnded) break;
      show();
      let timer: NodeJS.Timeout | undefined;
      await orEnded(
        new Promise<void>(resolve => {
          timer = setTimeout(resolve, everyMs);
        }),
      );
      clearTimeout(timer);
    }
  } finally {
    stop();
    screen.close();
  }
}

function clock(states: readonly PipelineState[] | null): string {
  const atMs = Math.max(0, ...(states ?? []).map(state => state.atMs));
  return atMs === 0 ? "variscale" : `variscale  ${new Date(atMs).toISOString().slice(11, 19)}Z`;
}
