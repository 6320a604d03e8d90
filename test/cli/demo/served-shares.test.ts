import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { averageShares, formatShares, lighterShare, readServed, workMs } from "../../../cli/demo/served-shares.ts";
import { formatServed } from "../../../gateway/answer.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

const PIPELINE = twoStages();

describe("readServed()", () => {
  it("reads what the gateway writes", () => {
    const rows = (shares: Readonly<Record<string, number>>) => new Map(Object.entries(shares));
    const text = formatServed({ detect: rows({ "a.b-1": 2 }), read: rows({ heavy: 3, "light&middle": 1 }) });
    assert.deepEqual(readServed(text), { detect: { "a.b-1": 1 }, read: { heavy: 0.75, "light&middle": 0.25 } });
    assert.deepEqual(readServed(""), {});
  });
});

describe("shares of several answers", () => {
  const all = averageShares([
    { detect: { light: 1 }, read: { light: 0.5, heavy: 0.5 } },
    { detect: { light: 1 }, read: { light: 1 } },
    { detect: { heavy: 1 } },
  ]);

  it("are means, a stage's over the answers that have it", () => {
    assert.deepEqual(all, { detect: { light: 2 / 3, heavy: 1 / 3 }, read: { light: 0.75, heavy: 0.25 } });
    assert.deepEqual(averageShares([]), {});
  });

  it("have the profiled work of a row, of variants that vote the sum of theirs", () => {
    assert.equal(workMs(PIPELINE, { detect: { light: 0.5, heavy: 0.5 }, read: { "light&middle": 1 } }), 34 + 7);
    for (const shares of [{}, { detect: { unknown: 1 } }]) assert.ok(Number.isNaN(workMs(PIPELINE, shares)));
  });

  it("have the share of lighter variants than the heaviest of the run, on average of the stages", () => {
    assert.equal(lighterShare(PIPELINE, { detect: { light: 1 }, read: { light: 0.25, heavy: 0.75 } }, all), 0.625);
    assert.equal(lighterShare(PIPELINE, { detect: { heavy: 1 }, read: { heavy: 1 } }, all), 0);
    assert.ok(Number.isNaN(lighterShare(PIPELINE, {}, all)));
  });

  it("are text without what hardly served", () => {
    assert.equal(formatShares({ heavy: 0.7, light: 0.26, middle: 0.04 }), "heavy:0.7+light:0.26");
    assert.equal(formatShares({ heavy: 0.97, light: 0.03 }), "heavy");
    assert.equal(formatShares({}), "");
  });
});
