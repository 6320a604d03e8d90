import type { PipelineBoard } from "../control/board.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";

export type BoardListener = (board: PipelineBoard) => void;

/** What readers of the boards see of the store. */
export interface Boards {
  /** Null before the first tick, and for a pipeline that is not there. */
  latest(key: PipelineKey): PipelineBoard | null;
  all(): readonly PipelineBoard[];
  /**
   * Calls `listener` with every board that is published from now on, of one pipeline or of all (null), until the function that it
   * returns is called.
   */
  subscribe(key: PipelineKey | null, listener: BoardListener): () => void;
}

const EVERY_PIPELINE = "";

/** The newest board of every pipeline. Boards are immutable and replaced as a whole; whoever answers a question reads only here. */
export class BoardStore implements Boards {
  readonly #boards = new Map<string, PipelineBoard>();
  readonly #listeners = new Map<string, Set<BoardListener>>();
  readonly #onListenerError: (error: unknown) => void;

  /** @param onListenerError gets what a listener throws: it never reaches the loop that publishes. */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  latest(key: PipelineKey): PipelineBoard | null {
    return this.#boards.get(formatKey(key)) ?? null;
  }

  all(): readonly PipelineBoard[] {
    return [...this.#boards.values()];
  }

  subscribe(key: PipelineKey | null, listener: BoardListener): () => void {
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

  publish(board: PipelineBoard): void {
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
