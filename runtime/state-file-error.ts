import { type ErrorCode, VariscaleError } from "../domain/errors.ts";

interface Cure {
  readonly code: ErrorCode;
  readonly rule: string;
  readonly fix: string;
}

const WRITABLE = "give the process a writable directory of its own";
const FULL: Cure = { code: "resource_exhausted", rule: "the disk is full", fix: "free space, or use another disk" };
const READ_ONLY: Cure = { code: "failed_precondition", rule: "the file system is read-only", fix: WRITABLE };
const DENIED: Cure = { code: "failed_precondition", rule: "permission is missing", fix: WRITABLE };
const NO_DIRECTORY: Cure = {
  code: "failed_precondition",
  rule: "a part of the path is not a directory",
  fix: "remove that file, or use another path",
};

const CURES: Readonly<Record<string, Cure>> = {
  ENOSPC: FULL,
  EDQUOT: { ...FULL, rule: "the disk quota is used up" },
  EFBIG: { ...FULL, rule: "the file size limit is reached", fix: "raise the limit of the process" },
  EROFS: READ_ONLY,
  EACCES: DENIED,
  EPERM: DENIED,
  ENOTDIR: NO_DIRECTORY,
  EEXIST: NO_DIRECTORY,
  EISDIR: {
    code: "failed_precondition",
    rule: "it is a directory",
    fix: "remove the directory, or use another path",
  },
};

const OTHER: Cure = { code: "unavailable", rule: "the file system failed", fix: "see the cause" };

/** What a file system call threw, with the path, the rule and what to do about it. */
export function stateFileError(action: "read" | "write" | "rename", path: string, thrown: unknown): VariscaleError {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const cure = CURES[code] ?? OTHER;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new VariscaleError(
    cure.code,
    `can't ${action} the state file ${path}: ${cure.rule} (${detail}); ${cure.fix}`,
    {
      cause: thrown,
    },
  );
}
