import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";

/** Writes beside the file and renames, so that a reader never sees half of it. @throws failed_precondition. */
export function writeWhole(file: string, text: string): void {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    const descriptor = openSync(beside, "w");
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw cannotWrite(file, error);
  }
}

/** To be called before long work whose result goes there. @throws failed_precondition when `writeWhole` could not begin. */
export function checkWritable(file: string): void {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    closeSync(openSync(beside, "w"));
    rmSync(beside);
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

function cannotWrite(file: string, error: unknown): VariscaleError {
  const isNoFolder = error instanceof Error && "code" in error && error.code === "ENOENT";
  const fix = isNoFolder
    ? "There is no such folder: make it, or name another file."
    : "Make room, or allow writing there.";
  const message = `${file} can't be written: ${VariscaleError.from(error).message}. ${fix}`;
  return new VariscaleError("failed_precondition", message, { cause: error });
}
