import { setFlagsFromString } from "node:v8";

let isKeptSmall = false;

/**
 * Makes V8 prefer a small heap to a little CPU time, for a process that makes much short-lived garbage and lives in a small pod. By
 * itself V8 lets the young generation grow to 48 MiB, and the old one to several times what lives. Call it before other modules are
 * loaded: what has grown does not shrink.
 */
export function keepHeapSmall(): void {
  isKeptSmall = true;
  // An eighth above what lives, instead of up to four times as much. `--optimize-for-size` holds the heap no smaller, and costs half as
  // much CPU time again.
  setFlagsFromString("--heap-growing-percent=12");
  keepHeapSmallAgain();
  // So small a young generation is copied sooner by one thread than by two that wait for each other, on one core above all.
  setFlagsFromString("--no-parallel-scavenge");
  // What lives is marked by the helper thread alone, which gives way to this one, and not in steps of this one: those took two thirds of
  // its time for the 0.1 s that a marking lasts, up to 7 ms in one go. At its end the process stops for 5 to 10 ms.
  setFlagsFromString("--no-incremental-marking-task");
  // Not `--compact-on-every-full-gc`: it holds the heap of a hundred pipelines 10 MiB smaller, and stops the process for 100 ms every
  // few seconds, where 5 ms do without it.
}

/**
 * V8 lets the young generation grow again whenever a thread begins: to be called after that, where they are few. Where they come and go, the
 * largest size is given at the start (switcherEnvironment). Does nothing in a process whose heap is not kept small.
 */
export function keepHeapSmallAgain(): void {
  if (isKeptSmall) setFlagsFromString("--semi-space-growth-factor=1");
}

/** A marking begins within it, or there is nothing to mark. */
const SOON_MS = 100;
let asUsual: NodeJS.Timeout | undefined;

/**
 * Marks the heap in the next tenth of a second if it is a quarter of the way to where V8 would mark it by itself, which is 8 MiB above what
 * lived however small that is. To be called after what leaves garbage behind that got old. Not for longer: buffers outside of the heap,
 * which come and go with requests, count as growth, and where many of these wait, one marking would follow the other.
 */
export function markHeapSoon(): void {
  setFlagsFromString("--incremental-marking-hard-trigger=25");
  clearTimeout(asUsual);
  asUsual = setTimeout(() => setFlagsFromString("--incremental-marking-hard-trigger=0"), SOON_MS).unref();
}

/**
 * No unoptimised machine code beside the bytecode. With a hundred pipelines it takes a scaler 6 MiB, and spares no CPU time that shows. Call
 * it before other modules are loaded.
 */
export function keepNoBaselineCode(): void {
  setFlagsFromString("--no-sparkplug");
}
