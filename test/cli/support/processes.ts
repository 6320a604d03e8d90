import { readdirSync, readFileSync } from "node:fs";

/** Whether a process runs; one that ended and was not waited for yet does not. */
export function isAlive(pid: number): boolean {
  return statOf(pid) !== null;
}

/** Processes that this one has started, and those that they have. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (parent !== null) parents.set(Number(name), parent);
  }
  const found: number[] = [];
  for (const wanted = [pid]; wanted.length > 0; ) {
    const next = wanted.shift();
    for (const [child, parent] of parents) {
      if (parent !== next) continue;
      found.push(child);
      wanted.push(child);
    }
  }
  return found;
}

/** The words of a process's command line. */
export function commandLine(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
}

/** The parent; null: it does not run. */
function statOf(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  // The name before may hold blanks and brackets.
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? null : Number(parent);
}
