import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition holds. The time is only for the case that it never does. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited in vain for: ${what}`);
    await sleep(50);
  }
}
