import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { arrivalsOf, demoShape, levelAt, shapeFromCsv } from "../../../cli/demo/load-shape.ts";

const csv = (text: string) => shapeFromCsv(text, 40_000, "load.csv");

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

describe("shapeFromCsv()", () => {
  it("takes one rate a line as shares of the highest, in quarters", () => {
    const shape = csv("10\n20\n5");
    assert.deepEqual(shape.levels, [0.5, 1, 0.25]);
    assert.equal(shape.durationMs, 40_000);
    assert.deepEqual(shape.phases[1], { name: "quarter 2", fromMs: 10_000, toMs: 20_000 });
  });

  const SAME: Readonly<Record<string, string>> = {
    "a heading": "rps\n10\n20\n",
    "several columns": "time,rps\n08:00,10\n09:00,20\n",
    "semicolons and tabs": "time;rps\na;10\nb\t20\n",
    "Windows line ends": "rps\r\n10\r\n20\r\n",
    "old line ends": "10\r20\r",
    "a byte order mark": "\ufeff10\n20\n",
    "a byte order mark before a heading": "\ufeffrps\n10\n20\n",
    "blank lines": "\n\n10\n  \n20\n\n",
    "blanks around": " 10 \n\t20\n",
    exponents: "1e1\n2.0e+1\n",
    "huge rates": "1e307\n2e307",
    "tiny rates": "1e-300\n2e-300",
  };
  for (const [name, text] of Object.entries(SAME)) {
    it(`takes ${name}`, () => assert.deepEqual(csv(text).levels, [0.5, 1]));
  }

  it("takes zeros in between, and a month of seconds", () => {
    assert.deepEqual(csv("0\n4\n0").levels, [0, 1, 0]);
    assert.equal(csv("1\n".repeat(2_600_000)).levels.length, 2_600_000);
  });

  const WRONG: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
    "a negative rate": ["10\n-1\n", /load\.csv, line 2: `-1` is not a rate; write a number of at least 0/],
    "a negative rate in the first line": ["-1\n10\n", /line 1: `-1` is not a rate/],
    NaN: ["10\nNaN\n", /line 2: `NaN`/],
    "NaN in the first line": ["NaN\n10\n", /line 1: `NaN`/],
    infinity: ["10\nInfinity\n", /line 2: `Infinity`/],
    "infinity in the first line": ["inf\n1", /line 1: `inf`/],
    "a number that is too large": ["10\n1e999\n", /line 2: `1e999`/],
    "a unit": ["10 rps\n", /line 1: `10 rps`/],
    "text between": ["10\n\nabc\n", /line 3: `abc`/],
    "a second heading": ["time,rps\nhh:mm,1/s\n08:00,10\n", /line 2: `1\/s`/],
    "an empty last column": ["10\n20,\n", /line 2: `` is not a rate/],
    "a file that is empty": ["", /load\.csv has no rate above 0: write one rate a line/],
    "a heading alone": ["rps\n", /no rate above 0/],
    "zeros alone": ["0\n0\n", /no rate above 0/],
    "a file of another kind": ["\u0000\u0001PNG\n\u0002\u0003\n", /line 2: /],
  };
  for (const [name, [text, message]] of Object.entries(WRONG)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => csv(text), { code: "invalid_argument", message });
    });
  }

  it("gives levels from 0 to 1 or says what is wrong, whatever the file holds", () => {
    const cell = fc.oneof(fc.double().map(String), fc.nat().map(String), fc.constantFrom("", "rps", "a,3", "\t"));
    const file = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(cell).map(lines => lines.join("\n")),
    );
    fc.assert(
      fc.property(file, text => {
        try {
          const { levels } = csv(text);
          assert.ok(levels.every(level => level >= 0 && level <= 1) && levels.includes(1));
        } catch (error) {
          assert.equal((error as { code?: string }).code, "invalid_argument");
        }
      }),
    );
  });
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
