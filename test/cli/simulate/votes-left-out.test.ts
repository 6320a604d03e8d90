import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { votesLeftOut } from "../../../cli/simulate/votes-left-out.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

describe("votesLeftOut()", () => {
  const plain = twoStages();
  const votes = { correlation: 0, measured: [] };
  const voting = {
    ...plain,
    stages: plain.stages.map(stage => (stage.name === "read" ? { ...stage, votes } : stage)),
  };

  it("names the stages that would vote, and the policies that let them", () => {
    assert.match(
      votesLeftOut(voting, ["default", "cocktail"]) ?? "",
      /^votes are not simulated: under cocktail one variant serves read,/,
    );
    const objective = { ...voting.objective, policy: "cocktail" as const };
    assert.match(votesLeftOut({ ...voting, objective }, null) ?? "", /under cocktail/);
  });

  it("says nothing where nothing votes", () => {
    assert.equal(votesLeftOut(voting, null), null);
    assert.equal(votesLeftOut(voting, ["default", "ipa"]), null);
    assert.equal(votesLeftOut(plain, ["cocktail"]), null);
  });
});
