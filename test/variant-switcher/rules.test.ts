import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BufferPool } from "../../runtime/http/buffer-pool.ts";
import { backoffMs } from "../../variant-switcher/backoff.ts";
import { elementsFromJson, elementsToJson } from "../../variant-switcher/json-elements.ts";
import { planResidency } from "../../variant-switcher/residency.ts";

describe("planResidency()", () => {
  const resident = (variant: string, lastUsedMs: number, memoryMiB = 100) => ({ variant, lastUsedMs, memoryMiB });

  it("gives up what is not wanted first and the most important rung last, never what serves or is about to", () => {
    const residents = [resident("serving", 1), resident("floor", 2), resident("top", 9), resident("old", 3)];
    const plan = (incomingMiB: number) =>
      planResidency({ residents, incomingMiB, budgetMiB: 500, kept: ["serving", "next"], wanted: ["floor", "top"] });
    assert.deepEqual(plan(100), { kind: "fits", evict: [] });
    assert.deepEqual(plan(150), { kind: "fits", evict: ["old"] });
    assert.deepEqual(plan(300), { kind: "fits", evict: ["old", "top"] });
    assert.deepEqual(plan(400), { kind: "fits", evict: ["old", "top", "floor"] });
    assert.deepEqual(plan(401), { kind: "short", availableMiB: 400 });
    const besideBoth = {
      residents: [resident("a", 1), resident("b", 2)],
      incomingMiB: 1,
      budgetMiB: 200,
      kept: ["a", "b"],
      wanted: [],
    };
    assert.deepEqual(planResidency(besideBoth), { kind: "short", availableMiB: 0 });
  });

  it("gives up no more than it must, and keeps to the budget", () => {
    const sizes = fc.array(fc.record({ memoryMiB: fc.nat(500), lastUsedMs: fc.nat(1000) }), { maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.nat(500), fc.nat(2000), (list, incomingMiB, budgetMiB) => {
        const residents = list.map((one, i) => ({ ...one, variant: `v${i}` }));
        const plan = planResidency({ residents, incomingMiB, budgetMiB, kept: ["v0"], wanted: ["v1", "v2"] });
        const evicted = plan.kind === "fits" ? plan.evict : [];
        const left = (gone: readonly string[]) =>
          residents.filter(({ variant }) => !gone.includes(variant)).reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
        assert.ok(!evicted.includes("v0"));
        if (plan.kind === "short") assert.ok((residents[0]?.memoryMiB ?? 0) + incomingMiB > budgetMiB);
        else {
          assert.ok(left(evicted) + incomingMiB <= budgetMiB);
          if (evicted.length > 0) assert.ok(left(evicted.slice(0, -1)) + incomingMiB > budgetMiB);
        }
      }),
    );
  });
});

describe("BufferPool", () => {
  it("gives a buffer again for any size of its step, and for no other", () => {
    const pool = new BufferPool(100_000);
    const buffer = pool.take(50_000);
    assert.equal(buffer.byteLength, 65_536);
    pool.give(buffer);
    assert.notEqual(pool.take(70_000), buffer);
    assert.notEqual(pool.take(100), buffer);
    assert.equal(pool.take(33_000), buffer);
    assert.notEqual(pool.take(33_000), buffer);
  });

  it("keeps nothing that is over its limit, that was given away or that it did not make", () => {
    const pool = new BufferPool(1000);
    for (const buffer of [new ArrayBuffer(8192), new ArrayBuffer(0), new ArrayBuffer(5000)]) pool.give(buffer);
    const made = pool.take(8192);
    pool.give(made);
    assert.notEqual(pool.take(8192), made);
  });

  it("keeps 2 MiB of a step, and two of the largest", () => {
    const pool = new BufferPool(2 ** 30);
    for (const [bytes, kept] of [
      [2 ** 18, 8],
      [50_000_000, 2],
    ] as const) {
      const buffers = Array.from({ length: 12 }, () => pool.take(bytes));
      for (const buffer of buffers) pool.give(buffer);
      assert.equal(buffers.filter(() => buffers.includes(pool.take(bytes))).length, kept);
    }
  });

  it("keeps no more of all steps together than one of the largest, those that were used last", () => {
    const step = 4 * 2 ** 20;
    const pool = new BufferPool(6 * step);
    const sizes = [5, 4, 3, 2].map(steps => steps * step);
    const buffers = sizes.map(bytes => pool.take(bytes));
    for (const buffer of buffers) pool.give(buffer);
    assert.deepEqual(
      buffers.map(buffer => pool.take(buffer.byteLength) === buffer),
      [false, false, true, true],
    );
  });

  it("gives at least what it is asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 27 }), bytes => {
        const { byteLength } = new BufferPool(2 ** 30).take(bytes);
        assert.ok(byteLength >= bytes && byteLength <= Math.max(4096, 2 * bytes));
      }),
      { numRuns: 50 },
    );
  });
});

