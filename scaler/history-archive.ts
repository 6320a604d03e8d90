import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { CELL_BYTES, packCells, risingCells, unpackCells } from "../predictor/cell-codec.ts";
import type { LoadCell } from "../predictor/load-history.ts";
import { stateFileError } from "../runtime/state-file-error.ts";

const CELL_SECONDS = 10;
const DAY_CELLS = 86_400 / CELL_SECONDS;
/** Three weeks: then the file becomes the older one, so that there are always three weeks and never more than six. */
const MOST_BYTES = 21 * DAY_CELLS * CELL_BYTES;

/**
 * The ten-second cells that were appended, oldest first, rising, to be gone through once: as objects, weeks of them take ten times the
 * memory. Records that were cut off, damaged or from a future more than a day away are passed over. Throws VariscaleError when a file
 * is there but can't be read.
 */
export function readArchive(path: string, nowMs: number): Generator<LoadCell> {
  const parts = [read(olderOf(path)), read(path)];
  return risingCells(cellsIn(parts), nowMs / 1000 / CELL_SECONDS + DAY_CELLS);
}

function* cellsIn(parts: readonly Uint8Array[]): Generator<LoadCell> {
  for (const part of parts) yield* unpackCells(part);
}

/** Appends cells; what an earlier write left behind of a record is cut off first. Throws VariscaleError. */
export function appendToArchive(path: string, cells: readonly LoadCell[]): void {
  if (cells.length === 0) return;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const bytes = append(path, packCells(cells));
    if (bytes >= MOST_BYTES) renameSync(path, olderOf(path));
  } catch (error) {
    throw stateFileError("write", path, error);
  }
}

function append(path: string, bytes: Uint8Array): number {
  const file = openSync(path, "a", 0o600);
  try {
    const { size } = fstatSync(file);
    const whole = size - (size % CELL_BYTES);
    if (whole < size) ftruncateSync(file, whole);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    return whole + bytes.length;
  } finally {
    closeSync(file);
  }
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path).subarray(0, 2 * MOST_BYTES);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Uint8Array(0);
    throw stateFileError("read", path, error);
  }
}

function olderOf(path: string): string {
  return `${path}.1`;
}
