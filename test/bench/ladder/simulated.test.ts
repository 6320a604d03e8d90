import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { createFigure } from "../../../bench/ladder/simulated.ts";

describe("the figure of simulated loads", () => {
  const cells = [
    { name: "video/onOff", missedPercent: 0.4, clairvoyantPercent: 0.35 },
    { name: "video/flash", missedPercent: 2, clairvoyantPercent: 1.92 },
  ];

  it("is what the product misses more than the clairvoyant, in the worst cell", () => {
    const { value, holds, against } = createFigure(cells, []);
    assert.deepEqual([value, holds, against], [0.08, true, { "video/onOff": 0.05, "video/flash": 0.08 }]);
  });

  it("does not count where a load is missing, which is named", () => {
    const { holds, note } = createFigure(cells, ["azureCode"]);
    assert.equal(holds, false);
    assert.match(note ?? "", /without azureCode$/);
  });
});
