import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type LoadTableOptions, readLoadTable } from "../../load/load-table.ts";
import { traceOf, type ValueKind } from "../../load/table-trace.ts";

const table = (text: string, options: LoadTableOptions = { column: null }) => readLoadTable(text, "load.csv", options);
const valuesOf = (text: string, column: string | null = null) => table(text, { column }).rows.map(({ value }) => value);

/** Rates by second, and when the first one begins. */
function traceFrom(text: string, kind: ValueKind | null = null, column: string | null = null) {
  const { trace, notes } = traceOf(table(text, { column, isEachLineARequest: kind === "requests" }), kind);
  return { startMs: trace.startMs, rates: [...trace.ratesRps], notes };
}

const sum = (rates: readonly number[]): number =>
  rates.reduce((total, rate) => total + (Number.isNaN(rate) ? 0 : rate), 0);

describe("readLoadTable()", () => {
  const SAME: Readonly<Record<string, string>> = {
    "one rate a line": "10\n20\n",
    "a heading": "rps\n10\n20\n",
    "a heading with a unit": "load (1/s)\n10\n20\n",
    "blanks between, as in one long line": "10 20",
    "a column of times": "t_s,requests\n0,10\n1,20\n",
    "a column of times without heading": "0;10\n1;20\n",
    "times after the values": "rps,time\n10,0\n20,1\n",
    "dates without a heading that says so": "at,rps\n2026-01-31 10:00:00,10\n2026-01-31 10:00:01,20\n",
    "semicolons and tabs": "time;rps\n1;10\n2\t20\n",
    quotes: '"time","rps"\n"2026-01-31, 10:00","10"\n"2026-01-31, 10:01","20"\n',
    comments: "# of the shop\n10\n# night\n20\n",
    "Windows line ends": "rps\r\n10\r\n20\r\n",
    "old line ends": "10\r20\r",
    "a byte order mark before a heading": "\ufeffrps\n10\n20\n",
    "blank lines and blanks around": "\n\n 10 \n  \n\t20\n\n",
    "exponents and signs": "+1e1\n2.0e+1\n",
  };
  for (const [name, text] of Object.entries(SAME))
    it(`takes ${name}`, () => assert.deepEqual(valuesOf(text), [10, 20]));

  it("takes a column by its heading or its number", () => {
    const text = "t_s,rps_raw,rps_div8_floor\n0,54,6\n1,41,5\n";
    assert.deepEqual(valuesOf(text, "rps_raw"), [54, 41]);
    assert.deepEqual(valuesOf(text, "3"), [6, 5]);
    assert.deepEqual(valuesOf("5,6,7\n", "2"), [6]);
  });

  it("takes what says that it is not known as NaN, whatever its words", () => {
    assert.deepEqual(valuesOf("t,rps\n0,NaN\n1,\n2,null\n3,-\n4,n/a\n5,7"), [
      ...new Array<number>(5).fill(Number.NaN),
      7,
    ]);
  });

  const WRONG: Readonly<Record<string, readonly [text: string, message: RegExp, column?: string]>> = {
    "a negative rate": ["10\n-1\n", /load\.csv, line 2: `-1` is not a rate; write a number of at least 0/],
    "a negative rate in the first line": ["-1\n10\n", /line 1: `-1` is not a rate/],
    infinity: ["10\nInfinity\n", /line 2: `Infinity`/],
    "infinity in the first line": ["inf\n1", /line 1: `inf`/],
    "a number that is too large": ["10\n1e999\n", /line 2: `1e999`/],
    "hexadecimal digits": ["10\n0x1F\n", /line 2: `0x1F`/],
    "a unit": ["10 rps\n", /line 1: `10 rps`/],
    "text between": ["10\n\nabc\n", /line 3: `abc`/],
    "a second heading": ["time,rps\nhh:mm,1/s\n08:00,10\n", /line 2: `1\/s`/],
    "a line with another number of columns": ["10\n20,\n", /line 2: there are 2 columns where the first line has 1/],
    "decimal commas": ["time;rps\n0;1,5\n", /line 2: there are 3 columns .* decimals with a point/],
    "a file that is empty": ["", /load\.csv has no line with a rate: write one rate a line/],
    "comments alone": ["# rps\n", /has no line with a rate/],
    "a file of another kind": ["\u0000\u0001PNG\n\u0002\u0003\n", /line 1: /],
    "several columns that may be it": [
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n",
      /line 1: the rate may be in column `ContextTokens`, `GeneratedTokens`: say which one with --column/,
    ],
    "several columns without a heading": ["0,1,2\n", /may be in column 2, 3: say which/],
    "a column that is not there": ["t,rps\n0,1\n", /no column `rate`; it has `t`, `rps`: name one of them/, "rate"],
    "a column number that is not there": ["0,1\n", /no column `3`; it has 2 columns and no heading/, "3"],
  };
  for (const [name, [text, message, column]] of Object.entries(WRONG))
    it(`refuses ${name}`, () =>
      assert.throws(() => valuesOf(text, column ?? null), { code: "invalid_argument", message }));

  it("shows of a long cell no more than its begin", () => {
    assert.throws(
      () => valuesOf(`1\n${"x".repeat(5000)}`),
      ({ message }: Error) => message.length < 200,
    );
  });
});

