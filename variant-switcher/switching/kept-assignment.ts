import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Assignment, findAssignmentProblem } from "../../domain/assignment.ts";
import { readState, writeState } from "../../runtime/state-file.ts";

const PATIENCE_MS = 4000;
/** Assignments that earlier versions kept do without these. */
const ADDED: Pick<Assignment, "shadow" | "belowFloor"> = { shadow: false, belowFloor: [] };

type Kept = Omit<Assignment, keyof typeof ADDED> & Partial<Assignment>;

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
      if (state.kind === "ok") {
        const assignment: Assignment = { ...ADDED, ...(state.payload as Kept) };
        const problem = findAssignmentProblem(assignment);
        if (problem === null) return assignment;
        this.#logger.warn({ reason: problem }, "the kept assignment is of no use");
      }
      if (state.kind === "corrupt") this.#logger.warn({ reason: state.reason }, "the kept assignment is lost");
    } catch (error) {
      this.#logger.warn({ err: error }, "the kept assignment can't be read");
    }
    return null;
  }

  /** Writes it after those before it; see `flush()`. */
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
  async flush(): Promise<void> {
    await Promise.race([this.#writing, sleep(PATIENCE_MS, undefined, { ref: false })]);
  }
}
