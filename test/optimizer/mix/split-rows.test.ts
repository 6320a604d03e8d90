import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { readShare, splitRows } from "../../../optimizer/mix/split-rows.ts";

describe("splitRows()", () => {
  it("gives all rows to the heaviest that carries them alone, and to the lightest what it carries of too many", () => {
    const split = (rungRps: readonly number[], replicas: number, rowsRps: number) => {
      const whole = splitRows(rungRps, replicas, rowsRps);
      return { shares: rungRps.map((_, rung) => readShare(whole, rung)), served: whole.served };
    };
    assert.deepEqual(split([20, 80], 1, 20), { shares: [1, 0], served: 1 });
    assert.deepEqual(split([20, 80], 1, 0), { shares: [1, 0], served: 1 });
    assert.deepEqual(split([20, 80], 1, 80), { shares: [0, 1], served: 1 });
    assert.deepEqual(split([20, 80], 1, 160), { shares: [0, 1], served: 0.5 });
    assert.deepEqual(split([10, 40], 2, 160), { shares: [0, 1], served: 0.5 });
  });

  it("mixes the two next to the rate so that they use all their time", () => {
    const rates = fc.uniqueArray(fc.double({ min: 0.01, max: 1e5, noNaN: true }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1, noNaN: true }), (unsorted, place) => {
        const carried = unsorted.toSorted((a, b) => a - b);
        const [least, most] = [carried[0]!, carried.at(-1)!];
        const rowsRps = least + place * (most - least);
        const split = splitRows(carried, 1, rowsRps);
        const { served } = split;
        const shares = carried.map((_, rung) => readShare(split, rung));
        assert.equal(served, 1);
        const busy = shares.reduce((sum, share, at) => sum + (share * rowsRps) / carried[at]!, 0);
        assert.ok(Math.abs(busy - 1) < 1e-6, `${busy} of the time`);
        assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
        const used = shares.flatMap((share, at) => (share > 1e-9 ? [at] : []));
        assert.ok(used.length <= 2 && (used.at(-1) ?? 0) - (used[0] ?? 0) <= 1, JSON.stringify(shares));
      }),
    );
  });
});
