import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition holds. The time is for the case that it never does, and is long: no test fails for being slow. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 180_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited in vain for: ${what}`);
    await sleep(50);
  }
}
