import assert from "node:assert/strict";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Ticket } from "../../variant-switcher/outcomes.ts";
import type { ModelSession, RunResult } from "../../variant-switcher/session.ts";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where something fails", () => {
  let bench: BatcherBench;
  const serve = (session: ModelSession, batch: number) => bench.serve(session, batch);
  const submit = (rows: readonly number[]): Ticket => bench.submit(rows);
  const create = (): void => {
    bench = new BatcherBench();
  };
  beforeEach(create);
  afterEach(() => bench.close());

  it("answers with a lost session only what has lost two", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 2);
    submit([0]);
    const tickets = [1, 2].map(row => submit([row]));
    await a.step();
    a.onRun = () => ({ kind: "failed", message: "bad" });
    await a.step();
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    assert.deepEqual([a.batches, bench.drops], [[[0], [1, 2], [1]], []]);
    await serve(b, 2);
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all(tickets.map(bench.result)), [
      ["b", 1],
      ["b", 2],
    ]);
  });

  /** A request of three rows of which two were served, behind two requests whose batch has failed. */
  const halfServed = async (a: SteppedSession) => {
    await serve(a, 2);
    submit([0]);
    const failed = [1, 2].map(row => submit([row]));
    const spread = submit([3, 4, 5]);
    await a.step();
    a.onRun = rows => (rows.length === 2 && rows[0] === 1 ? { kind: "failed", message: "bad" } : null);
    assert.deepEqual(a.batches.slice(1), [
      [1, 2],
      [3, 4],
    ]);
    return [...failed, spread];
  };

  it("lets another session take over behind what runs again, and the first one end what is half served", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    const tickets = await halfServed(a);
    const swap = serve(b, 2);
    for (let i = 0; i < 2; i++) await a.step();
    await swap;
    for (let i = 0; i < 3; i++) {
      await a.step();
      await b.step();
    }
    assert.deepEqual([a.batches.slice(3), b.batches], [[[5]], [[1], [2]]]);
    assert.deepEqual(await Promise.all(tickets.map(bench.shares)), ["b=1", "b=1", "a=3"]);
  });

  it("serves the other rows of what is half served by another session when the first one is lost", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    const tickets = await halfServed(a);
    await a.step();
    await a.step();
    a.onRun = () => {
      a.isLost = true;
      return { kind: "lost", reason: "crash" };
    };
    await a.step();
    await serve(b, 2);
    for (let i = 0; i < 3; i++) await b.step();
    assert.deepEqual(b.batches, [[1], [2], [5]]);
    assert.deepEqual(await Promise.all(tickets.map(bench.shares)), ["b=1", "b=1", "a=2,b=1"]);
    assert.deepEqual(await bench.result(tickets[2] as Ticket), ["a", 3, 4, 5]);
  });

  it("answers every request once, each row by a session that it names, whatever fails and takes over", async () => {
    /** The numbers of its session and of the row. */
    const marked = (session: number, rows: readonly number[]): RunResult => {
      const bytes = Uint8Array.from(rows.flatMap(row => [session, row]));
      const output = { name: "y", datatype: "UINT8", shape: [rows.length, 2], bytes } as const;
      return { kind: "ran", outputs: [output], spare: [], serviceMs: 1 };
    };
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("submit" as const), sizes }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("run" as const) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("fail" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const) }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("serve" as const), batch: fc.integer({ min: 2, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), at: fc.nat(20) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
        create();
        const sessions: SteppedSession[] = [];
        const tickets: { readonly ticket: Ticket; readonly rows: readonly number[] }[] = [];
        let outcome: "run" | "fail" | "lose" = "run";
        const open = (batch: number) => {
          const session = new SteppedSession(`v${sessions.length}`);
          const number = sessions.push(session);
          session.onRun = rows => {
            if (outcome === "run") return marked(number, rows);
            if (outcome === "fail") return { kind: "failed", message: "bad" };
            session.isLost = true;
            return { kind: "lost", reason: "crash" };
          };
          void serve(session, batch);
        };
        const finish = async (kind: typeof outcome) => {
          outcome = kind;
          for (const session of sessions) await session.step();
          if (bench.batcher.serving === null) open(2);
        };
        open(2);
        for (const taken of steps) {
          if (taken.kind === "submit") {
            for (const size of taken.sizes) {
              const rows = Array.from({ length: size }, (_, row) => row);
              tickets.push({ ticket: submit(rows), rows });
            }
          } else if (taken.kind === "serve") open(taken.batch);
          else if (taken.kind === "cancel") tickets[taken.at]?.ticket.cancel();
          else await finish(taken.kind);
        }
        while (bench.batcher.queuedRows > 0) await finish("run");
        await finish("run");
        await finish("run");
        for (const { ticket, rows } of tickets) {
          const settled = await ticket.result;
          if (settled.kind === "dropped") continue;
          const bytes = [...(settled.outputs[0]?.bytes ?? [])];
          const sessionsByRow = bytes.filter((_, at) => at % 2 === 0);
          assert.deepEqual(
            bytes.filter((_, at) => at % 2 === 1),
            rows,
          );
          for (const { variant, rows: count } of settled.shares)
            assert.equal(sessionsByRow.filter(number => `v${number - 1}` === variant).length, count);
          assert.equal(
            settled.shares.reduce((sum, share) => sum + share.rows, 0),
            rows.length,
          );
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("drops a request that there is no memory to run, and serves on", async () => {
    const session = new SteppedSession("a");
    await serve(session, 2);
    const subarray = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    const inputs = [
      { datatype: "UINT8", shape: [3, 1], bytes: Object.assign(Uint8Array.of(1, 1, 1), { subarray }) },
    ] as const;
    const nowMs = performance.now();
    const deadlines = { softMs: nowMs + 60_000, hardMs: nowMs + 60_000, deadlineMs: nowMs + 60_000 };
    const tooLarge = bench.batcher.submit({
      rows: 3,
      inputs,
      shapeKey: "1",
      variant: null,
      keeps: { keys: [] },
      ...deadlines,
    });
    const settled = await tooLarge.result;
    assert.match(settled.kind === "dropped" ? settled.message : "", /can't be put together: RangeError: Array buffer/);
    assert.deepEqual(bench.drops, ["no_memory"]);
    const fine = submit([2]);
    await session.step();
    assert.deepEqual(await bench.result(fine), ["a", 2]);
  });

  it("tells that nothing waits any more when the last request was given up", async () => {
    const ticket = submit([1]);
    const whenIdle = bench.batcher.whenIdle();
    ticket.cancel();
    await whenIdle;
    submit([2]);
    const whenDropped = bench.batcher.whenIdle();
    bench.batcher.dropAll("not_ready", "the test has ended");
    await whenDropped;
  });
});
