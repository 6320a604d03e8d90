import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mock } from "node:test";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Stage } from "../../domain/pipeline.ts";
import type { Batch } from "../../domain/serving/choose-batch.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { packageFolder } from "../../runtime/version.ts";
import { EVENT, EventQueue } from "../../simulator/event-queue.ts";
import { RequestTable } from "../../simulator/request-table.ts";
import { type ServiceTable, serviceTables } from "../../simulator/service-table.ts";
import { SimBatcher } from "../../simulator/sim-batcher.ts";
import { type SimCall, SimReplica } from "../../simulator/sim-replica.ts";
import { gammaSample } from "../../variant-switcher/gamma-sample.ts";
import { ReplicaLadder, type Serving } from "../../variant-switcher/replica-ladder.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

/** Times are such that no two sums of them are the same. */
const MEASURED = {
  heavy: { 1: 9.73, 2: 14.31, 4: 23.92 },
  middle: { 1: 4.13, 4: 10.37, 8: 17.89 },
  light: { 1: 1.91, 4: 4.33, 8: 7.71, 16: 14.17 },
};
type Name = keyof typeof MEASURED;
const RUNGS: readonly { readonly name: Name; readonly maxBatch: number }[] = [
  { name: "heavy", maxBatch: 4 },
  { name: "middle", maxBatch: 8 },
  { name: "light", maxBatch: 16 },
];
/** Batches take a quarter more or less than expected, as on a machine with neighbours. */
const SCV = 0.06;
const SEED = 5;

interface RecordedCall {
  readonly atMs: number;
  readonly rows: number;
  readonly softAfterMs: number;
  readonly hardAfterMs: number;
}

/** A calm minute in small, callers with little time behind a long batch, a burst, calm, and a flood of callers with little time. */
function readCalls(): readonly RecordedCall[] {
  const path = join(packageFolder, "test/simulator/recorded-calls.json");
  const { calls } = JSON.parse(readFileSync(path, "utf8")) as { calls: readonly [number, number, number, number][] };
  return calls.map(([atMs, rows, softAfterMs, hardAfterMs]) => ({ atMs, rows, softAfterMs, hardAfterMs }));
}

/** The fate of the calls at one replica. */
interface Course {
  /** In the order in which they were chosen: the variant, and of each row the number of its call. */
  readonly batches: readonly string[];
  /** Calls that were refused, or whose time was over before all of their rows ran. */
  readonly dropped: readonly number[];
}

function formatBatch(variant: string, ids: readonly number[]): string {
  return `${variant} ${ids.join(" ")}`;
}

function createTables(): ReadonlyMap<string, ServiceTable> {
  const variants = RUNGS.map(({ name }) => ({ name, latencyMs: MEASURED[name], scv: SCV }));
  const [stage] = pipelineOf({ stages: [{ name: "s", variants }] }).stages as [Stage];
  return new Map(serviceTables(stage, "stage").flatMap(table => (table ? [[table.variant.name, table]] : [])));
}

/** The calls at a replica of the simulator. */
function simulateCalls(calls: readonly RecordedCall[]): Course {
  const events = new EventQueue();
  const requests = new RequestTable(1);
  const tables = createTables();
  const replica = new SimReplica(0, 0, "s-0", 0);
  const batches: string[] = [];
  const dropped: number[] = [];
  const batcher = new SimBatcher({
    events,
    requests,
    random: seededRandom(SEED),
    findSlowness: () => 1,
    onRows: () => undefined,
    onRefused: ({ request }) => void dropped.push(request),
    onDrained: () => undefined,
  });
  replica.phase = "ready";
  replica.serve(
    RUNGS.map(({ name, maxBatch }) => ({ table: tables.get(name) as ServiceTable, maxBatch })),
    [],
  );
  for (const [id, { atMs }] of calls.entries()) events.add(atMs, EVENT.arrival, id);
  let last: Batch | null = null;
  while (events.next()) {
    const { atMs, kind, id } = events;
    const call = calls[id];
    if (kind === EVENT.batchDone) batcher.batchDone(replica, atMs);
    else if (call) {
      const hardMs = atMs + call.hardAfterMs;
      const request = requests.open(atMs, hardMs, [0]);
      const times = { softMs: atMs + call.softAfterMs, hardMs, addedMs: atMs };
      batcher.add(replica, { request, rows: call.rows, shape: "", variant: null, isRetry: false, ...times }, atMs);
    }
    const { running } = replica;
    if (running && running !== last) {
      const ids = running.parts.flatMap(part => new Array<number>(part.rows).fill((part.call as SimCall).request));
      batches.push(formatBatch(running.rung.variant, ids));
    }
    last = running;
  }
  return { batches, dropped: dropped.toSorted((a, b) => a - b) };
}

