import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Admission } from "../../gateway/admission.ts";
import { RequestScope } from "../../gateway/request-scope.ts";

describe("Admission", () => {
  const scopeOf = (id: string) =>
    new RequestScope({ id, deadlineMs: 1e6, nowMs: () => 0, clientGone: new AbortController().signal });

  /** Work that ends when the test says so; `log` tells when it began. */
  function start(admission: Admission, id: string, log: string[]) {
    const scope = scopeOf(id);
    let finish = (): void => {};
    const work = new Promise<void>(resolve => {
      finish = resolve;
    });
    const done = admission.run(scope, () => {
      log.push(id);
      return work;
    });
    return { scope, finish, done: done.then(() => scope.close()) };
  }

  it("lets waiting requests in by the order of their arrival, one for each that leaves", async () => {
    const admission = new Admission({ concurrency: 1, queue: 3 });
    const log: string[] = [];
    const [a, b, c, d] = ["a", "b", "c", "d"].map(id => start(admission, id, log));
    assert.equal(admission.queued, 3);
    for (const [request, expected] of [
      [a!, "ab"],
      [b!, "abc"],
      [c!, "abcd"],
    ] as const) {
      request.finish();
      await request.done;
      await new Promise(resolve => setImmediate(resolve));
      assert.equal(log.join(""), expected);
    }
    d!.finish();
    await d!.done;
    const e = start(admission, "e", log);
    assert.equal(log.join(""), "abcde", "the place is free again");
    e.finish();
    await e.done;
  });

  it("passes over a request that ended while it waited", async () => {
    const admission = new Admission({ concurrency: 1, queue: 2 });
    const log: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map(id => start(admission, id, log));
    b!.scope.end({ kind: "cancelled" });
    await b!.done;
    a!.finish();
    c!.finish();
    await Promise.all([a!.done, c!.done]);
    assert.deepEqual(log, ["a", "c"]);
  });

  it("refuses what is over the queue", async () => {
    const admission = new Admission({ concurrency: 1, queue: 1 });
    const log: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map(id => start(admission, id, log));
    await c!.done;
    assert.deepEqual(c!.scope.failure, {
      kind: "dropped",
      reason: "queue_full",
      message: "the gateway's queue is full",
    });
    a!.finish();
    b!.finish();
    await Promise.all([a!.done, b!.done]);
    assert.deepEqual(log, ["a", "b"]);
  });

  it("gives the place back when the work throws", async () => {
    const admission = new Admission({ concurrency: 1, queue: 1 });
    const scope = scopeOf("a");
    await assert.rejects(
      admission.run(scope, () => Promise.reject(new Error("boom"))),
      /boom/,
    );
    scope.close();
    const log: string[] = [];
    const b = start(admission, "b", log);
    b.finish();
    await b.done;
    assert.deepEqual(log, ["b"]);
  });
});
