import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { arrivalsOf, demoShape, levelAt, shapeFromTable } from "../../../cli/demo/load-shape.ts";
import { readLoadTable } from "../../../load/load-table.ts";

const csv = (text: string) => shapeFromTable(readLoadTable(text, "load.csv", { column: null }), 40_000);

describe("demoShape()", () => {
  it("rises from the low share to the peak and comes back, in phases without gaps", () => {
    const shape = demoShape(20_000, 0.2);
    assert.equal(levelAt(shape, 0), 0.2);
    assert.equal(levelAt(shape, 11_000), 1);
    assert.equal(levelAt(shape, 20_000), 0.2);
    assert.equal(Math.max(...shape.levels), 1);
    assert.equal(Math.min(...shape.levels), 0.2);
    assert.deepEqual(
      shape.phases.map(phase => phase.fromMs),
      [0, ...shape.phases.slice(0, -1).map(phase => phase.toMs)],
    );
    assert.equal(shape.phases.at(-1)?.toMs, 20_000);
    const { fromMs, toMs } = shape.phases.find(phase => phase.name === "peak")!;
    for (let atMs = fromMs + 500; atMs <= toMs - 500; atMs += 100) assert.equal(levelAt(shape, atMs), 1);
  });
});

describe("levelAt()", () => {
  it("is a straight line between the middles of levels, and flat at both ends", () => {
    const shape = { durationMs: 4000, levels: [0.5, 1], phases: [] };
    assert.deepEqual(
      [-1, 0, 1000, 2000, 3000, 4000, 9000].map(atMs => levelAt(shape, atMs)),
      [0.5, 0.5, 0.5, 0.75, 1, 1, 1],
    );
  });
});

describe("shapeFromTable()", () => {
  it("takes one rate a line as shares of the highest, in quarters", () => {
    const shape = csv("10\n20\n5");
    assert.deepEqual(shape.levels, [0.5, 1, 0.25]);
    assert.equal(shape.durationMs, 40_000);
    assert.deepEqual(shape.phases[1], { name: "quarter 2", fromMs: 10_000, toMs: 20_000 });
  });

  it("takes every line as long as the others, whatever its time, and rates of any size", () => {
    assert.deepEqual(csv("time,rps\n08:00,10\n09:00,20\n").levels, [0.5, 1]);
    assert.deepEqual(csv("1e307\n2e307").levels, [0.5, 1]);
    assert.deepEqual(csv("1e-300\n2e-300").levels, [0.5, 1]);
  });

  it("takes zeros in between, and a month of seconds", () => {
    assert.deepEqual(csv("0\n4\n0").levels, [0, 1, 0]);
    assert.equal(csv("1\n".repeat(2_600_000)).levels.length, 2_600_000);
  });

  const WRONG: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
    NaN: ["10\nNaN\n", /load\.csv, line 2: the rate is not known, .*: write a number, or remove the line/],
    "a heading alone": ["rps\n", /load\.csv has no rate above 0: write one rate a line/],
    "zeros alone": ["0\n0\n", /no rate above 0/],
  };
  for (const [name, [text, message]] of Object.entries(WRONG))
    it(`refuses ${name}`, () => assert.throws(() => csv(text), { code: "invalid_argument", message }));
});

describe("arrivalsOf()", () => {
  const shape = demoShape(600_000, 0.25);

  it("is the same for the same seed, and another for another", () => {
    assert.deepEqual(arrivalsOf(shape, 20, 7), arrivalsOf(shape, 20, 7));
    assert.notDeepEqual(arrivalsOf(shape, 20, 7), arrivalsOf(shape, 20, 8));
  });

  it("rises, stays within the run and follows the load's course", () => {
    const arrivals = arrivalsOf(shape, 50, 1);
    assert.ok(arrivals.every((atMs, i) => atMs >= (arrivals[i - 1] ?? 0) && atMs < shape.durationMs));
    const rateIn = (name: string): number => {
      const { fromMs, toMs } = shape.phases.find(phase => phase.name === name)!;
      return (arrivals.filter(atMs => atMs >= fromMs && atMs < toMs).length * 1000) / (toMs - fromMs);
    };
    // Seeded, so these can't vary; the bounds are four standard deviations.
    assert.ok(Math.abs(rateIn("low again") - 12.5) < 1.2, String(rateIn("low again")));
    assert.ok(Math.abs(rateIn("peak") - 50) < 2.6, String(rateIn("peak")));
  });

  it("has none without load", () => {
    assert.deepEqual(arrivalsOf(shape, 0, 1), []);
  });
});
