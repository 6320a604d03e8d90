import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { batchFitOf } from "../../profiler/batch-fit.ts";
import { neverFalling } from "../../profiler/never-falling.ts";

const fitOf = (times: Readonly<Record<number, number>>) => {
  const points = Object.entries(times).map(([batch, latencyMs]) => ({ batch: Number(batch), latencyMs }));
  return batchFitOf(points, neverFalling(points.map(({ latencyMs }) => latencyMs)));
};
const near = (value: number | undefined, expected: number) =>
  assert.ok(Math.abs((value ?? Number.NaN) - expected) < 1e-9, `${value}, not ${expected}`);

describe("batchFitOf()", () => {
  it("finds the line that there is", () => {
    const fit = fitOf({ 1: 3, 2: 4, 4: 6 });
    near(fit?.fixedMs, 2);
    near(fit?.rowMs, 1);
    near(fit?.largestResidual, 0);
    near(fit?.isotonicResidual, 0);
  });

  it("weighs small batches as much as large ones, and says how far it is off at worst", () => {
    const fit = fitOf({ 1: 1, 2: 2.2, 16: 16 });
    const line = (batch: number) => (fit?.fixedMs ?? 0) + (fit?.rowMs ?? 0) * batch;
    near(
      fit?.largestResidual,
      Math.max(Math.abs(line(1) - 1), Math.abs(line(2) / 2.2 - 1), Math.abs(line(16) / 16 - 1)),
    );
    assert.ok((fit?.largestResidual ?? 0) > 0.04 && (fit?.largestResidual ?? 1) < 0.1);
    const off = (a: number, b: number) =>
      (a + b - 1) ** 2 + ((a + 2 * b) / 2.2 - 1) ** 2 + ((a + 16 * b) / 16 - 1) ** 2;
    const [a, b] = [fit?.fixedMs ?? 0, fit?.rowMs ?? 0];
    for (const step of [-0.01, 0.01]) assert.ok(off(a, b) < off(a + step, b) && off(a, b) < off(a, b + step));
  });

  it("says how far the never-falling times are off", () => {
    near(fitOf({ 1: 18, 2: 15 })?.isotonicResidual, 0.1);
  });

  it("has a part below 0 where rows take longer in larger batches, and no line for one batch size", () => {
    assert.ok((fitOf({ 1: 16.3, 2: 42.9, 4: 92.7 })?.fixedMs ?? 0) < 0);
    assert.equal(fitOf({ 1: 5 }), undefined);
  });
});
