const FIRST_MS = 200;
const LONGEST_MS = 5000;

/** How long to wait before the attempt after `failures` failures: doubling from 0.2 s to 5 s, half of it random (`random` in [0, 1)). */
export function backoffMs(failures: number, random: number): number {
  const fullMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return fullMs * (0.5 + 0.5 * random);
}
