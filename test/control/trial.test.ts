import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { givenSchema } from "../../cli/plan/given-schema.ts";
import { leftCombinations, mostAccuracies, rememberedEvidence } from "../../control/accuracy-drift.ts";
import type { AccuracyEstimate } from "../../domain/accuracy-estimate.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { givenText } from "../../explanation/given-text.ts";
import { storedControlSchema } from "../../scaler/stored-control.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

type Shares = Readonly<Record<string, number>>;

const MEASURED: Shares = { heavy: 0.95, middle: 0.9, light: 0.8 };
const REVERSED: Shares = { heavy: 0.3, middle: 0.5, light: 0.75 };
const LADDER = { heavy: [60, 0.95], middle: [25, 0.9], light: [8, 0.8] } as const;

function pipeline(trials = true): Pipeline {
  const plain = pipelineFixture([{ name: "read", ladder: LADDER }]);
  const combinations = Object.entries(MEASURED).map(([read, accuracy]) => ({ variants: { read }, accuracy }));
  return { ...plain, accuracy: { ...plain.accuracy, combinations, trials } };
}

const seen = (read: string, requests: number, share: number): AccuracyEstimate => ({
  variants: { read },
  requests,
  right: requests * share,
  labels: 0,
  correction: 0,
});

const byVariant = (
  all: readonly { readonly variants: Shares | Readonly<Record<string, string>>; readonly accuracy: number }[],
) => Object.fromEntries(all.map(({ variants, accuracy }) => [String(variants["read"]), accuracy]));

/** Ten answers a second of what is served, estimated as right as `truth` says; gives the seconds with a trial. */
function play(story: Story, seconds: number, truth: Shares, rateRps: number | ((i: number) => number) = 4) {
  const tried: { atMs: number; read: string | undefined }[] = [];
  for (let i = 0; i < seconds; i++) {
    story.run(1, typeof rateRps === "number" ? rateRps : rateRps(i), () => {
      const answered = [...new Set(story.served("read"))].map(read => seen(read, 10, truth[read] ?? 0));
      story.input = { ...story.input, answered };
    });
    const { trial } = story.board;
    if (trial) tried.push({ atMs: story.nowMs, read: trial.configuration["read"]?.parts[0]?.variant });
  }
  return tried;
}

describe("mostAccuracies()", () => {
  it("is above what is estimated, most where nothing was seen, and never above 1", () => {
    const most = byVariant(mostAccuracies(pipeline(), [seen("heavy", 2000, 0.3)]));
    assert.ok((most["light"] ?? 0) > 0.3 && (most["middle"] ?? 0) > (most["light"] ?? 1), JSON.stringify(most));
    assert.ok((most["heavy"] ?? 1) < 0.4);
    const tried = byVariant(mostAccuracies(pipeline(), [seen("heavy", 2000, 0.3), seen("light", 400, 0.1)]));
    assert.ok((tried["light"] ?? 1) < 0.25, JSON.stringify(tried));
    const sure = mostAccuracies(pipeline(), [seen("heavy", 5, 1)]);
    assert.ok(sure.every(({ accuracy }) => accuracy <= 1));
    assert.deepEqual(mostAccuracies(pipeline(), []), []);
  });
});

describe("rememberedEvidence()", () => {
  it("keeps what was known of what no longer serves for longer than evidence, and gives way to what is seen", () => {
    const first = rememberedEvidence([], [seen("heavy", 400, 0.3)], 0);
    const later = rememberedEvidence(first, [seen("heavy", 100, 0.3), seen("light", 50, 0.8)], 900_000);
    assert.deepEqual(byVariant(later.map(one => ({ ...one, accuracy: one.requests }))), { heavy: 200, light: 50 });
    const served = rememberedEvidence(later, [seen("heavy", 300, 0.9)], 0);
    assert.ok(served.some(({ variants, right }) => variants["read"] === "heavy" && right === 270));
    assert.deepEqual(rememberedEvidence(first, [], 1e9), []);
  });
});

