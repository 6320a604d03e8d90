import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { createFigure, createPlanningFigures } from "../../../bench/ladder/simulated.ts";

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

describe("the figures of planning in simulations", () => {
  const cells = [
    { name: "video/onOff", morePoints: 5.1, coresSavedPercent: 20 },
    { name: "video/flash", morePoints: -0.1, coresSavedPercent: 6 },
  ];

  it("are means over all cells, each of which is told", () => {
    const [cores, points] = createPlanningFigures(cells, []);
    assert.deepEqual([cores?.name, cores?.value, cores?.holds], ["ladder.simulated.coresSaved", 13, true]);
    assert.deepEqual(cores?.against, { "video/onOff": 20, "video/flash": 6 });
    assert.deepEqual([points?.name, points?.value, points?.holds], ["ladder.simulated.morePoints", 2.5, true]);
  });

  it("do not count where a load is missing", () => {
    assert.deepEqual(
      createPlanningFigures(cells, ["azureCode"]).map(({ holds }) => holds),
      [false, false],
    );
  });
});
