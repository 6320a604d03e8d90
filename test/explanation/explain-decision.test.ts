import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { givenSchema } from "../../cli/plan/given-schema.ts";
import { RATE_QUANTILES } from "../../domain/load.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import { explainDecision, type MadePlan, problemOfDecision } from "../../explanation/explain-decision.ts";
import { givenText } from "../../explanation/given-text.ts";
import { outcomeText } from "../../explanation/plan-text.ts";
import { atMoreText, priceText } from "../../explanation/price-text.ts";
import { REASON_TEXT } from "../../explanation/reason-text.ts";
import { explain, type Price } from "../../optimizer/explain.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { certain, Story } from "../control/story.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

/** Replicas that share a machine are planned for one rate. */
const SHARED = { limits: { cores: null, machineCores: 64 } };

/** A decision at 20 rps, of which 5 were forecast. */
function decisionAt(riseRps: number) {
  const story = new Story(twoStages());
  story.input = SHARED;
  story.run(12, 5);
  const before = story.board.plan;
  story.input = { ...SHARED, forecast: { ...certain(5, story.nowMs), reactiveRps: 20, riseRps } };
  const { plan, reasons, corrections, given } = story.run(1, 5).board;
  assert.ok(plan && given);
  return { pipeline: story.pipeline, reasons, decision: { plan, corrections, given, before } };
}

/** All prices but that of a replica more, which is of what serves and not of what was planned. */
function pricesOfPlanning(pipeline: Pipeline, decision: MadePlan): readonly Price[] {
  return explainDecision(pipeline, decision).prices.filter(({ of }) => of !== "replica");
}

describe("explainDecision()", () => {
  it("says what serves over the rates that may come, and what a replica more is worth then, also of a decision that went through a file", () => {
    const story = new Story(twoStages()).run(12, 5);
    const rateRps = RATE_QUANTILES.map(level => 5 + 200 * level);
    const intensityRps = [105, 185, 195, 203] as const;
    story.run(30, 5, ({ nowMs }) => {
      story.input = { forecast: { ...certain(5, nowMs), rateRps, intensityRps } };
    });
    const board = story.boards.findLast(({ given }) => given !== null) ?? assert.fail();
    const { plan, corrections } = board;
    assert.ok(plan);
    const given = givenSchema.parse(JSON.parse(JSON.stringify(board.given)));
    assert.deepEqual(planSchema.parse(JSON.parse(JSON.stringify(plan))), plan);
    const { stages } = plan?.mix ?? assert.fail();
    assert.ok(stages.some(({ shares }) => shares.length > 1));
    for (const { shares } of stages) assert.ok(Math.abs(shares.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
    assert.match(outcomeText(plan).join(), /expected over the load that may come: .* % by /);
    const { prices, atMore } = explainDecision(story.pipeline, { plan, corrections, given, before: null });
    const replica = prices.find(({ of }) => of === "replica") ?? assert.fail();
    assert.ok(replica.accuracy > 0 && replica.stage !== undefined);
    assert.match(priceText(replica), /^\d+ cores? more, for a replica of \w+: right answers \+/);
    const rights = atMore.map(({ accuracy, served }) => accuracy * served);
    assert.deepEqual(
      rights.toSorted((a, b) => b - a),
      rights,
    );
    assert.ok(atMore.length > 0 && atMore.every(({ rateRps }) => rateRps > (plan?.rateRps ?? 0)));
    assert.ok(atMoreText(atMore).every(line => / rps .* by /.test(line)));
  });

  it("expects nothing of replicas that serve the planned variants alone, or that share a machine", () => {
    const fixed = { ...twoStages(), serving: { ...twoStages().serving, rule: "fixed" as const } };
    const shared = new Story(twoStages());
    shared.input = SHARED;
    for (const story of [new Story(fixed), shared]) {
      const { plan, corrections, given } = story.run(1, 5).board;
      assert.ok(plan && given && plan.mix === undefined && given.likely === undefined);
      const { prices, atMore } = explainDecision(story.pipeline, { plan, corrections, given, before: null });
      assert.deepEqual(atMore, []);
      assert.ok(prices.every(({ of }) => of !== "replica"));
    }
  });

  it("has the prices of the load that was planned for, without the replicas that are there for a rise", () => {
    const { pipeline, reasons, decision } = decisionAt(40);
    const problem = problemOfDecision(pipeline, decision);
    const best = optimize(problem);
    assert.ok(reasons.includes("rising") && decision.plan.cores > best.cores + 1);
    const prices = pricesOfPlanning(pipeline, decision);
    assert.deepEqual(prices, explain(problem, best).prices);
    const of = (name: string) => prices.find(price => price.of === name) ?? assert.fail(name);
    assert.ok(of("load").cores >= 0 && of("load").replicas >= 0, JSON.stringify(of("load")));
    assert.ok(of("cores").cores < 0 && of("cores").cores > -3, JSON.stringify(of("cores")));
  });

  it("names the rate that there are replicas for, also of a decision that went through a file", () => {
    const { decision } = decisionAt(40);
    const { heading, lines } = givenText(givenSchema.parse(JSON.parse(JSON.stringify(decision.given))));
    assert.match(heading, /:$/);
    assert.match(lines.join(), /replicas.* for the 60 rps that may come/);
  });

  it("has the prices of the load as it is, without the replicas that are there for what may come", () => {
    const story = new Story(twoStages());
    story.input = SHARED;
    story.run(60, 5);
    const before = story.board.plan;
    story.run(40, 5, ({ nowMs }) => {
      story.input = { ...SHARED, forecast: { ...certain(200, nowMs), reactiveRps: 5 } };
    });
    const { plan, corrections, given } = story.boards.findLast(board => board.given !== null) ?? assert.fail();
    assert.ok(plan && given && plan.rateRps < 10 && plan.reasons.includes("ahead"));
    assert.equal(given.risenRps, 200);
    const decision = { plan, corrections, given, before };
    const problem = problemOfDecision(story.pipeline, decision);
    const best = optimize(problem);
    assert.ok(plan.cores > best.cores + 1);
    assert.deepEqual(pricesOfPlanning(story.pipeline, decision), explain(problem, best).prices);
  });

  it("names what is not installed and what gets it, also of a decision that went through a file", () => {
    const story = new Story(twoStages(), { missing: { detect: ["light"], read: ["middle", "light"] } }).run(1, 5);
    const { plan, corrections, given } = story.board;
    const read = givenSchema.parse(JSON.parse(JSON.stringify(given)));
    const [line, ...others] = givenText(read).lines.filter(text => text.includes("variscale models install"));
    assert.match(line ?? "", /no model file of detect\/light, read\/middle, read\/light:/);
    assert.match(line ?? "", /or build the image with `--build-arg MODELS=NAME`$/);
    assert.match(REASON_TEXT.not_installed, /or build the image with `--build-arg MODELS=NAME`$/);
    assert.deepEqual(others, []);
    assert.ok(plan);
    const problem = problemOfDecision(story.pipeline, { plan, corrections, given: read, before: null });
    assert.deepEqual(problem.excluded, { detect: ["light"], read: ["middle", "light"] });
    assert.ok(!("notInstalled" in problem));
  });

  it("names none where there are no replicas for a rise, and reads decisions that do not say", () => {
    const { decision } = decisionAt(0);
    assert.equal(decision.given.risenRps, undefined);
    const { lines } = givenText(givenSchema.parse(JSON.parse(JSON.stringify(decision.given))));
    assert.doesNotMatch(lines.join(), /that may come/);
  });
});
