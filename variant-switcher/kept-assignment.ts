import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Assignment, findAssignmentProblem, MAX_RUNGS } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import { readState, writeState } from "../runtime/state-file.ts";
import { ConfigValue } from "./config-value.ts";

const PATIENCE_MS = 4000;
const COUNT = 2 ** 53 - 1;
const MEMBERS = [
  "version",
  "rungs",
  "top",
  "floor",
  "budgetMs",
  "laterBudgetMs",
  "laterLeastMs",
  "headroom",
  "decisionId",
] as const;

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
  const assignment: Assignment = {
    version: { epoch: version.epoch.integer(0, COUNT), counter: version.counter.integer(0, COUNT) },
    rungs: members.rungs.list(
      value => {
        const rung = value.object(["variant", "maxBatch"]);
        return { variant: rung.variant.text(), maxBatch: rung.maxBatch.integer(1, 4096) };
      },
      1,
      MAX_RUNGS,
    ),
    top: members.top.text(),
    floor: members.floor.text(),
    budgetMs: members.budgetMs.number(0, 1e9),
    laterBudgetMs: members.laterBudgetMs.number(0, 1e9),
    laterLeastMs: members.laterLeastMs.number(0, 1e9),
    headroom: members.headroom.number(0, 1),
    decisionId: members.decisionId.text("must be text", /^[^\0]*$/),
  };
  const problem = findAssignmentProblem(assignment);
  if (problem !== null) throw new VariscaleError("invalid_argument", `the kept assignment is of no use: ${problem}`);
  return assignment;
}
