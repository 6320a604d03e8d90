import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { z } from "zod";
import type { LiveChange } from "../dashboard/live-view.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey } from "../domain/pipeline.ts";
import { MOST_CHANGES } from "./operator-settings.ts";
import { shownChangeSchema } from "./shown-change.ts";

const CHUNK_BYTES = 256 * 1024;
const NEW_LINE = 10;
const CLOSING = "}".charCodeAt(0);
/** How a line begins, up to the end of its kind. */
const KIND = /^\{"kind":"(\w+)"/;
const MOST_KIND_BYTES = 40;
const CHANGES: readonly string[] = ["pin", "unpin", "mode", "tuning"];
/** Logs of earlier builds have `guard`. */
const OTHERS: readonly string[] = ["decision", "guard"];

export interface PastChangesOptions {
  /** The audit log's files that are written now, those with newer changes first. */
  readonly paths: readonly string[];
  /** Renamed files that there may be beside each: `.1` is the newest. */
  readonly keep: number;
  /** Read at most, from the end. */
  readonly mostBytes: number;
}

export interface PastChanges {
  /** Newest first, by `namespace/name`. */
  readonly byPipeline: ReadonlyMap<string, readonly LiveChange[]>;
  /** Lines that can't be read. */
  readonly damaged: number;
  /** Why not all of what was asked for was read; null: it was, or there is no file. */
  readonly problem: string | null;
}

/** The newest changes by operators that the audit log has of every pipeline. */
export function readPastChanges({ paths, keep, mostBytes }: PastChangesOptions): PastChanges {
  const byPipeline = new Map<string, LiveChange[]>();
  let damaged = 0;
  let problem: string | null = null;
  let left = mostBytes;
  const files = paths.flatMap(path => [path, ...Array.from({ length: keep }, (_, i) => `${path}.${i + 1}`)]);
  for (const file of files) {
    try {
      for (const line of linesFromEnd(file, left)) {
        left -= line.length + 1;
        const change = changeOf(line);
        if (change === "other") continue;
        if (change === null) damaged += 1;
        else keepChange(byPipeline, change);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") problem ??= `${file} can't be read: ${VariscaleError.from(error).message}`;
    }
  }
  return { byPipeline, damaged, problem };
}

/** Whole lines, the last one first, of at most so many bytes. */
function* linesFromEnd(path: string, mostBytes: number): Generator<Buffer> {
  if (mostBytes <= 0) return;
  const file = openSync(path, "r");
  try {
    let start = fstatSync(file).size;
    const least = Math.max(0, start - mostBytes);
    // These pieces are of one line that begins before them; it is joined once, when its beginning is found.
    let pieces: Buffer[] = [];
    while (start > least) {
      const from = Math.max(least, start - CHUNK_BYTES);
      const chunk = readAt(file, from, start - from);
      start = from;
      let end = chunk.length;
      for (let at = chunk.lastIndexOf(NEW_LINE); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(NEW_LINE, at - 1)) {
        const line = Buffer.concat([chunk.subarray(at + 1, end), ...pieces]);
        pieces = [];
        if (line.length > 0) yield line;
        end = at;
      }
      pieces.unshift(chunk.subarray(0, end));
    }
    const first = Buffer.concat(pieces);
    if (start === 0 && first.length > 0) yield first;
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, from: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const more = readSync(file, buffer, read, length - read, from + read);
    if (more === 0) break;
    read += more;
  }
  return buffer.subarray(0, read);
}

interface PipelineChange {
  readonly pipeline: string;
  readonly change: LiveChange;
}

const whereSchema = z.object({ at: z.iso.datetime(), namespace: z.string().max(63), pipeline: z.string().max(253) });

/** "other": it is of another kind, which is not looked into. Null: it can't be read. */
function changeOf(line: Buffer): PipelineChange | "other" | null {
  const [, kind = ""] = KIND.exec(line.toString("latin1", 0, MOST_KIND_BYTES)) ?? [];
  if (OTHERS.includes(kind) && line.at(-1) === CLOSING) return "other";
  if (!CHANGES.includes(kind)) return null;
  try {
    const record = JSON.parse(line.toString("utf8")) as Record<string, unknown>;
    const { at, namespace, pipeline } = whereSchema.parse(record);
    const shown = { ...record, atMs: Date.parse(at), ended: record["tuning"] === null };
    return { pipeline: formatKey({ namespace, name: pipeline }), change: shownChangeSchema.parse(shown) };
  } catch {
    return null;
  }
}

function keepChange(byPipeline: Map<string, LiveChange[]>, { pipeline, change }: PipelineChange): void {
  const kept = byPipeline.get(pipeline) ?? [];
  if (kept.length >= MOST_CHANGES) return;
  kept.push(change);
  byPipeline.set(pipeline, kept);
}
