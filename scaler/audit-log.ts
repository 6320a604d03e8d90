import { join } from "node:path";
import type { Logger } from "pino";
import { AuditFile } from "./audit-file.ts";
import { type PastChanges, readPastChanges } from "./past-changes.ts";

const DECISIONS = "decisions.jsonl";
/** Operators' changes have a file of their own: decisions come every few seconds, and would push them out within the hour. */
const CHANGES = "changes.jsonl";
const FILE_BYTES = 16 * 1024 * 1024;
/** Older files beside each of them. */
const KEEP = 3;
/** Newest lines are read at the start, up to so many bytes. */
const READ_BYTES = 16 * 1024 * 1024;

/** The two files of the audit log. */
export interface AuditLog {
  readonly decisions: Pick<AuditFile, "append">;
  readonly changes: Pick<AuditFile, "append">;
  close(): Promise<void>;
}

/** @param onWrite told after every write whether it was one, and what keeps either file from being written; null: nothing. */
export function openAudit(stateDir: string, onWrite: (isWritten: boolean, problem: string | null) => void): AuditLog {
  const problems = new Map<string, string | null>();
  const open = (name: string): AuditFile =>
    new AuditFile({
      ...{ path: join(stateDir, name), maxBytes: FILE_BYTES, keep: KEEP },
      onWrite: problem => {
        problems.set(name, problem);
        onWrite(problem === null, [...problems.values()].find(one => one !== null) ?? null);
      },
    });
  const decisions = open(DECISIONS);
  const changes = open(CHANGES);
  return {
    decisions,
    changes,
    close: async () => {
      await Promise.all([decisions.close(), changes.close()]);
    },
  };
}

/**
 * Changes by operators of before the start, for pipelines whose state has none, as one of an older version. Version 0.1.0 wrote them between
 * the decisions.
 */
export function readAudit(stateDir: string, logger: Logger): PastChanges {
  const paths = [CHANGES, DECISIONS].map(name => join(stateDir, name));
  const past = readPastChanges({ paths, keep: KEEP, mostBytes: READ_BYTES });
  const { damaged, problem } = past;
  if (damaged > 0) logger.warn({ paths, damaged }, "lines of the audit log can't be read and are left out");
  if (problem !== null) logger.warn({ paths }, `not all changes of before the start are shown: ${problem}`);
  return past;
}
