import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type AssignedRung, type Assignment, findAssignmentProblem } from "../../domain/assignment.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { readState, writeState } from "../../runtime/state-file.ts";
import { ConfigValue } from "../config-value.ts";

const PATIENCE_MS = 4000;
const COUNT = 2 ** 53 - 1;
const TIMES = ["budgetMs", "laterBudgetMs", "laterLeastMs", "headroom"] as const;
const WORDS = ["top", "floor", "decisionId"] as const;
/** Those that were kept before there were these do without them. */
const ADDED = ["shadow", "belowFloor"] as const;

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
    const patience = new AbortController();
    const over = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#writing, over]);
    patience.abort();
  }
}

/** Throws `invalid_argument` for anything that is no Assignment. Only types are looked at here, and the ranges where all Assignments are. */
function parseAssignment(value: unknown): Assignment {
  const members = new ConfigValue(value, "", "kept assignment").object([
    "version",
    "rungs",
    ...WORDS,
    ...TIMES,
    ...ADDED,
  ]);
  const version = members.version.object(["epoch", "counter"]);
  const readNumber = (member: ConfigValue): number => member.number(-Number.MAX_VALUE, Number.MAX_VALUE);
  const readRung = (rung: ConfigValue): AssignedRung => {
    const { variant, maxBatch } = rung.object(["variant", "maxBatch"]);
    return { variant: variant.text(), maxBatch: readNumber(maxBatch) };
  };
  const assignment: Assignment = {
    version: { epoch: version.epoch.integer(0, COUNT), counter: version.counter.integer(0, COUNT) },
    rungs: members.rungs.list(readRung, 0, Number.POSITIVE_INFINITY),
    top: members.top.text(),
    floor: members.floor.text(),
    decisionId: members.decisionId.text("must be text", /^[^\0]*$/),
    budgetMs: readNumber(members.budgetMs),
    laterBudgetMs: readNumber(members.laterBudgetMs),
    laterLeastMs: readNumber(members.laterLeastMs),
    headroom: readNumber(members.headroom),
    shadow: members.shadow.optional(shadow => shadow.oneOf([true, false]), false),
    belowFloor: members.belowFloor.optional(names => names.list(name => name.text(), 0, Number.POSITIVE_INFINITY), []),
  };
  const problem = findAssignmentProblem(assignment);
  if (problem !== null) throw new VariscaleError("invalid_argument", `the kept assignment is of no use: ${problem}`);
  return assignment;
}
