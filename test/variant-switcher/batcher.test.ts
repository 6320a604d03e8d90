import assert from "node:assert/strict";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, it } from "mocha";
import { Batcher, type Ticket } from "../../variant-switcher/batcher.ts";
import { Foresight } from "../../variant-switcher/foresight.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";
import { ECHO_CONTRACT, SteppedSession } from "../support/stepped-session.ts";

describe("Batcher", () => {
  let foresight: Foresight;
  const drops: string[] = [];
  let lost: ModelSession[] = [];
  let refusal: string | null = null;
  let batcher: Batcher;

  const create = (maxRows = 100, maxBytes = 1000) => {
    foresight = new Foresight([]);
    batcher = new Batcher({
      contract: ECHO_CONTRACT,
      limits: { maxRows, maxBytes },
      foresight,
      observer: {
        offered: () => undefined,
        served: () => undefined,
        ran: () => undefined,
        dropped: ({ reason }) => void drops.push(reason),
      },
      refusal: () => refusal,
      onLost: session => lost.push(session),
    });
    return batcher;
  };
  const serve = async (session: ModelSession, batch: number, maxWaitMs = 0) => {
    await batcher.serve({ session, batch, maxWaitMs });
    return session;
  };
  const submit = (
    rows: readonly number[],
    more: { width?: number; variant?: string; timeoutMs?: number } = {},
  ): Ticket => {
    const { width = 1, variant = null, timeoutMs = 60_000 } = more;
    const bytes = Uint8Array.from(rows.flatMap(row => Array(width).fill(row)));
    const inputs = [{ datatype: "UINT8", shape: [rows.length, width], bytes }] as const;
    const deadlineMs = performance.now() + timeoutMs;
    return batcher.submit({ rows: rows.length, inputs, shapeKey: String(width), variant, deadlineMs });
  };
  /** The served rows, or why there are none. */
  const result = async (ticket: Ticket) => {
    const settled = await ticket.result;
    return settled.kind === "served" ? [settled.variant, ...(settled.outputs[0]?.bytes ?? [])] : settled.reason;
  };

  afterEach(() => {
    batcher.dropAll("not_ready", "the test has ended");
    drops.length = 0;
    lost = [];
    refusal = null;
  });

  it("runs what is there at once, and then all that has come meanwhile up to the batch", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 3);
    const tickets = [1, 2, 3].map(row => submit([row]));
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    assert.deepEqual(session.batches, [[1], [2, 3]]);
    await session.step();
    assert.deepEqual(
      await Promise.all(tickets.map(result)),
      [1, 2, 3].map(row => ["a", row]),
    );
  });

  it("hands one full batch over ahead, so that the session never idles", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2);
    const tickets = [1, 2, 3, 4, 5, 6, 7, 8].map(row => submit([row]));
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    assert.deepEqual(session.batches.slice(1), [
      [2, 3],
      [4, 5],
    ]);
    await session.step();
    assert.deepEqual(session.batches.slice(3), [[6, 7]]);
    await session.step();
    assert.equal(session.batches.length, 4);
    await session.step();
    await session.step();
    assert.deepEqual(session.batches.slice(4), [[8]]);
    assert.deepEqual(
      await Promise.all(tickets.map(result)),
      [1, 2, 3, 4, 5, 6, 7, 8].map(row => ["a", row]),
    );
  });

  it("hands nothing over ahead whose deadline may pass before it begins", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 1);
    foresight.ran({ variant: "a", rows: 1, serviceMs: 2000 });
    const first = submit([1]);
    await sleep(400);
    const urgent = submit([2], { timeoutMs: 3900 });
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    await session.step();
    assert.deepEqual(await Promise.all([first, urgent].map(result)), [
      ["a", 1],
      ["a", 2],
    ]);
  });

  it("refuses at once what could not be done in time, behind what runs and waits", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2);
    foresight.ran({ variant: "a", rows: 2, serviceMs: 10_000 });
    foresight.ran({ variant: "a", rows: 1, serviceMs: 6000 });
    const tickets = [submit([1]), submit([2]), submit([3])];
    const hopeless = submit([4], { timeoutMs: 20_000 });
    const settled = await hopeless.result;
    assert.equal(settled.kind === "dropped" && settled.reason, "would_be_late");
    assert.match(
      settled.kind === "dropped" ? settled.message : "",
      /done in about 2[12]\d{3} ms, behind 0 rows, but only (20000|19\d{3}) ms are left/,
    );
    const fine = submit([5], { timeoutMs: 60_000 });
    for (let i = 0; i < 4; i++) await session.step();
    assert.deepEqual(await Promise.all([...tickets, fine].map(result)), [
      ["a", 1],
      ["a", 2],
      ["a", 3],
      ["a", 5],
    ]);
    assert.deepEqual(drops, ["would_be_late"]);
  });

  it("runs what an idle session has time for although it was slow before, and learns", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 1);
    foresight.ran({ variant: "a", rows: 1, serviceMs: 60_000 });
    const ticket = submit([1], { timeoutMs: 5000 });
    await session.step();
    assert.deepEqual(await result(ticket), ["a", 1]);
    assert.ok(foresight.expectedMs("a", 1) < 60_000);
  });

  it("lets what would be late give way to what would not", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 1);
    const first = submit([1]);
    const [late, fine] = [submit([2], { timeoutMs: 3000 }), submit([3])];
    foresight.ran({ variant: "a", rows: 1, serviceMs: 10_000 });
    await session.step();
    assert.equal(await result(late), "would_be_late");
    await session.step();
    assert.deepEqual(await Promise.all([first, fine].map(result)), [
      ["a", 1],
      ["a", 3],
    ]);
  });

  it("gives no answer after the deadline", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 1);
    const ticket = submit([1], { timeoutMs: 20 });
    await sleep(40);
    await session.step();
    const settled = await ticket.result;
    assert.equal(settled.kind === "dropped" && settled.reason, "late");
    assert.match(settled.kind === "dropped" ? settled.message : "", /came \d+ ms after the deadline/);
  });

  it("waits for a full batch only where one is cheaper by the row", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2, 60_000);
    foresight.ran({ variant: "a", rows: 1, serviceMs: 10 });
    foresight.ran({ variant: "a", rows: 2, serviceMs: 19 });
    submit([1]);
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    create();
    const cheaper = new SteppedSession("b");
    await serve(cheaper, 2, 60_000);
    foresight.ran({ variant: "b", rows: 1, serviceMs: 10 });
    foresight.ran({ variant: "b", rows: 2, serviceMs: 17 });
    submit([1]);
    assert.deepEqual(cheaper.batches, []);
    submit([2]);
    assert.deepEqual(cheaper.batches, [[1, 2]]);
    await cheaper.step();
  });

  it("waits for no full batch of which nothing is known", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2, 60_000);
    submit([1]);
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
  });

  it("hands nothing over ahead while another session is about to take over", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 1);
    submit([1]);
    foresight.ran({ variant: "a", rows: 1, serviceMs: 1 });
    const swap = serve(b, 1);
    const tickets = [2, 3].map(row => submit([row]));
    assert.deepEqual(a.batches, [[1]]);
    await a.step();
    await swap;
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all(tickets.map(result)), [
      ["b", 2],
      ["b", 3],
    ]);
  });

  it("hands nothing over ahead beside what failed before, so that only what is at fault is blamed", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 1);
    for (const session of [a, b]) foresight.ran({ variant: session.variant, rows: 1, serviceMs: 1 });
    const tickets = [1, 2, 3].map(row => submit([row]));
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    await serve(b, 1);
    assert.deepEqual([a.batches, b.batches], [[[1], [2]], [[1]]]);
    await b.step();
    assert.deepEqual(b.batches, [[1], [2], [3]]);
    await b.step();
    await b.step();
    assert.deepEqual(
      await Promise.all(tickets.map(result)),
      [1, 2, 3].map(row => ["b", row]),
    );
  });

  it("gives what a lost session had not begun with to the next one, in order and without blame", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 2);
    foresight.ran({ variant: "a", rows: 2, serviceMs: 1 });
    const tickets = [1, 2, 3, 4].map(row => submit([row]));
    assert.deepEqual(a.batches, [[1], [2, 3]]);
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    await a.step();
    assert.deepEqual(lost, [a]);
    assert.equal(batcher.queuedRows, 4);
    await serve(b, 2);
    for (let i = 0; i < 3; i++) await b.step();
    assert.deepEqual(b.batches, [[1], [2, 3], [4]]);
    assert.deepEqual(
      await Promise.all(tickets.map(result)),
      [1, 2, 3, 4].map(row => ["b", row]),
    );
  });

  it("spreads a request over batches and joins its rows again", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2);
    const first = submit([1, 2, 3, 4, 5]);
    const second = submit([6]);
    await session.step();
    await session.step();
    await session.step();
    assert.deepEqual(session.batches, [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    assert.deepEqual(await result(first), ["a", 1, 2, 3, 4, 5]);
    assert.deepEqual(await result(second), ["a", 6]);
  });

  it("does not mix shapes in a batch", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 8);
    submit([0]);
    const tickets = [submit([1]), submit([2], { width: 3 }), submit([3])];
    for (let i = 0; i < 4; i++) await session.step();
    assert.deepEqual(session.batches, [[0], [1], [2], [3]]);
    assert.deepEqual(await result(tickets[1]!), ["a", 2, 2, 2]);
  });

  it("waits for a full batch no longer than it is told to", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 2, 30);
    foresight.ran({ variant: "a", rows: 1, serviceMs: 10 });
    foresight.ran({ variant: "a", rows: 2, serviceMs: 12 });
    submit([1]);
    submit([2]);
    assert.deepEqual(session.batches, [[1, 2]]);
    await session.step();
    submit([3]);
    assert.equal(session.batches.length, 1);
    await sleep(60);
    assert.deepEqual(session.batches.at(-1), [3]);
    await session.step();
  });

  it("lets a new session take over between batches, after a request that is half served", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 2);
    const first = submit([1, 2, 3]);
    const second = submit([4]);
    let swapped = false;
    const swap = serve(b, 2).then(() => {
      swapped = true;
    });
    await turn();
    assert.equal(swapped, false);
    await a.step();
    assert.deepEqual(a.batches.at(-1), [3, 4]);
    assert.equal(swapped, false);
    await a.step();
    await swap;
    const third = submit([5]);
    await b.step();
    assert.deepEqual(await Promise.all([first, second, third].map(result)), [
      ["a", 1, 2, 3],
      ["a", 4],
      ["b", 5],
    ]);
  });

  it("refuses rows and bytes over its limits, and whatever comes when it must not", async () => {
    create(3, 10);
    const session = new SteppedSession("a");
    await serve(session, 4);
    submit([0]);
    const [kept, rows, bytes] = [submit([1, 2]), submit([3, 4]), submit([5], { width: 9 })];
    assert.deepEqual(await Promise.all([rows, bytes].map(result)), ["queue_full", "queue_full"]);
    refusal = "closed";
    assert.equal(await result(submit([6])), "not_ready");
    for (let i = 0; i < 2; i++) await session.step();
    assert.deepEqual(await result(kept), ["a", 1, 2]);
    assert.equal(batcher.queuedRows, 0);
  });

  it("lets no session take over that was withdrawn, or lost, while it waited", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 1);
    const first = submit([1]);
    const abort = new AbortController();
    const withdrawn = batcher.serve({ session: b, batch: 1, maxWaitMs: 0 }, abort.signal);
    abort.abort();
    await withdrawn;
    const bigger = serve(a, 2);
    const lostMeanwhile = submit([2]);
    a.onRun = () => {
      a.isLost = true;
      return { kind: "lost", reason: "crash" };
    };
    await a.step();
    await bigger;
    assert.equal(batcher.serving, null);
    await serve(b, 2);
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all([first, lostMeanwhile].map(result)), [
      ["b", 1],
      ["b", 2],
    ]);
    assert.deepEqual([a.batches, lost], [[[1]], [a]]);
  });

  it("drops what is late or given up before it runs, also while nothing serves", async () => {
    create();
    const late = submit([1], { timeoutMs: 10 });
    const gone = submit([2]);
    gone.cancel();
    assert.deepEqual(await Promise.all([late, gone].map(result)), ["deadline", "cancelled"]);
    const session = new SteppedSession("a");
    await serve(session, 1);
    assert.deepEqual(session.batches, []);
    assert.deepEqual(drops, ["cancelled", "deadline"]);
    assert.equal(batcher.queueAgeMs(), 0);
  });

  it("drops work for a variant that is not served any more", async () => {
    create();
    const waiting = submit([1], { variant: "a" });
    await serve(new SteppedSession("b"), 1);
    assert.equal(await result(waiting), "wrong_variant");
  });

  it("runs the requests of a failed batch alone, so that only the one at fault fails", async () => {
    create();
    const session = new SteppedSession("a");
    session.onRun = rows => (rows.includes(2) ? { kind: "failed", message: "bad" } : null);
    await serve(session, 4);
    submit([0]);
    const tickets = [1, 2, 3].map(row => submit([row]));
    for (let i = 0; i < 6; i++) await session.step();
    assert.deepEqual(session.batches, [[0], [1, 2, 3], [1], [2], [3]]);
    assert.deepEqual(await Promise.all(tickets.map(result)), [["a", 1], "model_failed", ["a", 3]]);
  });

  it("retries once, alone and from its start, what was in a lost session", async () => {
    create();
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await serve(a, 2);
    const poison = submit([9, 8, 7]);
    const fine = submit([1]);
    await a.step();
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    assert.deepEqual(lost, [a]);
    assert.equal(batcher.serving, null);
    b.onRun = rows => (rows.includes(9) ? { kind: "lost", reason: "crash" } : null);
    await serve(b, 2);
    await b.step();
    assert.equal(await result(poison), "session_lost");
    await serve(b, 2);
    await b.step();
    assert.deepEqual(b.batches, [[9, 8], [1]]);
    assert.deepEqual(await result(fine), ["b", 1]);
  });

  it("drops a request whose outputs do not keep the contract", async () => {
    create();
    const session = new SteppedSession("a");
    session.onRun = () => ({ kind: "ran", outputs: [], spare: [], serviceMs: 1 });
    await serve(session, 1);
    const ticket = submit([1]);
    await session.step();
    const settled = await ticket.result;
    assert.equal(settled.kind, "dropped");
    assert.match(settled.kind === "dropped" ? settled.message : "", /the output "y" is missing/);
  });

  it("tells when nothing waits or runs", async () => {
    create();
    const session = new SteppedSession("a");
    await serve(session, 1);
    submit([1]);
    let idle = false;
    const whenIdle = batcher.whenIdle().then(() => {
      idle = true;
    });
    await turn();
    assert.equal(idle, false);
    await session.step();
    await whenIdle;
  });
});