describe("backoffMs()", () => {
  it("doubles from 0.2 s to 5 s, at least half of it certain", () => {
    assert.deepEqual(
      [1, 2, 3].map(failures => backoffMs(failures, 0)),
      [100, 200, 400],
    );
    assert.equal(backoffMs(50, 0.999_999) <= 5000, true);
    assert.equal(backoffMs(50, 0), 2500);
  });
});

describe("elementsFromJson()", () => {
  it("gives back through elementsToJson() what it was given", () => {
    const cases = [
      ["UINT8", [0, 255]],
      ["INT8", [-128, 127]],
      ["UINT16", [0, 65_535]],
      ["INT16", [-32_768, 32_767]],
      ["UINT32", [0, 4_294_967_295]],
      ["INT32", [-2_147_483_648, 2_147_483_647]],
      ["INT64", [-9_007_199_254_740_991, 9_007_199_254_740_991]],
      ["UINT64", [0, 9_007_199_254_740_991]],
      ["FP32", [0.5, -2]],
      ["FP64", [0.1, 1e300]],
      ["BOOL", [true, false]],
    ] as const;
    for (const [datatype, data] of cases)
      assert.equal(elementsToJson(datatype, elementsFromJson("x", datatype, data, 2)), JSON.stringify(data), datatype);
  });

  it("refuses what the datatype can't hold exactly", () => {
    const cases = [
      ["UINT8", 256],
      ["UINT8", 0.5],
      ["INT8", -129],
      ["INT64", 2 ** 53],
      ["UINT64", -1],
      ["BOOL", 2],
      ["FP16", 1],
      ["FP32", 1e39],
    ] as const;
    for (const [datatype, value] of cases)
      assert.throws(() => elementsFromJson("x", datatype, [value], 1), { code: "invalid_argument" }, datatype);
  });

  it("keeps the digits of 64-bit integers and has null for what is not finite", () => {
    assert.equal(
      elementsToJson("INT64", new Uint8Array(new BigInt64Array([2n ** 62n]).buffer)),
      "[4611686018427387904]",
    );
    assert.equal(elementsToJson("FP32", new Uint8Array(new Float32Array([Number.NaN, 1]).buffer)), "[null,1]");
  });

  it("refuses a shape that the data does not have before it finds memory for it", () => {
    const count = 2 ** 32;
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [[1], /data has 1 elements, its shape says 4294967296/],
      [[[1, 2], [3]], /data has 3 elements/],
      [[1, [2, 3]], /data has 3 elements/],
      [[[]], /data has 0 elements/],
    ];
    for (const [data, message] of cases) assert.throws(() => elementsFromJson("x", "FP32", data, count), message);
    assert.deepEqual([...elementsFromJson("x", "UINT8", [1, [2, 3], [[4]]], 4)], [1, 2, 3, 4]);
  });

  it("refuses data that is nested without end", () => {
    let data: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) data = [data];
    assert.throws(() => elementsFromJson("x", "FP32", data, 1), /nested deeper than 16/);
  });
});