describe("leftCombinations()", () => {
  it("are those that are remembered, and are not seen as well now", () => {
    const remembered = [seen("heavy", 400, 0.3), seen("light", 100, 0.8)];
    const left = leftCombinations(pipeline(), [seen("heavy", 50, 0.3), seen("light", 100, 0.8)], remembered);
    assert.deepEqual(
      left.map(({ variants, measured }) => [variants["read"], measured]),
      [["heavy", 0.95]],
    );
    assert.ok((left[0]?.accuracy ?? 1) < 0.5);
  });
});

describe("trials under a drift", () => {
  it("find the variant that is really better within minutes, and the plan stays with it", () => {
    const story = new Story(pipeline());
    assert.deepEqual(play(story, 300, MEASURED), [], "nothing is tried without a drift");
    assert.equal(story.goal("read"), "heavy");
    play(story, 900, REVERSED);
    assert.equal(story.goal("read"), "light");
    let away = 0;
    for (let i = 0; i < 60; i++) {
      play(story, 60, REVERSED);
      if (story.goal("read") !== "light") away++;
    }
    assert.equal(away, 0, "an hour later it has not fled back");
    assert.equal(story.condition("AccuracyDrifted")?.status, true);
  });

  it("are told with the decision, in words, in the state and as reasons", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    const { trial, reasons, given, decisionId, planAtMs } = story.board;
    assert.ok(trial && reasons.includes("trial"));
    assert.equal(planAtMs, story.nowMs);
    assert.ok(decisionId !== null);
    assert.deepEqual(given?.trial?.variants, { read: "middle" });
    for (const { top, floor, rungs } of story.stage("read").assignments.values()) {
      assert.deepEqual([top, floor], ["middle", "middle"], "no other one may serve");
      assert.ok(rungs.length > 1, "the others stay in memory");
    }
    assert.deepEqual(givenSchema.parse(JSON.parse(JSON.stringify(given))).trial, given?.trial);
    assert.match(
      givenText(given ?? assert.fail()).lines.join("\n"),
      /a trial until .*: middle may be right in up to \d+/,
    );
    assert.ok(trial.mostAccuracy > trial.plannedAccuracy && trial.accuracy < trial.mostAccuracy);
    assert.deepEqual(storedControlSchema.parse(JSON.parse(JSON.stringify(story.state))).trial, trial);
  });

  it("take at most a tenth of the time, where they find nothing better", () => {
    const story = new Story(pipeline());
    play(story, 300, MEASURED);
    const tried = play(story, 3600, { heavy: 0.6, middle: 0.5, light: 0.4 });
    assert.equal(story.goal("read"), "heavy");
    assert.ok(tried.length > 20 && tried.length <= 360 + 30, `${tried.length} s`);
    for (const { atMs } of tried)
      assert.ok(tried.filter(other => other.atMs > atMs - 300_000 && other.atMs <= atMs).length <= 31);
  });

  it("are not made where the file does not ask for them, nor in shadow mode", () => {
    for (const story of [new Story(pipeline(false)), new Story(pipeline())]) {
      if (story.pipeline.accuracy.trials) story.input = { mode: "shadow" };
      play(story, 60, MEASURED);
      assert.deepEqual(play(story, 900, REVERSED), []);
    }
  });

  it("are not made for what is too little to be a drift, also where another variant may be better", () => {
    const alike = { heavy: 0.95, middle: 0.945, light: 0.8 };
    const plain = pipeline();
    const combinations = Object.entries(alike).map(([read, accuracy]) => ({ variants: { read }, accuracy }));
    const story = new Story({ ...plain, accuracy: { ...plain.accuracy, combinations } });
    play(story, 300, alike);
    assert.equal(story.goal("read"), "heavy");
    assert.deepEqual(play(story, 900, { heavy: 0.915, middle: 0.94, light: 0.8 }), []);
    assert.equal(story.condition("AccuracyDrifted")?.status, false);
    const most = byVariant(mostAccuracies(story.pipeline, story.state.remembered));
    assert.ok((most["middle"] ?? 0) > (story.board.plan?.accuracy ?? 1) + 0.005, JSON.stringify(most));
  });

  it("leave pins of operators alone, and end where one is set", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    story.input = { ...story.input, pins: [{ stage: "read", variant: "heavy", batch: null, replicas: null }] };
    assert.deepEqual(play(story, 600, REVERSED), []);
    story.input = { ...story.input, pins: [] };
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    assert.ok(story.board.trial);
    story.input = { ...story.input, pins: [{ stage: "read", variant: "heavy", batch: null, replicas: null }] };
    play(story, 1, REVERSED);
    assert.equal(story.board.trial, null);
  });

  it("are not made while the load rises, and end where it does", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    assert.deepEqual(
      play(story, 600, REVERSED, i => 4 * 1.01 ** i),
      [],
    );
    const steady = new Story(pipeline());
    play(steady, 60, MEASURED);
    let i = 0;
    while (!steady.board.trial && i++ < 300) play(steady, 1, REVERSED);
    assert.ok(steady.board.trial);
    const forecast = { ...certain(4, steady.nowMs + 1000), reactiveRps: 4.2, riseRps: 2 };
    steady.input = { ...steady.input, forecast };
    steady.run(1, 4);
    assert.equal(steady.board.trial, null);
  });

  it("try nothing that takes long to load", () => {
    const story = new Story(pipeline());
    const stages = story.pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant =>
        variant.name !== "middle" || !variant.profile
          ? variant
          : { ...variant, profile: { ...variant.profile, loadMs: 60_000 } },
      ),
    }));
    // Served by one variant, so that the others are not in memory.
    story.pipeline = { ...story.pipeline, stages, serving: { ...story.pipeline.serving, rule: "fixed" } };
    play(story, 60, MEASURED);
    const tried = play(story, 900, REVERSED);
    assert.ok(tried.length > 0, "a trial began");
    assert.ok(
      tried.every(({ read }) => read === "light" || read === "heavy"),
      "middle would have to be loaded",
    );
  });

  it("try nothing that the replicas that are there can't carry", () => {
    const story = new Story({ ...pipeline(), serving: { ...pipeline().serving, rule: "fixed" } });
    story.input = { bounds: { read: { min: 1, max: 1 } } };
    play(story, 300, MEASURED, 60);
    assert.equal(story.goal("read"), "light");
    assert.deepEqual(play(story, 900, { ...REVERSED, light: 0.3 }, 60), []);
    assert.equal(story.condition("AccuracyDrifted")?.status, true);
  });

  /** What is tried in five minutes of one replica where so many may be most accurate, and are too slow for it. */
  const triedBeside = (slow: number, rateRps: number) => {
    const names = Array.from({ length: slow }, (_, i) => `slow-${i}`);
    const plain = pipelineFixture([{ name: "read", ladder: { ...LADDER, slow: [300, 0.97] } }]);
    const stages = plain.stages.map(stage => ({
      ...stage,
      variants: stage.variants.flatMap(own => (own.name === "slow" ? names.map(name => ({ ...own, name })) : [own])),
    }));
    const measured = { ...MEASURED, ...Object.fromEntries(names.map(name => [name, 0.97])) };
    const combinations = Object.entries(measured).map(([read, accuracy]) => ({ variants: { read }, accuracy }));
    const story = new Story({ ...plain, stages, accuracy: { ...plain.accuracy, combinations, trials: true } });
    story.input = { bounds: { read: { min: 1, max: 1 } } };
    play(story, 60, MEASURED, rateRps);
    assert.equal(story.goal("read"), "heavy");
    return play(story, 300, REVERSED, rateRps).map(({ read }) => read ?? "");
  };

  it("are not kept from what the replicas carry by many that they don't", () => {
    // At 4 rps too slow for one replica, at 3 rps too late.
    for (const rateRps of [4, 3]) {
      const tried = triedBeside(30, rateRps);
      assert.ok(tried.length > 0 && tried.every(read => read in LADDER), `${tried.length} s`);
    }
  });

  it("are looked for by 200 optimisations at most", () => {
    assert.ok(triedBeside(190, 3).length > 0);
    assert.deepEqual(triedBeside(210, 3), []);
  });

  it("end where rows wait for long", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    assert.ok(story.board.trial);
    const { latencyMs } = story.pipeline.slo;
    story.report("read", { queueAgeMs: 0.3 * latencyMs });
    play(story, 1, REVERSED);
    assert.ok(story.board.trial);
    story.report("read", { queueAgeMs: 0.5 * latencyMs });
    play(story, 1, REVERSED);
    assert.equal(story.board.trial, null);
  });

  it("end where what is tried is another model now", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    const tried = story.board.trial?.configuration["read"]?.parts[0]?.variant;
    assert.ok(tried);
    const stages = story.pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant =>
        variant.name === tried ? { ...variant, sha256: "1".repeat(64) } : variant,
      ),
    }));
    story.pipeline = { ...story.pipeline, stages };
    play(story, 1, REVERSED);
    assert.equal(story.board.trial, null);
  });

  it("end where a replica is gone", () => {
    const story = new Story(pipeline(), { podsAtStart: 2 });
    story.input = { bounds: { read: { min: 2, max: 2 } } };
    play(story, 60, MEASURED);
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    assert.ok(story.board.trial);
    story.kill("read");
    play(story, 1, REVERSED);
    assert.equal(story.board.trial, null);
  });

  it("pause twice as long after each one that the replicas did not carry, until one lasts or the drift is over", () => {
    const story = new Story(pipeline());
    play(story, 300, MEASURED);
    const worse = { heavy: 0.6, middle: 0.5, light: 0.4 };
    /** Seconds from the start of each trial to that of the next. */
    const pauses = (trials: number, isCarried: boolean): number[] => {
      const begun: number[] = [];
      for (let i = 0; (begun.length < trials || story.board.trial) && i < 20_000; i++) {
        play(story, 1, worse);
        const { trial } = story.board;
        if (trial?.sinceMs === story.nowMs) begun.push(story.nowMs / 1000);
        story.report("read", { queueAgeMs: trial && !isCarried ? 1000 : 0 });
      }
      return begun.slice(1).map((atS, i) => atS - (begun[i] ?? 0));
    };
    const longer = pauses(6, false);
    for (const [i, least] of [600, 1200, 2400, 3600, 3600].entries())
      assert.ok((longer[i] ?? 0) >= least && (longer[i] ?? 0) < least + 60, longer.join());
    assert.equal(storedControlSchema.parse(JSON.parse(JSON.stringify(story.state))).trialFailures, 6);
    const after = pauses(3, true);
    assert.ok(after.length === 2 && after.every(pause => pause < 360), after.join());
    assert.equal(story.state.trialFailures, 0);
    pauses(2, false);
    assert.equal(story.state.trialFailures, 2);
    play(story, 3600, MEASURED);
    assert.equal(story.condition("AccuracyDrifted")?.status, false);
    assert.equal(story.state.trialFailures, 0);
  });

  it("try nothing that is not installed, and end where a file is gone", () => {
    const story = new Story(pipeline(), { missing: { read: ["light"] } });
    play(story, 60, MEASURED);
    const tried = play(story, 600, REVERSED).map(({ read }) => read);
    assert.deepEqual([...new Set(tried)], ["middle"]);
    const gone = new Story(pipeline());
    play(gone, 60, MEASURED);
    let i = 0;
    while (!gone.board.trial && i++ < 300) play(gone, 1, REVERSED);
    gone.missing = { read: [gone.board.trial?.configuration["read"]?.parts[0]?.variant ?? assert.fail()] };
    play(gone, 1, REVERSED);
    assert.equal(gone.board.trial, null);
  });

  it("find the heavy variant again once the drift is over", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    play(story, 1200, REVERSED);
    assert.equal(story.goal("read"), "light");
    play(story, 3 * 3600, MEASURED);
    assert.equal(story.goal("read"), "heavy");
    assert.equal(story.condition("AccuracyDrifted")?.status, false);
  });

  it("survive a clock that is set back", () => {
    const story = new Story(pipeline());
    play(story, 60, MEASURED);
    let i = 0;
    while (!story.board.trial && i++ < 300) play(story, 1, REVERSED);
    story.jump(-3_600_000);
    const tried = play(story, 120, REVERSED);
    assert.ok(tried.length < 31, `${tried.length}`);
  });
});
