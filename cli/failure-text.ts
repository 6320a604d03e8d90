import { VariscaleError } from "../domain/errors.ts";
import { PipelineCodeError } from "../gateway/guarded-code.ts";

/** What usually mends what the system refuses. */
const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: "Make room on that disk, or write elsewhere.",
  EDQUOT: "Make room within the quota of this user, or write elsewhere.",
  EFBIG: "Raise the limit of the size of files (ulimit -f), or write elsewhere.",
  EACCES: "Use a file or folder that this user may use, or change its rights.",
  EPERM: "Use a file or folder that this user may use, or change its rights.",
  EROFS: "It is on a file system that can't be written: write elsewhere.",
  ENOENT: "Name one that is there.",
  ENOTDIR: "A part of the path is a file: name another one.",
  EISDIR: "It is a folder: name a file.",
  EEXIST: "Something else is there: name another one.",
  EMFILE: "Raise the limit of open files (ulimit -n).",
  ENFILE: "Too many files are open on this machine: end what is not needed.",
  ENOMEM: "Give it more memory.",
  EIO: "The disk does not work as it should: look at the system's log.",
};

/** Control characters, which a server's text may have, would move the cursor of a terminal or colour it. */
const CONTROLS = /(?![\n\t])\p{Cc}+/gu;

/** What a command that failed says: what the system refuses as a sentence with the fix; with the stack what is a fault of ours. */
export function failureText(thrown: unknown): string {
  return describe(thrown).replace(CONTROLS, " ");
}

function describe(thrown: unknown): string {
  const error = VariscaleError.from(thrown);
  if (error instanceof PipelineCodeError) return error.text;
  if (error.code !== "internal") return error.message;
  const { code = "", syscall } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return syscall === undefined
    ? (error.stack ?? error.message)
    : [`${error.message}.`, FIXES[code] ?? []].flat().join(" ");
}