/** Gives each batch a session of its own, so that none is handed ahead to the session that runs. */
class OneAtATime extends ReplicaLadder {
  override findSession(serving: Serving, variant: string): ModelSession | null {
    const session = super.findSession(serving, variant);
    return session && { variant, isLost: session.isLost, run: (...given) => session.run(...given) };
  }
}

describe("a switcher and a simulated replica under the same recorded calls", () => {
  const calls = readCalls();
  let clockMs: number;

  beforeEach(() => {
    clockMs = 0;
    mock.method(performance, "now", () => clockMs);
  });
  afterEach(() => mock.restoreAll());

  /** The calls at a switcher's batcher, whose batches take as long as those of the simulator. `firstAhead`: the first batch that was handed ahead. */
  async function serveCalls(Ladder: typeof ReplicaLadder): Promise<Course & { readonly firstAhead: number }> {
    const bench = new BatcherBench({ measured: MEASURED, maxRows: 5000, maxBytes: 5000, Ladder });
    const random = seededRandom(SEED);
    const tables = createTables();
    const sessions = RUNGS.map(({ name }) => new SteppedSession(name));
    const [top, ...lighter] = RUNGS.map(({ maxBatch }, at) => [sessions[at]!, maxBatch] as const);
    await bench.serve(
      top![0],
      top![1],
      lighter.map(([session, maxBatch]) => [session, maxBatch]),
    );
    const handed: { readonly session: SteppedSession; readonly tookMs: number; readonly endMs: number }[] = [];
    const seen = new Map<SteppedSession, number>();
    const batches: string[] = [];
    let firstAhead = Number.POSITIVE_INFINITY;
    const lookForBatches = (): void => {
      for (const session of sessions) {
        for (const ids of session.batches.slice(seen.get(session) ?? 0)) {
          const { meanMs, scv } = tables.get(session.variant) as ServiceTable;
          const tookMs = gammaSample(meanMs[ids.length]!, scv[ids.length]!, random);
          const before = handed.at(-1);
          if (before) firstAhead = Math.min(firstAhead, batches.length);
          handed.push({ session, tookMs, endMs: (before?.endMs ?? clockMs) + tookMs });
          batches.push(formatBatch(session.variant, ids));
        }
        seen.set(session, session.batches.length);
      }
    };
    const results: Promise<string | (string | number)[]>[] = [];
    for (;;) {
      const [running] = handed;
      const call = calls[results.length];
      if (call && !(running && running.endMs < call.atMs)) {
        clockMs = call.atMs;
        const rows = new Array<number>(call.rows).fill(results.length);
        const { softAfterMs, hardAfterMs: timeoutMs } = call;
        results.push(bench.result(bench.submit(rows, { softAfterMs, timeoutMs })));
      } else if (running) {
        clockMs = running.endMs;
        handed.shift();
        running.session.serviceMs = () => running.tookMs;
        await running.session.step();
      } else break;
      lookForBatches();
    }
    const outcomes = await Promise.all(results);
    const dropped = outcomes.flatMap((outcome, id) =>
      outcome === "would_be_late" || outcome === "deadline" ? id : [],
    );
    return { batches, dropped, firstAhead };
  }

  it("choose the same batches of the same rungs and drop the same calls, where no batch is handed ahead", async () => {
    const simulated = simulateCalls(calls);
    const { batches, dropped, firstAhead } = await serveCalls(OneAtATime);
    assert.equal(firstAhead, Number.POSITIVE_INFINITY);
    assert.deepEqual(batches, simulated.batches);
    assert.deepEqual(dropped, simulated.dropped);
  });

  it("meet all that matters to a choice in these calls", () => {
    const { batches, dropped } = simulateCalls(calls);
    for (const { name, maxBatch } of RUNGS) {
      const sizes = batches.filter(batch => batch.startsWith(name)).map(batch => batch.split(" ").length - 1);
      assert.ok(sizes.length >= 10, `${name} served ${sizes.length} batches`);
      assert.ok(sizes.includes(maxBatch) && sizes.some(rows => rows < maxBatch), `${name} served ${sizes} rows`);
    }
    assert.ok(dropped.length >= 10 && dropped.length < calls.length / 2, `${dropped.length} were dropped`);
  });

  /**
   * A switcher hands a full batch ahead to the session that runs another one, so that the session does not wait while word of that one's end travels.
   * That batch is chosen before calls are known that still come while the other one runs. The simulator has no such way, and chooses when the
   * batch before has ended: from the first batch that was handed ahead the two may differ.
   */
  it("choose the same batches up to the first one that is handed ahead", async () => {
    const simulated = simulateCalls(calls);
    const { batches, firstAhead } = await serveCalls(ReplicaLadder);
    assert.ok(firstAhead >= 20 && firstAhead < batches.length, `batch ${firstAhead} of ${batches.length}`);
    assert.deepEqual(batches.slice(0, firstAhead), simulated.batches.slice(0, firstAhead));
  });
});
