import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { Batcher, type Ticket } from "../../variant-switcher/batcher.ts";
import { Foresight } from "../../variant-switcher/foresight.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";
import { ECHO_CONTRACT, SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where something fails", () => {
  let drops: string[] = [];
  let batcher: Batcher;
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

  beforeEach(() => {
    drops = [];
    batcher = new Batcher({
      contract: ECHO_CONTRACT,
      limits: { maxRows: 100, maxBytes: 1000 },
      foresight: new Foresight([]),
      observer: {
        offered: () => undefined,
        served: () => undefined,
        ran: () => undefined,
        dropped: ({ reason }) => void drops.push(reason),
      },
      refusal: () => null,
      onLost: () => undefined,
    });
  });

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
