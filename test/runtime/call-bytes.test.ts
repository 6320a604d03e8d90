import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { CallBytes } from "../../runtime/call-bytes.ts";
import { makeHttp2Frame } from "./http/http2-frame.ts";

const PREFACE = Buffer.alloc(24, 1);
const MOST = 1024 * 1024;

function message(announced: number, sent = announced, flag = 0): Buffer {
  const bytes = Buffer.alloc(5 + sent);
  bytes[0] = flag;
  bytes.writeUInt32BE(announced, 1);
  return bytes;
}

function openMetered(maxBytes = MOST, keepsMessages = true) {
  const budget = new ByteBudget(maxBytes);
  const calls = new CallBytes({ held: budget.hold(), maxMessageBytes: 1000, keepsMessages });
  /** Passes all on; the sizes of the pieces, 0 where there was no room. */
  const receive = (...chunks: readonly Buffer[]): number[] => {
    const pieces: number[] = [];
    for (let rest = Buffer.concat(chunks); rest.length > 0; ) {
      const bytes = calls.receive(rest);
      pieces.push(bytes);
      if (bytes === 0) return pieces;
      rest = rest.subarray(bytes);
    }
    return pieces;
  };
  receive(PREFACE);
  return { budget, calls, receive };
}

describe("CallBytes", () => {
  it("holds what has come of a message that is never whole, not what was announced", () => {
    const { budget, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1, "headers"), makeHttp2Frame(0, 0, 1, message(900_000, 1000)));
    assert.ok(budget.usedBytes >= 1005 && budget.usedBytes < 12_000, String(budget.usedBytes));
  });

  it("passes frames of data of a large chunk on by themselves, so that none keeps others in memory", () => {
    const { budget, receive } = openMetered();
    const large = Buffer.alloc(9000);
    assert.deepEqual(
      receive(
        makeHttp2Frame(6, 0, 0, "12345678"),
        makeHttp2Frame(1, 4, 1),
        makeHttp2Frame(0, 0, 1, large),
        makeHttp2Frame(0, 0, 1, "d"),
      ),
      [17 + 9 + 9, 9000, 9 + 1],
    );
    const before = budget.usedBytes;
    receive(makeHttp2Frame(0, 0, 1, "e"), makeHttp2Frame(6, 0, 0, "12345678"));
    assert.equal(budget.usedBytes - before, 1 + 10 + 17, "a small chunk counts whole for what it has of a message");
  });

  it("counts a KiB for the objects that hold a piece of a message, beside its bytes", () => {
    const { budget, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(900_000, 9000)));
    assert.equal(budget.usedBytes, 8192 + 9005 + 1024);
  });

  it("lets a call go when both sides have ended it, or one has reset it", () => {
    for (const end of [
      [() => makeHttp2Frame(0, 1, 1), () => makeHttp2Frame(1, 5, 1)],
      [() => Buffer.alloc(0), () => makeHttp2Frame(3, 0, 1, "0000")],
      [() => makeHttp2Frame(3, 0, 1, "0000"), () => Buffer.alloc(0)],
    ] as const) {
      const { budget, calls, receive } = openMetered();
      receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(10)));
      assert.ok(budget.usedBytes > 0);
      receive(end[0]());
      calls.send(end[1]());
      assert.equal(budget.usedBytes, 0);
      assert.equal(calls.openCalls, 0);
    }
  });

  it("holds an answered call until its client ends it, as its message is in memory for so long", () => {
    const { budget, calls, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(1000, 500)));
    const held = budget.usedBytes;
    calls.send(makeHttp2Frame(1, 5, 1));
    assert.equal(budget.usedBytes, held);
    receive(makeHttp2Frame(0, 0, 1, Buffer.alloc(400)));
    assert.equal(budget.usedBytes, held, "what comes behind the answer is thrown away");
    assert.equal(calls.isLate(performance.now() + 11_000, 70_000, 10_000), true);
  });

  it("lets the messages of a stream go once they are whole, and holds what has come of the next one", () => {
    const { budget, calls, receive } = openMetered(MOST, false);
    receive(makeHttp2Frame(1, 4, 1));
    for (let i = 0; i < 1000; i++) receive(makeHttp2Frame(0, 0, 1, message(900)));
    assert.equal(budget.usedBytes, 8192);
    receive(makeHttp2Frame(0, 0, 1, Buffer.concat([message(900), message(900, 800)])));
    assert.ok(budget.usedBytes > 8192 + 800);
    assert.equal(calls.unfinishedBytes, budget.usedBytes - 8192);
  });

  it("counts a whole message as unfinished until its client has ended the call, which may be never", () => {
    const { budget, calls, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(900)));
    assert.equal(calls.unfinishedBytes, budget.usedBytes - 8192);
    assert.ok(calls.unfinishedBytes > 900);
    receive(makeHttp2Frame(0, 1, 1));
    assert.equal(calls.unfinishedBytes, 0);
  });

  it("refuses a compressed message where none is kept: what becomes of it could not be held", () => {
    const { calls, receive } = openMetered(MOST, false);
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(10, 10, 1)));
    assert.equal(calls.isRefused, true);
  });

  it("holds the headers of a call, in however many frames they come, and refuses more than 16 KiB", () => {
    const { budget, calls, receive } = openMetered();
    receive(makeHttp2Frame(1, 0, 1, Buffer.alloc(10_000)), makeHttp2Frame(9, 0, 1, Buffer.alloc(6000)));
    assert.equal(budget.usedBytes, 8192 + 16_000);
    assert.equal(calls.isRefused, false);
    receive(makeHttp2Frame(9, 4, 1, Buffer.alloc(385)));
    assert.equal(calls.isRefused, true);
    const reset = openMetered();
    reset.receive(makeHttp2Frame(1, 4, 1, Buffer.alloc(10_000)), makeHttp2Frame(3, 0, 1, "0000"));
    assert.equal(reset.budget.usedBytes, 0);
  });

  it("counts a compressed message as the most that it may become", () => {
    const { budget, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1));
    const before = budget.usedBytes;
    receive(makeHttp2Frame(0, 0, 1, message(10, 10, 1)));
    assert.ok(budget.usedBytes - before >= 1000, String(budget.usedBytes - before));
  });

  it("has no room for more than the budget, and takes it up where it stood once there is some", () => {
    const { budget, calls, receive } = openMetered(20_000);
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, message(9000)));
    const held = budget.usedBytes;
    const more = makeHttp2Frame(0, 0, 3, message(9000));
    assert.deepEqual(receive(makeHttp2Frame(1, 4, 3), more).at(-1), 0);
    assert.ok(budget.usedBytes <= 20_000);
    assert.equal(budget.usedBytes >= held, true);
    calls.send(makeHttp2Frame(3, 0, 1, "0000"));
    assert.equal(calls.receive(more.subarray(9)), 9005);
  });

  it("refuses a frame of many messages", () => {
    const { calls, receive } = openMetered();
    receive(makeHttp2Frame(1, 4, 1), makeHttp2Frame(0, 0, 1, Buffer.alloc(5 * 64)));
    assert.equal(calls.isRefused, false);
    receive(makeHttp2Frame(0, 0, 1, Buffer.alloc(5 * 65)));
    assert.equal(calls.isRefused, true);
  });

  it("counts the same however bytes come in pieces, holds no more than a share of them, and gives all back", () => {
    const oneFrame = fc.record({
      type: fc.constantFrom(0, 0, 0, 1, 3, 6, 8, 9),
      flags: fc.constantFrom(0, 1, 4, 5, 8),
      streamId: fc.constantFrom(0, 1, 3, 5),
      payload: fc.uint8Array({ maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(oneFrame, { maxLength: 40 }), fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
        const all = Buffer.concat(frames.map(f => makeHttp2Frame(f.type, f.flags, f.streamId, Buffer.from(f.payload))));
        const whole = openMetered();
        whole.receive(all);
        const cut = openMetered();
        let from = 0;
        let pieces = 0;
        for (const size of cuts) {
          pieces += cut.receive(all.subarray(from, from + size)).length;
          from = Math.min(all.length, from + size);
        }
        pieces += cut.receive(all.subarray(from)).length;
        assert.equal(cut.calls.openCalls, whole.calls.openCalls);
        // Each step passes something on: a frame's header, a frame's data, or the end of what has come.
        assert.ok(pieces <= 2 * frames.length + cuts.length + 2, `${pieces} steps`);
        const most = 3 * (8192 + 1000 * frames.length) + 1032 * all.length + 1000 * pieces;
        assert.ok(cut.budget.usedBytes <= most);
        cut.calls.release();
        assert.equal(cut.budget.usedBytes, 0);
      }),
    );
  });
});
