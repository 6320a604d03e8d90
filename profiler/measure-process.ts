/** The process that measures one variant: nothing else runs in it, so that its CPU time and memory are the variant's. */
import { VariscaleError } from "../domain/errors.ts";
import type { Row } from "../gateway/stage.ts";
import type { MeasureReply, MeasureRequest } from "./measure-messages.ts";
import { type ModelSession, sameRow } from "./model-session.ts";
import type { ModelSource } from "./model-source.ts";
import { openSession } from "./open-session.ts";
import type { Run } from "./service-time.ts";

const MIB = 1024 * 1024;
/** Of a file: the first one also loads what all sessions of a process share. */
const LOADS = 3;
const WARM_UP_RUNS = 3;
const LEAST_RUNS = 8;
/** Of a model that takes 0.025 ms: a second, within which a neighbour comes and goes. */
const MOST_RUNS = 40_000;

let session: ModelSession | null = null;
let kind: ModelSource["kind"] = "file";
let rows: readonly Row[] = [];
/** Outputs of each row in a batch of its own. */
let alone: readonly Row[] | null = null;

process.on("message", (request: MeasureRequest) => {
  handle(request).then(reply, (error: unknown) =>
    reply({ kind: "failed", message: VariscaleError.from(error).message }),
  );
});
process.on("disconnect", () => process.exit(0));

function reply(message: MeasureReply): void {
  process.send?.(message);
}

async function handle(request: MeasureRequest): Promise<MeasureReply> {
  switch (request.kind) {
    case "open":
      return open(request);
    case "run":
      return run(request);
    case "compare":
      return compare(request.batch);
    case "memory":
      return measureMemory(request);
    case "close":
      await session?.close();
      return { kind: "closed" };
    default:
      return request satisfies never;
  }
}

async function open(request: Extract<MeasureRequest, { kind: "open" }>): Promise<MeasureReply> {
  rows = request.rows;
  kind = request.source.kind;
  const loadsMs = [await load(request.source)];
  // Another server is asked once: it may serve others meanwhile.
  while (kind === "file" && loadsMs.length < LOADS) {
    await session?.close();
    loadsMs.push(await load(request.source));
  }
  return { kind: "opened", loadsMs };
}

/** A session keeps the memory that its largest batch needed, and beside it what smaller ones had needed before. */
async function measureMemory(request: Extract<MeasureRequest, { kind: "memory" }>): Promise<MeasureReply> {
  const beforeBytes = process.memoryUsage.rss();
  const opened = await openSession(request.source);
  for (const batch of request.batches) {
    const full = batchesOf(request.rows, batch)[0] ?? [];
    for (let i = 0; i < WARM_UP_RUNS; i++) await opened.infer(full, batch);
  }
  return { kind: "memory", memoryMiB: Math.max(0, process.memoryUsage.rss() - beforeBytes) / MIB };
}

/** @returns ms until the session is warm. */
async function load(source: ModelSource): Promise<number> {
  const startedMs = performance.now();
  session = await openSession(source);
  await session.infer(rows.slice(0, 1), 1);
  return performance.now() - startedMs;
}

async function run({ batch, windowMs }: Extract<MeasureRequest, { kind: "run" }>): Promise<MeasureReply> {
  try {
    return { kind: "ran", runs: await runFor(batch, windowMs) };
  } catch (error) {
    const { code, message } = VariscaleError.from(error);
    if (code === "invalid_argument" && batch > 1) return { kind: "refused", message };
    throw error;
  }
}

/** Every row, in whole batches; one that is answered with other rows than it has is answered for none. */
async function compare(batch: number): Promise<MeasureReply> {
  if (session === null) throw new VariscaleError("internal", "no session is open");
  alone ??= await session.infer(rows, 1);
  const batches = batchesOf(rows, batch);
  let same = 0;
  for (const [i, asked] of batches.entries()) {
    let outputs: readonly Row[];
    try {
      outputs = await session.infer(asked, batch);
    } catch (error) {
      const { code, message } = VariscaleError.from(error);
      if (code === "invalid_argument") return { kind: "refused", message };
      if (code !== "failed_precondition") throw error;
      outputs = [];
    }
    same += asked.filter((_, j) => sameRow(alone?.[(i * batch + j) % rows.length] ?? {}, outputs[j] ?? {})).length;
  }
  return { kind: "compared", fill: same / (batches.length * batch) };
}

/** All rows in turn; the last batch is filled up with the first ones. */
function batchesOf(all: readonly Row[], batch: number): readonly (readonly Row[])[] {
  return Array.from({ length: Math.ceil(all.length / batch) }, (_, i) =>
    Array.from({ length: batch }, (_, j) => all[(i * batch + j) % all.length] as Row),
  );
}

/** Full batches one after the other, over all rows in turn. */
async function runFor(batch: number, windowMs: number): Promise<Run[]> {
  if (session === null) throw new VariscaleError("internal", "no session is open");
  const prepared = batchesOf(rows, batch).map(one => (session as ModelSession).prepared(one));
  const runs: Run[] = [];
  const untilMs = performance.now() + windowMs;
  for (let i = -WARM_UP_RUNS; i < MOST_RUNS; i++) {
    if (i >= LEAST_RUNS && performance.now() > untilMs) break;
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    await prepared[Math.max(0, i) % prepared.length]?.();
    const wallMs = performance.now() - startedMs;
    const { user, system } = process.cpuUsage(cpu);
    if (i >= 0) runs.push({ wallMs, cpuMs: kind === "file" ? (user + system) / 1000 : null });
  }
  return runs;
}
