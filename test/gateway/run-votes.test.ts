import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import { RequestScope } from "../../gateway/request-scope.ts";
import type { StageAnswer } from "../../gateway/run-stage.ts";
import { runVotes } from "../../gateway/run-votes.ts";
import type { Row, Vote } from "../../gateway/stage.ts";
import { StagePool } from "../../gateway/stage-pool.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";
import {
  type Replica,
  startEchoReplica,
  startFullReplica,
  startResettingReplica,
  startSilentReplica,
  startSlowReplica,
} from "./replicas.ts";

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
const createRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ x: { datatype: "UINT8", shape: [2], data: new Uint8Array([i, 0]) } }));
const join = ([first]: readonly Vote[]): Row => first!.output;

const findVariants = (answer: StageAnswer | null): string[] => [...(answer?.rowsByVariant.keys() ?? [])];

/** By their profiles `light` takes 1 ms a row and `heavy` 8. */
describe("runVotes()", () => {
  const closers: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const use = async (starting: Promise<Replica>): Promise<Replica> => {
    const started = await starting;
    closers.push(() => started.close());
    return started;
  };
  /** @param none replicas that stand for no voter. */
  const createPool = (
    voters: Readonly<Record<string, readonly Replica[]>>,
    none: readonly Replica[] = [],
  ): StagePool => {
    const pool = new StagePool(stageOf(numberPipeline(), "read"), {
      // Of replicas with the same work the first.
      random: () => 0,
      nowMs: () => performance.now(),
    });
    pool.update([
      ...none.map(({ address }) => ({ address })),
      ...Object.entries(voters).flatMap(([voter, replicas]) => replicas.map(({ address }) => ({ address, voter }))),
    ]);
    closers.push(() => pool.close());
    return pool;
  };
  const run = async (
    pool: StagePool,
    { latencyMs = 10_000, waitShare = 0.9, count = 1 } = {},
  ): Promise<{ answer: StageAnswer | null; missing: string[]; tookMs: number }> => {
    const startedMs = performance.now();
    const scope = new RequestScope({
      id: "r",
      deadlineMs: startedMs + latencyMs,
      nowMs: () => performance.now(),
      clientGone: new AbortController().signal,
    });
    closers.push(() => scope.close());
    const missing: string[] = [];
    const answer = await runVotes(pool, createRows(count), scope, {
      join,
      weightOf: () => 1,
      waitShare,
      onRetry: () => {},
      onMissing: (_stage, voter, cause) => missing.push(`${voter} ${cause}`),
    });
    return { answer, missing, tookMs: performance.now() - startedMs };
  };

  it("asks voters for no longer than votes are waited for, but the quickest one", async () => {
    const [light, heavy] = [await use(startEchoReplica("light")), await use(startEchoReplica("heavy"))];
    const { answer } = await run(createPool({ heavy: [heavy], light: [light] }), { waitShare: 0.2 });
    assert.deepEqual(answer?.rowsByVariant, new Map([["heavy&light", 1]]));
    assert.ok(light.calls[0]!.timeoutMs > 4000, `${light.calls[0]!.timeoutMs} ms`);
    assert.ok(heavy.calls[0]!.timeoutMs <= 2000, `${heavy.calls[0]!.timeoutMs} ms`);
  });

  it("sends nothing for late votes once the others are joined", async () => {
    const [light, spare] = [await use(startEchoReplica("light")), await use(startEchoReplica("heavy"))];
    const resetting = await use(startResettingReplica(3000));
    const pool = createPool({ light: [light], heavy: [resetting, spare] });
    const { missing, tookMs } = await run(pool, { waitShare: 0.1 });
    assert.ok(tookMs < 3000, `${tookMs} ms`);
    assert.deepEqual(missing, ["heavy late"]);
    await sleep(3500 - tookMs);
    assert.deepEqual([resetting.calls.length, spare.calls.length], [1, 0]);
  });

  it("takes the quickest voter's answer alone where no vote has come in time", async () => {
    const [light, heavy] = [await use(startSlowReplica(1500, "light")), await use(startSilentReplica())];
    const { answer, missing, tookMs } = await run(createPool({ light: [light], heavy: [heavy] }), { waitShare: 0.05 });
    assert.deepEqual([findVariants(answer), missing], [["light"], ["heavy late"]]);
    assert.ok(tookMs > 1400, `${tookMs} ms`);
  });

  it("sends rows to a replica that was not asked where the quickest voter has failed and the others are late", async () => {
    const [light, heavy] = [await use(startFullReplica()), await use(startSilentReplica())];
    const other = await use(startEchoReplica("middle"));
    const { answer, missing, tookMs } = await run(createPool({ light: [light], heavy: [heavy] }, [other]), {
      waitShare: 0.1,
    });
    assert.deepEqual([findVariants(answer), missing], [["middle"], ["light replicas_full", "heavy late"]]);
    assert.ok(tookMs < 5000, `${tookMs} ms`);
  });

  it("sends rows to a replica that has room where two voters are full, however much work it has", async () => {
    const [light, heavy] = [await use(startFullReplica()), await use(startFullReplica())];
    const pool = createPool({ light: [light], heavy: [heavy] }, [await use(startSlowReplica(20, "heavy"))]);
    const runs = await Promise.all(Array.from({ length: 20 }, () => run(pool)));
    assert.deepEqual(
      runs.map(({ answer }) => findVariants(answer)),
      runs.map(() => ["heavy"]),
    );
  });

  it("counts a voter whose replicas are all gone with every request", async () => {
    const [light, gone] = [await use(startEchoReplica("light")), await use(startEchoReplica("heavy"))];
    const pool = createPool({ light: [light], heavy: [gone] });
    await gone.close();
    for (let i = 0; i < 5; i++) assert.deepEqual((await run(pool)).missing, ["heavy no_endpoint"]);
  });

  it("is no vote where one voter alone has answered", async () => {
    const replicas = [await use(startEchoReplica("light")), await use(startEchoReplica("middle"))];
    const pool = createPool({ light: replicas, heavy: [await use(startFullReplica())] });
    const { answer } = await run(pool, { count: 20 });
    assert.deepEqual(findVariants(answer).sort(), ["light", "middle"]);
  });
});
