import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { parseAnswer } from "../../scaler/prometheus-answer.ts";
import { success } from "./support/fake-prometheus.ts";

const series = (values: unknown, metric: unknown = {}) => success("matrix", [{ metric, values }]);

describe("parseAnswer()", () => {
  it("reads matrices, vectors and scalars, and what is not finite as such", () => {
    const values = [
      [1700000000.123, "5"],
      [1700000001, "NaN"],
      [1700000002, "+Inf"],
      [1700000003, "-Inf"],
      [1700000004, "1e3"],
    ];
    assert.deepEqual(parseAnswer(series(values, { b: "2", a: '"' })), {
      series: [
        {
          labels: '{a="\\"",b="2"}',
          points: [
            { atMs: 1700000000123, value: 5 },
            { atMs: 1700000001000, value: Number.NaN },
            { atMs: 1700000002000, value: Number.POSITIVE_INFINITY },
            { atMs: 1700000003000, value: Number.NEGATIVE_INFINITY },
            { atMs: 1700000004000, value: 1000 },
          ],
        },
      ],
      warnings: [],
    });
    assert.deepEqual(parseAnswer(success("vector", [{ metric: {}, value: [1, "2"] }])).series[0]?.points, [
      { atMs: 1000, value: 2 },
    ]);
    assert.deepEqual(parseAnswer(success("scalar", [1, "2"], ["careful"])), {
      series: [{ labels: "{}", points: [{ atMs: 1000, value: 2 }] }],
      warnings: ["careful"],
    });
  });

  it("passes on what Prometheus says of an error, in one line of bounded length", () => {
    const error = JSON.stringify({ status: "error", errorType: "bad_data", error: `parse\nerror${"x".repeat(1000)}` });
    assert.throws(
      () => parseAnswer(error),
      (thrown: Error) => {
        assert.match(thrown.message, /^bad_data: parse error/);
        return thrown.message.length < 330;
      },
    );
  });

  it("names what is wrong", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["<html>", /is not JSON/],
      ["[]", /is no object/],
      ['{"status":"fine"}', /neither success nor error/],
      ['{"status":"success"}', /no `data`/],
      [success("string", [1, "x"]), /a string is no result that has rates/],
      [success("matrix", {}), /`result` is no list/],
      [success("matrix", [7]), /series is no object/],
      [success("matrix", [{ values: [] }]), /no `metric`/],
      [series(undefined), /only series of plain numbers/],
      [series([[1]]), /no pair/],
      [series([["1", "1"]]), /time of a point is no number/],
      [series([[1, 1]]), /value of a point is no text/],
      [
        series([
          [2, "1"],
          [1, "1"],
        ]),
        /not in the order/,
      ],
      [success("matrix", new Array(10_001).fill({})), /10001 series, more than 10000/],
    ];
    for (const [text, message] of cases) assert.throws(() => parseAnswer(text), { code: "unavailable", message });
  });

  it("takes any JSON, and throws nothing but a VariscaleError", () => {
    const anything = fc.oneof(fc.json(), fc.string());
    const nearly = fc
      .record({ resultType: fc.constantFrom("matrix", "vector", "scalar", "x"), result: fc.jsonValue() })
      .map(({ resultType, result }) => success(resultType, result));
    const nearer = fc
      .array(fc.record({ metric: fc.jsonValue(), values: fc.array(fc.tuple(fc.jsonValue(), fc.jsonValue())) }))
      .map(result => success("matrix", result));
    fc.assert(
      fc.property(fc.oneof(anything, nearly, nearer), text => {
        try {
          for (const { labels, points } of parseAnswer(text).series) {
            assert.equal(typeof labels, "string");
            for (const { atMs, value } of points) assert.ok(Number.isFinite(atMs) && typeof value === "number");
          }
        } catch (error) {
          assert.ok(error instanceof VariscaleError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
