import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { plainCopy } from "../../profiler/plain-copy.ts";

function copied<T>(value: T): T {
  const copy = plainCopy(value);
  assert.ok(copy);
  assert.deepEqual(copy.value, value);
  return copy.value;
}

describe("plainCopy()", () => {
  it("shares nothing with what it copies", () => {
    const value = { lines: [{ at: [1, 2] }], bytes: new Uint8Array([1, 2]), none: null, no: undefined, big: 1n };
    const copy = copied(value);
    copy.lines[0]!.at.push(3);
    copy.bytes[0] = 9;
    assert.deepEqual([value.lines, [...value.bytes]], [[{ at: [1, 2] }], [1, 2]]);
  });

  it("keeps what kind of array it is, and buffers as buffers", () => {
    const floats = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    const { buffer, part } = copied({ buffer: Buffer.from("text"), part: floats });
    assert.equal(buffer.toString(), "text");
    assert.ok(part instanceof Float32Array);
    const sparse = copied(Object.assign(Array(3), { 0: 1, 2: 3, name: "three" }));
    assert.deepEqual([1 in sparse, sparse.length], [false, 3]);
    assert.equal(Object.getPrototypeOf(copied(Object.create(null))), null);
  });

  it("shares within the copy what was shared within the value", () => {
    const line = { text: "a" };
    const ring: { self?: unknown; lines: unknown[] } = { lines: [line, line] };
    ring.self = ring;
    const copy = copied(ring);
    assert.equal(copy.self, copy);
    assert.equal(copy.lines[0], copy.lines[1]);
    const bytes = new Uint8Array(4);
    const views = copied({ all: bytes, end: bytes.subarray(2), same: bytes });
    assert.equal(views.same, views.all);
    views.end[0] = 7;
    assert.deepEqual([...views.all], [0, 0, 7, 0]);
    assert.equal(bytes[2], 0);
  });

  it("keeps what may not be written", () => {
    const copy = copied(Object.defineProperty({ a: 1 }, "a", { writable: false }));
    assert.throws(() => Object.assign(copy, { a: 2 }), TypeError);
  });

  it("is null where a copy may do something else", () => {
    class Own {
      readonly a = 1;
    }
    class OwnArray extends Array {}
    class OwnBytes extends Uint8Array {}
    const others: readonly unknown[] = [
      ...[
        new Own(),
        new OwnArray(),
        new OwnBytes(2),
        new Map(),
        new Set(),
        new Date(0),
        /a/,
        new WeakMap(),
        new Error(),
      ],
      ...[() => 1, Symbol("a"), { [Symbol("a")]: 1 }, Promise.resolve(), new DataView(new ArrayBuffer(1))],
      ...[new Uint8Array(new SharedArrayBuffer(1)), Object.defineProperty({}, "a", { get: () => 1 })],
    ];
    for (const value of others) assert.equal(plainCopy({ deep: [value] }), null, String(value));
  });
});
