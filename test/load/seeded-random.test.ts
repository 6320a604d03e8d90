import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";

const take = (seed: number, count: number): number[] => Array.from({ length: count }, seededRandom(seed));

describe("seededRandom()", () => {
  it("gives the numbers of mulberry32, on every machine", () => {
    assert.deepEqual(
      take(1, 3).map(value => value * 2 ** 32),
      [2693262067, 11749833, 2265367787],
    );
  });

  it("stays in [0, 1), whatever the seed", () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double()), seed => take(seed, 50).every(value => value >= 0 && value < 1)),
    );
  });

  it("is uniform: tenths are equally frequent", () => {
    const counts = new Array<number>(10).fill(0);
    for (const value of take(3, 100_000)) counts[Math.floor(value * 10)]! += 1;
    for (const count of counts) assert.ok(Math.abs(count - 10_000) < 400, counts.join(" "));
  });
});
