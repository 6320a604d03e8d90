import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Endpoint } from "../../gateway/endpoint-source.ts";
import { Replica } from "../../gateway/replica.ts";
import { StagePool } from "../../gateway/stage-pool.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";
import { startEchoReplica, startFailingReplica, startSilentReplica } from "./replicas.ts";

const ROW = { x: { datatype: "UINT8" as const, shape: [2], data: new Uint8Array([1, 2]) } };
const aCall = () => ({ id: "r", rows: [ROW], timeoutMs: 1000, signal: new AbortController().signal });

/** Where nothing listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return `127.0.0.1:${port}`;
}

describe("Replica", () => {
  it("is left out for one step of the back-off by calls that fail together, and for longer by those that come after it", async () => {
    let nowMs = 1000;
    const replica = new Replica({ address: await closedAddress() }, stageOf(numberPipeline(), "count"), () => nowMs);
    const call = () => replica.infer(aCall());
    const results = await Promise.all(Array.from({ length: 20 }, call));
    assert.ok(results.every(({ kind }) => kind === "unreachable"));
    assert.equal(replica.leftOutUntilMs, nowMs + 100);
    nowMs += 100;
    assert.equal(replica.isOpen, true);
    await call();
    assert.equal(replica.leftOutUntilMs, nowMs + 200);
    replica.remove();
  });

  describe("what it is taken for", () => {
    const stage = stageOf(numberPipeline(), "count");
    const closed: (() => Promise<void>)[] = [];
    afterEach(async () => {
      await Promise.all(closed.splice(0).map(close => close()));
    });

    /** Answers in no time by a clock that stands still, so that nothing is corrected but by the least ratio. */
    async function replicaOf(change: Partial<Awaited<ReturnType<typeof startEchoReplica>>>) {
      const server = Object.assign(await startEchoReplica(), change);
      const replica = new Replica({ address: server.address }, stage, () => 0);
      closed.push(async () => {
        replica.remove();
        await server.close();
      });
      return { server, replica };
    }

    it("is what its answers say that lasts, whatever serves them for a moment", async () => {
      const { server, replica } = await replicaOf({
        variant: "light",
        lasting: { lasting_variant: "heavy", lasting_batch: 4 },
      });
      assert.equal(replica.serving, null);
      await replica.infer(aCall());
      assert.deepEqual(replica.serving, { variant: "heavy", batch: 4 });
      server.variant = "heavy";
      server.lasting = { lasting_variant: "light", lasting_batch: 2 };
      await replica.infer(aCall());
      assert.deepEqual(replica.serving, { variant: "light", batch: 2 });
    });

    for (const lasting of [
      undefined,
      { lasting_variant: "other", lasting_batch: 1 },
      { lasting_variant: "heavy", lasting_batch: 0 },
      { lasting_variant: 3, lasting_batch: 1 },
      { lasting_variant: "heavy", lasting_batch: "4" },
    ])
      it(`is what serves its answers where they say ${JSON.stringify(lasting)}`, async () => {
        const { replica } = await replicaOf({ variant: "light", ...(lasting && { lasting }) });
        await replica.infer(aCall());
        assert.deepEqual(replica.serving, { variant: "light", batch: undefined });
      });

    describe("by its times", () => {
      let nowMs = 0;
      let server: Awaited<ReturnType<typeof startEchoReplica>>;
      let replica: Replica;
      beforeEach(async () => {
        nowMs = 0;
        server = await startEchoReplica("light");
        server.lasting = { lasting_variant: "heavy", lasting_batch: 1 };
        replica = new Replica({ address: server.address }, stage, () => nowMs);
        closed.push(async () => {
          replica.remove();
          await server.close();
        });
      });
      const take = async (tookMs: number) => {
        const answered = replica.infer(aCall());
        nowMs += tookMs;
        await answered;
      };
      const isNear = (found: number, expected: number) => Math.abs(found - expected) < 1e-9;

      it("is not taken for a faster one where a light variant answers for a moment", async () => {
        for (let i = 0; i < 20; i++) await take(1);
        assert.ok(isNear(replica.rowMs, 8), String(replica.rowMs));
        assert.ok(isNear(replica.expectedWorkMs(3), 3), "what it has to do it does with the light one");
      });

      it("has no more to do than it will have done with the light one, where it goes on to it", async () => {
        server.variant = "heavy";
        server.lasting = { lasting_variant: "light", lasting_batch: 1 };
        await take(8);
        assert.ok(isNear(replica.expectedWorkMs(3), 3));
      });

      it("is not taken for a slower one by calls that waited while the variant changed", async () => {
        server.variant = "heavy";
        await take(8);
        server.variant = "light";
        const waited = Array.from({ length: 10 }, () => replica.infer(aCall()));
        nowMs += 100;
        await Promise.all(waited);
        assert.ok(isNear(replica.rowMs, 8), String(replica.rowMs));
        await take(3);
        assert.ok(replica.rowMs > 8, "but by those that it answers as slowly by itself");
      });
    });

    describe("while nothing is known of it", () => {
      let nowMs = 0;
      beforeEach(() => {
        nowMs = 0;
      });
      const others = [
        { address: "127.0.0.1:1", variant: "heavy" },
        { address: "127.0.0.1:2", variant: "light" },
      ];
      const poolOf = (newcomer: Endpoint) => {
        const pool = new StagePool(stage, { random: () => 0, nowMs: () => nowMs });
        closed.push(async () => pool.close());
        pool.update([newcomer]);
        assert.equal(pool.replicas[0]?.rowMs, newcomer.voter === "heavy" ? 8 : 1, "the default variant, or its vote");
        pool.update([newcomer, ...others]);
        return pool.replicas.find(({ address }) => address === newcomer.address) as Replica;
      };

      it("is tried as the fastest of the others, and taken for the slowest while it is", async () => {
        const server = await startSilentReplica();
        closed.push(() => server.close());
        const added = poolOf({ address: server.address });
        assert.deepEqual([added.serving, added.rowMs], [null, 1]);
        const cut = new AbortController();
        const tried = added.infer({ ...aCall(), signal: cut.signal });
        assert.equal(added.rowMs, 8);
        cut.abort();
        await tried;
      });

      it("is left alone for a while after it has refused", async () => {
        const server = await startFailingReplica(504);
        closed.push(() => server.close());
        const added = poolOf({ address: server.address });
        await added.infer(aCall());
        assert.deepEqual([added.outstandingRows, added.rowMs], [0, 8]);
        nowMs += 1000;
        assert.equal(added.rowMs, 1, "and tried again then");
      });

      it("is what it is told, batch and all, also for what it has to do", () => {
        const replica = new Replica({ address: "127.0.0.1:3", variant: "heavy", batch: 4 }, stage, () => 0);
        closed.push(async () => replica.remove());
        assert.deepEqual([replica.serving, replica.batch], [{ variant: "heavy", batch: 4 }, 4]);
        replica.update({ address: "127.0.0.1:3", variant: "light", batch: 4 });
        assert.equal(replica.expectedWorkMs(3), 3);
        replica.update({ address: "127.0.0.1:3", variant: "light", batch: 2 });
        assert.deepEqual(replica.serving, { variant: "light", batch: 2 });
      });

      it("is the variant that it votes for", () => {
        assert.equal(poolOf({ address: "127.0.0.1:3", voter: "heavy" }).rowMs, 8);
      });
    });
  });
});
