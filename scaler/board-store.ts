import type { PipelineBoard } from "../control/board.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";

export type BoardListener<B = PipelineBoard> = (board: B) => void;

/** What readers of the boards see of the store. */
export interface Boards<B = PipelineBoard> {
  /** Null before the first tick, and for a pipeline that is not there. */
  latest(key: PipelineKey): B | null;
  all(): readonly B[];
  /**
   * Calls `listener` with every board that is published from now on, of one pipeline or of all (null), until the function that it
   * returns is called.
   */
  subscribe(key: PipelineKey | null, listener: BoardListener<B>): () => void;
}

const EVERY_PIPELINE = "";

/** The newest board of every pipeline. Boards are immutable and replaced as a whole; whoever answers a question reads only here. */
export class BoardStore<B extends { readonly key: PipelineKey } = PipelineBoard> implements Boards<B> {
  readonly #boards = new Map<string, B>();
  readonly #listeners = new Map<string, Set<BoardListener<B>>>();
  readonly #onListenerError: (error: unknown) => void;

  /** @param onListenerError gets what a listener throws: it never reaches the loop that publishes. */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  latest(key: PipelineKey): B | null {
    return this.#boards.get(formatKey(key)) ?? null;
  }

  all(): readonly B[] {
    return [...this.#boards.values()];
  }

  subscribe(key: PipelineKey | null, listener: BoardListener<B>): () => void {
    const name = key === null ? EVERY_PIPELINE : formatKey(key);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(name);
    };
  }

  /** Forgets the board of a pipeline that is gone. Who subscribed to it is left alone. */
  forget(key: PipelineKey): void {
    this.#boards.delete(formatKey(key));
  }

  publish(board: B): void {
    const name = formatKey(board.key);
    this.#boards.set(name, board);
    for (const of of [name, EVERY_PIPELINE]) {
      // A copy: a listener may unsubscribe while it is called.
      for (const listener of [...(this.#listeners.get(of) ?? [])]) {
        try {
          listener(board);
        } catch (error) {
          this.#onListenerError(error);
        }
      }
    }
  }
}
