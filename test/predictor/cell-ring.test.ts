import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { CellRing } from "../../predictor/cell-ring.ts";
import { WindowSum } from "../../predictor/window-sum.ts";

/** Cells as a map keeps them: the newest `length` numbers, whatever came. */
class PlainCells {
  readonly rates = new Map<number, number>();
  newest = Number.NEGATIVE_INFINITY;
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  set(cell: number, rateRps: number): void {
    if (cell <= this.newest - this.#length) return;
    this.newest = Math.max(this.newest, cell);
    this.rates.set(cell, rateRps);
    for (const other of this.rates.keys()) if (other <= this.newest - this.#length) this.rates.delete(other);
  }
}

const same = (found: number, wanted: number, what: string, share = 2e-4): void =>
  assert.ok(
    Number.isNaN(wanted) ? Number.isNaN(found) : Math.abs(found - wanted) <= share * (1 + wanted),
    `${what}: ${found}, not ${wanted}`,
  );

describe("CellRing", () => {
  it("keeps the newest cells, in whatever order and with whatever gaps they come", () => {
    const step = fc.record({
      by: fc.oneof(fc.integer({ min: -90, max: 5 }), fc.integer({ min: 1, max: 400 }), fc.constant(1)),
      rateRps: fc.oneof(fc.double({ min: 0, max: 1e4, noNaN: true }), fc.constant(Number.NaN)),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: -1000, max: 1000 }),
        fc.array(step, { maxLength: 400, size: "max" }),
        fc.constantFrom("fine" as const, "coarse" as const),
        (length, start, steps, grain) => {
          const ring = new CellRing(10, length, grain);
          const plain = new PlainCells(length);
          let cell = start;
          for (const { by, rateRps } of steps) {
            cell = Math.max(cell, plain.newest === Number.NEGATIVE_INFINITY ? cell : plain.newest) + by;
            ring.set(cell, rateRps, rateRps + 1);
            plain.set(cell, rateRps);
          }
          assert.equal(ring.newest, plain.newest);
          if (steps.length === 0) return;
          for (let k = plain.newest - length - 3; k <= plain.newest + 3; k++) {
            same(ring.meanAt(k), plain.rates.get(k) ?? Number.NaN, `mean of ${k}`);
            const highest = (plain.rates.get(k) ?? Number.NaN) + 1;
            same(ring.highestAt(k), highest, `highest of ${k}`, grain === "coarse" ? 0.0165 : undefined);
          }
          const known = [...plain.rates.values()].filter(rate => !Number.isNaN(rate));
          const window = new WindowSum();
          window.reset(10 * length);
          ring.collect(window, 10 * (plain.newest - length) + 1, 10 * plain.newest);
          assert.equal(window.result().present, 10 * known.length);
        },
      ),
    );
  });
});
