import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { fittedEnds, worstInTurn } from "../../bench/samples.ts";

describe("fittedEnds()", () => {
  it("gives the ends of a line as they are", () => {
    assert.deepEqual(fittedEnds([1, 3, 5, 7]), { first: 1, last: 7 });
    assert.deepEqual(fittedEnds([4]), { first: 4, last: 4 });
  });

  it("sees growth through a sawtooth, and none where there is none", () => {
    const saw = Array.from({ length: 1000 }, (_, i) => 100 + (i % 150) / 15);
    const flat = fittedEnds(saw);
    assert.ok(Math.abs(flat.last / flat.first - 1) < 0.02, JSON.stringify(flat));
    const growing = fittedEnds(saw.map((value, i) => value + i / 50));
    assert.ok(growing.last / growing.first - 1 > 0.15, JSON.stringify(growing));
  });
});

describe("worstInTurn()", () => {
  it("is the service time where nobody waits, and adds up where arrivals come faster", () => {
    assert.equal(worstInTurn([0, 10, 20], 10), 10);
    assert.equal(worstInTurn([0, 1, 2, 50], 10), 28);
  });
});
