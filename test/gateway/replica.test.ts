import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, describe, it } from "mocha";
import { Replica } from "../../gateway/replica.ts";
import { StagePool } from "../../gateway/stage-pool.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";
import { startEchoReplica } from "./replicas.ts";

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

    it("is what its answers say that it is assigned, whatever serves them for a while", async () => {
      const { server, replica } = await replicaOf({
        variant: "light",
        assigned: { assigned_variant: "heavy", assigned_batch: 4 },
      });
      assert.equal(replica.serving, null);
      await replica.infer(aCall());
      assert.deepEqual(replica.serving, { variant: "heavy", batch: 4 });
      server.variant = "heavy";
      server.assigned = { assigned_variant: "light", assigned_batch: 2 };
      await replica.infer(aCall());
      assert.deepEqual(replica.serving, { variant: "light", batch: 2 });
    });

    for (const assigned of [
      undefined,
      { assigned_variant: "other", assigned_batch: 1 },
      { assigned_variant: "heavy", assigned_batch: 0 },
      { assigned_variant: 3, assigned_batch: 1 },
      { assigned_variant: "heavy", assigned_batch: "4" },
    ])
      it(`is what serves its answers where they say ${JSON.stringify(assigned)}`, async () => {
        const { replica } = await replicaOf({ variant: "light", ...(assigned && { assigned }) });
        await replica.infer(aCall());
        assert.deepEqual(replica.serving, { variant: "light", batch: undefined });
      });

    it("holds its time against the variant that answered, not the one that is assigned", async () => {
      let nowMs = 0;
      const server = await startEchoReplica("light");
      server.assigned = { assigned_variant: "heavy", assigned_batch: 1 };
      const replica = new Replica({ address: server.address }, stage, () => nowMs);
      closed.push(async () => {
        replica.remove();
        await server.close();
      });
      for (let i = 0; i < 20; i++) {
        const answered = replica.infer(aCall());
        // As long as the light one takes: an eighth of the heavy one's time.
        nowMs += 1;
        await answered;
      }
      assert.ok(Math.abs(replica.rowMs - 8) < 1e-9, String(replica.rowMs));
    });

    it("is the slowest of the others as long as nothing is known of it", async () => {
      const [light, heavy] = await Promise.all([startEchoReplica("light"), startEchoReplica("heavy")]);
      const pool = new StagePool(stage, { random: () => 0, nowMs: () => 0 });
      closed.push(async () => {
        pool.close();
        await Promise.all([light.close(), heavy.close()]);
      });
      const others = [light, heavy].map(({ address, variant }) => ({ address, variant }));
      pool.update([{ address: await closedAddress() }]);
      assert.equal(pool.replicas[0]?.rowMs, 1, "the default variant");
      pool.update(others);
      pool.update([...others, { address: await closedAddress() }]);
      const added = pool.replicas.at(-1);
      assert.deepEqual([added?.serving, added?.rowMs], [null, 8]);
    });
  });
});
