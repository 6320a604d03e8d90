import { join } from "node:path";
import type { Logger } from "pino";
import { AuditFile } from "./audit-file.ts";
import { type PastChanges, readPastChanges } from "./past-changes.ts";

const FILE = "decisions.jsonl";
const FILE_BYTES = 16 * 1024 * 1024;
/** Older files beside it. */
const KEEP = 3;
/** Of the newest lines, at the start. */
const READ_BYTES = 16 * 1024 * 1024;

/** @param onWrite told after every write: null, or what went wrong. */
export function openAudit(stateDir: string, onWrite: (problem: string | null) => void): AuditFile {
  return new AuditFile({ path: join(stateDir, FILE), maxBytes: FILE_BYTES, keep: KEEP, onWrite });
}

/** Changes by operators of before the start, for pipelines whose state has none, as one of an older version. */
export function readAudit(stateDir: string, logger: Logger): PastChanges {
  const path = join(stateDir, FILE);
  const past = readPastChanges({ path, keep: KEEP, mostBytes: READ_BYTES });
  const { damaged, problem } = past;
  if (damaged > 0) logger.warn({ path, damaged }, "lines of the audit log can't be read and are left out");
  if (problem !== null) logger.warn({ path }, `not all changes of before the start are shown: ${problem}`);
  return past;
}
