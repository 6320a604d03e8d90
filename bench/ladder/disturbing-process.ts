/**
 * A process beside a run: `neighbours` keeps a core busy, `stalls` makes processes stand still as it is told. It ends when the one that started it
 * does, as the channel between them closes then; what stands still goes on before that.
 */
import { STALL_MS, type StallRequest } from "./disturbances.ts";

const SLICE_MS = 20;
const stopped = new Set<number>();

function keepBusy(): void {
  const untilMs = performance.now() + SLICE_MS;
  while (performance.now() < untilMs) Math.sqrt(untilMs);
  // Between two slices it hears that the channel has closed.
  setImmediate(keepBusy);
}

function stall(pid: number): void {
  if (stopped.has(pid)) {
    setTimeout(stall, STALL_MS, pid);
    return;
  }
  if (!signal(pid, "SIGSTOP")) return;
  stopped.add(pid);
  setTimeout(() => {
    stopped.delete(pid);
    signal(pid, "SIGCONT");
  }, STALL_MS);
}

/** False where the process has ended. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function end(): void {
  for (const pid of stopped) signal(pid, "SIGCONT");
  process.exit(0);
}

process.on("disconnect", end);
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, end);
// The channel may have closed before this process listened for that.
if (!process.connected) end();
process.on("message", ({ pid, stalls }: StallRequest) => {
  for (let i = 0; i < stalls; i += 1) setTimeout(stall, 1000 * Math.random(), pid);
});
if (process.argv[2] === "neighbours") keepBusy();
