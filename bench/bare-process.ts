/** A bare Node process that holds sessions of the models it is given and runs them in a loop: the limit of any server. */
import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** Runs the first model for so long; `seconds` 0: only says how much memory the process has. */
export interface BareQuestion {
  readonly seconds: number;
}

export interface BareAnswer {
  readonly runs: number;
  /** Median, on the wall clock. */
  readonly p50Ms: number;
  /** CPU time of one run: what it takes on a core of its own, whatever the neighbours do. */
  readonly cpuMs: number;
  readonly rssMiB: number;
}

const SHAPE = [1, 240, 192];
const WARM_UP_RUNS = 200;

async function main(): Promise<void> {
  const options = {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    logSeverityLevel: 3,
  } as const;
  const sessions: InferenceSession[] = [];
  for (const path of process.argv.slice(2)) sessions.push(await InferenceSession.create(readFileSync(path), options));
  const image = new Tensor("uint8", new Uint8Array(240 * 192).fill(5), SHAPE);
  for (const session of sessions) for (let i = 0; i < WARM_UP_RUNS; i++) await session.run({ image });
  process.on("message", ({ seconds }: BareQuestion) => {
    measure(sessions[0], image, seconds * 1000).then(
      answer => process.send?.(answer),
      () => process.exit(1),
    );
  });
  process.send?.({ kind: "ready" });
}

async function measure(session: InferenceSession | undefined, image: Tensor, forMs: number): Promise<BareAnswer> {
  const startMs = performance.now();
  const before = process.cpuUsage();
  const times: number[] = [];
  while (performance.now() - startMs < forMs) {
    const runMs = performance.now();
    await session?.run({ image });
    times.push(performance.now() - runMs);
  }
  const { user, system } = process.cpuUsage(before);
  const runs = times.length;
  const p50Ms = times.toSorted((a, b) => a - b)[runs >> 1] ?? 0;
  return {
    runs,
    p50Ms,
    cpuMs: (user + system) / 1000 / Math.max(1, runs),
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
  };
}

await main();
