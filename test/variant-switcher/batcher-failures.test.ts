import assert from "node:assert/strict";
import fc from "fast-check";
import { beforeEach, describe, it } from "mocha";
import { Batcher, type Ticket } from "../../variant-switcher/batcher.ts";
import { Foresight } from "../../variant-switcher/foresight.ts";
import type { ModelSession, RunResult } from "../../variant-switcher/session.ts";
import { ECHO_CONTRACT, SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where something fails", () => {
  let drops: string[] = [];
  let batcher: Batcher;
  let foresight: Foresight;
  const serve = (session: ModelSession, batch: number) => batcher.serve({ session, batch, maxWaitMs: 0 });
  const submit = (rows: readonly number[]): Ticket => {
    const inputs = [{ datatype: "UINT8", shape: [rows.length, 1], bytes: Uint8Array.from(rows) }] as const;
    const deadlineMs = performance.now() + 60_000;
    return batcher.submit({ rows: rows.length, inputs, shapeKey: "1", variant: null, deadlineMs });
  };
  const rowsOf = async (ticket: Ticket) => {
    const settled = await ticket.result;
    return settled.kind === "served" ? [settled.variant, ...(settled.outputs[0]?.bytes ?? [])] : settled.reason;
  };

  const create = () => {
    drops = [];
    foresight = new Foresight([]);
    batcher = new Batcher({
      contract: ECHO_CONTRACT,
      limits: { maxRows: 100, maxBytes: 1000 },
      foresight,
      observer: {
        offered: () => undefined,
        served: () => undefined,
        ran: () => undefined,
        dropped: ({ reason }) => void drops.push(reason),
      },
      refusal: () => null,
      onLost: () => undefined,
    });
  };
  beforeEach(create);

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
    assert.deepEqual([a.batches, drops], [[[0], [1, 2], [1]], []]);
    await serve(b, 2);
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all(tickets.map(rowsOf)), [
      ["b", 1],
      ["b", 2],
    ]);
  });

  /** A request of three rows of which two were served, behind two requests whose batch has failed. */
  const halfServed = async (a: SteppedSession) => {
    await serve(a, 2);
    foresight.ran({ variant: "a", rows: 2, serviceMs: 1 });
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

  it("lets no session take over while a request is half served, also behind others that run again", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    const tickets = await halfServed(a);
    const swap = serve(b, 2);
    for (let i = 0; i < 5; i++) await a.step();
    await swap;
    assert.deepEqual([a.batches.slice(3), b.batches], [[[1], [2], [5]], []]);
    assert.deepEqual(await Promise.all(tickets.map(rowsOf)), [
      ["a", 1],
      ["a", 2],
      ["a", 3, 4, 5],
    ]);
  });

  it("starts over with what is half served when the session is lost, whatever was in it", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    const tickets = await halfServed(a);
    await a.step();
    await a.step();
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    await serve(b, 2);
    for (let i = 0; i < 4; i++) await b.step();
    assert.deepEqual(b.batches, [[1], [2], [3, 4], [5]]);
    assert.deepEqual(await Promise.all(tickets.map(rowsOf)), [
      ["b", 1],
      ["b", 2],
      ["b", 3, 4, 5],
    ]);
  });

  it("answers every request once, with rows of one session, whatever fails and takes over", async () => {
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
          for (let rows = 1; rows <= batch; rows++) foresight.ran({ variant: session.variant, rows, serviceMs: 1 });
          void serve(session, batch);
        };
        const finish = async (kind: typeof outcome) => {
          outcome = kind;
          for (const session of sessions) await session.step();
          if (batcher.serving === null) open(2);
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
        while (batcher.queuedRows > 0) await finish("run");
        await finish("run");
        await finish("run");
        for (const { ticket, rows } of tickets) {
          const settled = await ticket.result;
          if (settled.kind === "dropped") continue;
          const bytes = [...(settled.outputs[0]?.bytes ?? [])];
          const number = Number(settled.variant.slice(1)) + 1;
          assert.deepEqual(
            bytes,
            rows.flatMap(row => [number, row]),
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
    const deadlineMs = performance.now() + 60_000;
    const tooLarge = batcher.submit({ rows: 3, inputs, shapeKey: "1", variant: null, deadlineMs });
    const settled = await tooLarge.result;
    assert.match(settled.kind === "dropped" ? settled.message : "", /can't be put together: RangeError: Array buffer/);
    assert.deepEqual(drops, ["no_memory"]);
    const fine = submit([2]);
    await session.step();
    assert.deepEqual(await rowsOf(fine), ["a", 2]);
  });

  it("tells that nothing waits any more when the last request was given up", async () => {
    const ticket = submit([1]);
    const whenIdle = batcher.whenIdle();
    ticket.cancel();
    await whenIdle;
    submit([2]);
    const whenDropped = batcher.whenIdle();
    batcher.dropAll("not_ready", "the test has ended");
    await whenDropped;
  });
});