describe("traceOf()", () => {
  it("takes rows without times as a second each", () => {
    assert.deepEqual(traceFrom("1\n2\n\n3\n").rates, [1, 2, 3]);
    assert.deepEqual(traceFrom("rps\n1\nNaN\n3\n").rates, [1, Number.NaN, 3]);
  });

  it("leaves seconds that no row counts missing, never zero", () => {
    const { rates, startMs, notes } = traceFrom("t_s,requests\n10,1\n11,2\n15,3\n16,0\n");
    assert.deepEqual([startMs, rates], [10_000, [1, 2, Number.NaN, Number.NaN, Number.NaN, 3, 0]]);
    assert.deepEqual(notes, ["3 of 7 seconds are missing"]);
  });

  it("sorts what is out of order, keeps the first of equal times, and says so", () => {
    const { rates, notes } = traceFrom("t_s,rps\n2,3\n0,1\n1,2\n1,9\n3,4\n");
    assert.deepEqual(rates, [1, 2, 3, 4]);
    assert.deepEqual(notes, [
      "1 lines are out of order: sorted by time",
      "1 lines have the time of another one: the first of each counts",
    ]);
  });

  it("puts rows of a timer that jitters into a second each", () => {
    const times = [0, 1.04, 1.97, 3.05, 3.98, 5.0];
    assert.deepEqual(traceFrom(`time,rps\n${times.map((t, i) => `${t},${i}`).join("\n")}`).rates, [0, 1, 2, 3, 4, 5]);
  });

  const NOON = Date.UTC(2026, 0, 31, 12);
  const TIMES: Readonly<Record<string, readonly [first: string, second: string, heading?: string]>> = {
    "ISO 8601": ["2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"],
    "a zone": ["2026-01-31T14:00:00+02:00", "2026-01-31 14:00:01 +0200"],
    "no zone, as UTC": ["2026-01-31 12:00:00", "2026-01-31 12:00:01"],
    "fractions of seven digits": ["2026-01-31 12:00:00.0000001", "2026-01-31 12:00:01.0000000"],
    "seconds since 1970": [String(NOON / 1000), String(NOON / 1000 + 1)],
    "milliseconds since 1970": [String(NOON), String(NOON + 1000)],
    "microseconds since 1970": [`${NOON}000`, `${NOON + 1000}000`],
    "nanoseconds since 1970": [`${NOON}000000`, `${NOON + 1000}000000`],
  };
  for (const [name, [first, second]] of Object.entries(TIMES))
    it(`reads times in ${name}`, () => {
      const { startMs, rates } = traceFrom(`time,rps\n${first},5\n${second},6`);
      assert.deepEqual([startMs, rates], [NOON, [5, 6]]);
    });

  it("reads times of day over midnight, and numbers in the unit of their heading", () => {
    assert.deepEqual(traceFrom("time,rps\n23:59:59,5\n00:00:00,6").rates, [5, 6]);
    assert.deepEqual(traceFrom("time_ms,rps\n1000,5\n2000,6").rates, [5, 6]);
    assert.equal(traceFrom("minute,rps\n0,5\n1,6").rates.length, 120);
    assert.equal(traceFrom("hour,rps\n0,5\n1,6").rates.length, 7200);
  });

  it("scatters what several seconds had over them: sums stay, and it is the same each time", () => {
    const text = "minute,requests\n0,600\n1,1200\n3,60\n";
    const { rates, notes } = traceFrom(text);
    assert.deepEqual(traceFrom(text).rates, rates);
    assert.deepEqual([sum(rates.slice(0, 60)), sum(rates.slice(60, 120)), sum(rates.slice(180))], [600, 1200, 60]);
    assert.ok(rates.slice(120, 180).every(Number.isNaN) && new Set(rates.slice(0, 60)).size > 5);
    assert.ok(notes.includes("a value every 60 s: requests are scattered over their seconds at random"));
    assert.equal(sum(traceFrom("minute,rps\n0,10\n1,20\n").rates), 60 * 10 + 60 * 20);
  });

  it("adds up the parts of a second", () => {
    assert.deepEqual(traceFrom("t,count\n0,1\n0.5,2\n1,3\n1.5,4\n", "counts").rates, [3, 7]);
  });

  it("takes the steps of a counter, and nothing around a reset", () => {
    const { rates, notes } = traceFrom("t,http_requests_total\n0,100\n1,105\n2,111\n3,2\n4,5\n");
    assert.deepEqual(rates, [5, 6, Number.NaN, 3]);
    assert.ok(notes.some(note => /reset 1 times/.test(note)));
    assert.deepEqual(traceFrom("100\n105\n3\n4", "counter").rates, [5, Number.NaN, 1]);
  });

  it("counts lines that are a request each, with true zeros between", () => {
    const text =
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:46.9,1,1\n2023-11-16 18:15:50.9951690,396,109\n";
    const { rates, startMs } = traceFrom(text, "requests");
    assert.deepEqual([rates, startMs], [[2, 0, 0, 0, 1], Date.UTC(2023, 10, 16, 18, 15, 46)]);
  });

  const WRONG: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
    "what is no time": ["time,rps\n0,1\nsoon,2\n", /load\.csv, line 3: `soon` is not a time; write it as 2026/],
    "a day that there is not": ["time,rps\n2026-02-30,1\n", /line 2: `2026-02-30` is not a time/],
    "a rate beyond reach": ["10\n2e7\n", /line 2: 20000000 requests a second are more than the 10000000/],
    "a file that spans years": [
      "time,rps\n0,1\n1,1\n20000000,2\n",
      /line 4: the file spans more than 120 days.* correct its time/,
    ],
    "values of a minute that may be both": [
      "minute,load\n0,1\n1,2\n",
      /a value every 60 s, and the heading `load` does not say of what: add --values/,
    ],
    "nothing but unknown values": ["NaN\n", /no second is known/],
  };
  for (const [name, [text, message]] of Object.entries(WRONG))
    it(`refuses ${name}`, () => assert.throws(() => traceFrom(text), { code: "invalid_argument", message }));

  it("gives rates that can be, or says what is wrong, whatever the file holds", () => {
    const cell = fc.oneof(
      fc.nat().map(String),
      fc.double().map(String),
      fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
      fc.constantFrom("", "rps", "time", "minute", "x_total", "count", "NaN", "a,3", "\t", '"', "12:00", "#", "1e999"),
    );
    const line = fc.array(cell, { minLength: 1, maxLength: 3 }).map(cells => cells.join(","));
    const file = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(line, { maxLength: 12 }).map(lines => lines.join("\n")),
    );
    const kind = fc.constantFrom<ValueKind | null>(null, "rates", "counts", "counter", "requests");
    fc.assert(
      fc.property(file, kind, fc.constantFrom(null, "1", "2"), (text, valueKind, column) => {
        try {
          const { rates } = traceFrom(text, valueKind, column);
          assert.ok(rates.length > 0 && rates.every(rate => Number.isNaN(rate) || (rate >= 0 && rate <= 1e7)), text);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "invalid_argument", String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
