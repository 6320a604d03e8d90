import { readdirSync, readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Of Linux' nice values: about a tenth of the time of a core that another thread of the process wants, too. */
const LOW = 10;

/**
 * Lets every other thread of this process give way to the one that calls, where they share a core: V8's helpers, which mark what lives and
 * compile. Call it from the main thread before any other thread is started; elsewhere than on Linux it does nothing.
 */
export function lowerOtherThreads(): void {
  lower(() =>
    readdirSync("/proc/self/task")
      .map(Number)
      .filter(id => id !== process.pid),
  );
}

/** Lets the thread that calls give way to the others of its process; elsewhere than on Linux it does nothing. */
export function lowerThisThread(): void {
  lower(() => [Number(readlinkSync("/proc/thread-self").split("/").at(-1))]);
}

/** A process does without it where it may not, and a thread that has ended needs none. */
function lower(threads: () => readonly number[]): void {
  if (process.platform !== "linux") return;
  try {
    for (const id of threads()) setPriority(id, LOW);
  } catch {}
}
