import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Assignment } from "../domain/assignment.ts";
import { readState, writeState } from "../runtime/state-file.ts";
import { ConfigValue } from "./config-value.ts";

const PATIENCE_MS = 4000;
const COUNT = 2 ** 53 - 1;
const MEMBERS = ["version", "variant", "batch", "maxWaitMs", "fallbackVariant", "overload", "decisionId"] as const;

/**
 * The Assignment of the last run, on disk. What can't be read or written is logged and done without: serving does not depend
 * on it.
 */
export class KeptAssignment {
  readonly #path: string | null;
  readonly #logger: Logger;
  #writing: Promise<void> = Promise.resolve();

  /** `path` null: nothing is kept. */
  constructor(path: string | null, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  read(): Assignment | null {
    if (this.#path === null) return null;
    try {
      const state = readState(this.#path);
      if (state.kind === "ok") return parseAssignment(state.payload);
      if (state.kind === "corrupt") this.#logger.warn({ reason: state.reason }, "the kept assignment is lost");
    } catch (error) {
      this.#logger.warn({ err: error }, "the kept assignment can't be read");
    }
    return null;
  }

  /** Writes it after those before it; see `written()`. */
  write(assignment: Assignment): void {
    this.#writing = this.#writing.then(async () => {
      if (this.#path === null) return;
      try {
        await writeState(this.#path, assignment, Date.now());
      } catch (error) {
        this.#logger.warn({ err: error }, "the assignment can't be kept");
      }
    });
  }

  /** Resolves when all that `write()` was given is on the disk, or after a while that nobody should wait longer for a disk. */
  async written(): Promise<void> {
    const patience = new AbortController();
    const over = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#writing, over]);
    patience.abort();
  }
}

/** Throws `invalid_argument` for anything that is no Assignment. */
function parseAssignment(value: unknown): Assignment {
  const members = new ConfigValue(value, "", "kept assignment").object(MEMBERS);
  const version = members.version.object(["epoch", "counter"]);
  const overload = members.overload.object(["enterQueueMs", "exitQueueMs", "dwellMs"]);
  return {
    version: { epoch: version.epoch.integer(0, COUNT), counter: version.counter.integer(0, COUNT) },
    variant: members.variant.text(),
    batch: members.batch.integer(1, 4096),
    maxWaitMs: members.maxWaitMs.number(0, 60_000),
    fallbackVariant: members.fallbackVariant.text(),
    overload: {
      enterQueueMs: overload.enterQueueMs.number(0, 1e9),
      exitQueueMs: overload.exitQueueMs.number(0, 1e9),
      dwellMs: overload.dwellMs.number(0, 1e9),
    },
    decisionId: members.decisionId.text("must be text", /^[^\0]*$/),
  };
}
