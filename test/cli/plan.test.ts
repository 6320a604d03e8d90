import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { decisionOfPlan, fetchDecision } from "../../cli/plan/decision.ts";
import { formatDecision } from "../../cli/plan/format-decision.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import { packageFolder } from "../../runtime/version.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { writeLargePipeline } from "./support/large-pipeline.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

function variscale(...args: string[]) {
  return spawnSync(process.execPath, [join(packageFolder, "dist/cli/main.js"), ...args], { encoding: "utf8" });
}

describe("variscale plan", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let pipeline: string;

  beforeEach(() => {
    folder = new TestFolder();
    pipeline = join(folder.path, "tiny");
    mkdirSync(pipeline);
    writeTinyPipeline(pipeline);
  });
  afterEach(() => folder.delete());

  it("prints a plan as JSON with the fields that are promised, and 0 where it is feasible", () => {
    const { status, stdout } = variscale("plan", pipeline, "--rps", "5", "--output", "json");
    assert.equal(status, 0);
    const plan = JSON.parse(stdout);
    assert.ok(planSchema.safeParse(plan).success);
    const promised =
      "feasible stages accuracy effectiveAccuracy cores latencyMs objective optimal gap reasons binding runnerUp";
    for (const field of promised.split(" ")) assert.ok(field in plan, field);
    assert.deepEqual(Object.keys(plan.stages[0]), ["stage", "parts", "cores", "latencyMs"]);
    assert.deepEqual(Object.keys(plan.stages[0].parts[0]), ["variant", "batch", "replicas", "share"]);
  });

  it("shows no accuracy of variants that have none, as they count as always right", () => {
    const file = join(pipeline, "pipeline.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/"accuracy": [\d.]+,/g, ""));
    const { stdout } = variscale("plan", pipeline, "--rps", "5");
    assert.match(stdout, /^accuracy not measured, in time \d/m);
    assert.doesNotMatch(stdout, /accuracy (?:100|[+−±])/);
    assert.equal(
      JSON.parse(variscale("plan", pipeline, "--rps", "5", "--output", "json").stdout).isAccuracyKnown,
      false,
    );
    const picture = join(folder.path, "plans.html");
    variscale("plan", pipeline, "--rps", "5", "--picture", picture);
    assert.match(readFileSync(picture, "utf8"), /accuracy not measured/);
    // One stage that is not known is enough.
    writeFileSync(file, text.replace(/"accuracy": [\d.]+,/, ""));
    const pins = ["--pin", "first=light", "--pin", "second=light"];
    assert.match(variscale("plan", pipeline, "--rps", "5", ...pins).stdout, /accuracy not measured/);
    const heavy = ["--pin", "first=heavy", "--pin", "second=light"];
    assert.match(variscale("plan", pipeline, "--rps", "5", ...heavy).stdout, /^accuracy 76\.0 %, right and in time/m);
  });

  it("takes its own plan for what is served now, says what changes and what more would cost", () => {
    const file = join(folder.path, "plan.json");
    const pinned = ["--pin", "first=light", "--pin", "second=light", "--output", "json"];
    writeFileSync(file, variscale("plan", pipeline, "--rps", "5", ...pinned).stdout);
    const { status, stdout } = variscale("plan", pipeline, "--rps", "5", "--current", file);
    assert.equal(status, 0);
    assert.match(stdout, /proven best/);
    assert.match(stdout, /- first: light × 1 → heavy × \d/);
    assert.match(stdout, /- 1 point more of accuracy: /);
    assert.match(stdout, /runner-up: /);
    const explained = variscale("explain", file, "--pipeline", pipeline);
    assert.equal(explained.status, 0, explained.stderr);
    assert.match(explained.stdout, /an operator, or a switcher's admin endpoint, has pinned something/);
    assert.match(explained.stdout, /made with the policy default:\n- first pinned to light\n- second pinned to light/);
    assert.match(explained.stdout, /1 point more of accuracy: not to be had/);
    const { given: _, ...bare } = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify(bare));
    const unknown = variscale("explain", file, "--pipeline", pipeline);
    assert.match(unknown.stdout, /not known: the policy, pins, limits/);
    assert.match(unknown.stdout, /1 point more of accuracy: accuracy \+\d/);
  });

  it("ends by the time limit that it is given, with a plan and how far that may be from the best", () => {
    const file = writeLargePipeline(folder.path, { variants: 16, sloMs: 500 });
    const args = ["plan", file, "--rps", "60", "--time-limit", "1"];
    const { status, stdout, stderr } = variscale(...args, "--output", "json");
    assert.equal(status, 0, stderr);
    const plan = JSON.parse(stdout);
    assert.ok(planSchema.safeParse(plan).success);
    assert.equal(plan.optimal, false);
    assert.ok(plan.gap > 0);
    assert.deepEqual(plan.reasons, ["unproven"]);
    assert.match(variscale(...args).stdout, /at most [\d.]+ below the best/);
    for (const wrong of ["0", "-5", "soon"]) {
      const refused = variscale("plan", file, "--rps", "60", "--time-limit", wrong);
      assert.equal(refused.status, 2);
      assert.match(refused.stderr, /--time-limit/);
    }
  });

  it("explains a plan with the policy and the limits that it was made with", () => {
    const file = join(folder.path, "plan.json");
    const limits = ["--max-cores", "2", "--exclude", "second=heavy", "--policy", "fa2Low"];
    writeFileSync(file, variscale("plan", pipeline, "--rps", "5", ...limits, "--output", "json").stdout);
    const { stdout } = variscale("explain", file, "--pipeline", pipeline);
    assert.match(stdout, /made with the policy fa2Low:\n- second without heavy\n- 2 cores at most/);
    // The lightest variants are given: no accuracy can be bought.
    assert.match(stdout, /1 point more of accuracy: not to be had/);
  });

  it("plans no variant below the floor of a stage, unless it is pinned", () => {
    const findVariant = (...args: string[]): string => {
      const { stdout } = variscale("plan", pipeline, "--rps", "5", "--policy", "fa2Low", ...args, "--output", "json");
      return JSON.parse(stdout).stages[1].parts[0].variant;
    };
    const floor = ["--set", "spec.serving.floor={second: heavy}"];
    assert.deepEqual([findVariant(), findVariant(...floor)], ["light", "heavy"]);
    assert.equal(findVariant(...floor, "--pin", "second=light"), "light");
  });

  it("splits the rows of a stage over two variants where that is better", () => {
    const { stdout } = variscale("plan", pipeline, "--rps", "400", "--split", "second", "--output", "json");
    const plan = JSON.parse(stdout);
    const shares = plan.stages[1].parts.map(({ share }: { share: number }) => share);
    assert.equal(shares.length, 2);
    assert.equal(shares[0] + shares[1], 1);
  });

  it("refuses what is asked for in vain, and says what it needs", () => {
    const refused = (...more: string[]) => variscale("plan", pipeline, "--rps", "5", ...more);
    for (const [args, expected] of [
      [["--vote", "second"], /--vote second: needs 3 variants with a profile and an accuracy, and `second` has 2/],
      [["--vote", "second=2"], /must be a number from 0 to 1/],
      [["--vote", "second="], /must be a number from 0 to 1/],
      [["--vote", "second=0.5=1"], /must be a number from 0 to 1/],
      [["--vote", "second", "--split", "second"], /`second` is split already; leave one out/],
      [["--split", "second", "--pin", "second=light"], /--split second: the stage is pinned by --pin second=light/],
      [["--split", "second", "--policy", "rim"], /the policy rim does not choose variants and replicas/],
      [["--pin", "first=light", "--pin", "first=heavy"], /--pin first=heavy: the stage is pinned to `light` already/],
      [["--pin", "first=light", "--exclude", "first=light"], /--pin first=light: the variant is excluded as well/],
      [["--exclude", "first=light", "--exclude", "first=heavy"], /leaves no variant of stage `first`/],
      [["--picture", "front.png"], /--picture front.png: must end with .svg or .html/],
    ] as const) {
      const { status, stderr } = refused(...args);
      assert.match(stderr, expected);
      assert.equal(status, 2, stderr);
    }
  });

  it("lets variants vote under the policy cocktail where the pipeline file says that a stage gives classes", () => {
    const path = join(pipeline, "pipeline.yaml");
    const file = JSON.parse(readFileSync(path, "utf8"));
    const [first] = file.spec.stages;
    const { profile, ...light } = first.variants[0];
    first.variants = [0.8, 0.79, 0.78].map((accuracy, i) => ({ ...light, profile, name: `v${i}`, accuracy }));
    first.defaultVariant = "v0";
    first.votes = { correlation: 0 };
    file.spec.mode = "shadow";
    writeFileSync(path, JSON.stringify(file));
    const planned = (...more: string[]) => {
      const { stdout } = variscale(
        "plan",
        pipeline,
        "--rps",
        "5",
        "--min-accuracy",
        "0.8",
        "--output",
        "json",
        ...more,
      );
      const { stages, given } = JSON.parse(stdout);
      return [stages[0].parts.length, given.combine];
    };
    assert.deepEqual(planned("--policy", "cocktail"), [3, { first: { kind: "vote", correlation: 0 } }]);
    assert.deepEqual(planned("--policy", "cocktail", "--vote", "first=0.9"), [
      1,
      { first: { kind: "vote", correlation: 0.9 } },
    ]);
    assert.deepEqual(planned("--policy", "infaas"), [1, {}]);
  });

  it("says all of what serves a stage before and after, where variants serve it together", () => {
    const file = join(folder.path, "plan.json");
    const split = ["--rps", "400", "--split", "second"];
    writeFileSync(file, variscale("plan", pipeline, ...split, "--output", "json").stdout);
    const { stdout } = variscale("plan", pipeline, "--rps", "400", "--pin", "second=light", "--current", file);
    assert.match(
      stdout,
      /- second: \d+\.\d % by heavy × \d(, batch \d)? \+ \d+\.\d % by light × \d(, batch \d)? → light × \d/,
    );
    const where = variscale("plan", pipeline, "--rps", "5", "--picture", join(folder.path, "none", "front.svg"));
    assert.match(where.stderr, /--picture .*front\.svg: there is no folder .*none/);
    assert.equal(where.stdout, "");
  });

  it("ends with 3 and the least bad plan where no plan meets every constraint", () => {
    const { status, stdout } = variscale("plan", pipeline, "--rps", "100000");
    assert.equal(status, 3);
    assert.match(stdout, /NOT FEASIBLE at 1e\+5 rps|NOT FEASIBLE at 100000 rps/);
    assert.match(stdout, /rps are shed/);
  });

  it("draws accuracy against cost, in one file that needs no other", () => {
    for (const name of ["front.svg", "front.html"]) {
      const file = join(folder.path, name);
      assert.equal(variscale("plan", pipeline, "--rps", "150", "--picture", file).status, 0);
      const text = readFileSync(file, "utf8");
      assert.match(text, /<circle class="plan"/);
      assert.ok((text.match(/<circle class="front"/g) ?? []).length >= 2);
      assert.doesNotMatch(text, /(?:src|href)=|NaN|@import/);
      assert.equal(text.startsWith(name.endsWith("svg") ? "<svg" : "<!doctype html>"), true);
    }
  });
});

describe("variscale explain --url", function () {
  this.timeout(300_000);

  it("explains the newest decision of a scaler, or the one that is named", async () => {
    const running = await RunningScaler.start();
    const url = running.url("");
    const access = { url, token: null };
    try {
      await assert.rejects(fetchDecision({ ...access, pipeline: null, decisionId: null }), /has no decision yet/);
      await running.planFor(50);
      const first = running.board?.decisionId ?? "";
      await running.planFor(400);
      const newest = await fetchDecision({ ...access, pipeline: null, decisionId: null });
      assert.equal(newest.decisionId, running.board?.decisionId);
      assert.deepEqual(newest.plan.stages, running.board?.plan?.stages);
      assert.equal(newest.before !== null, true);
      assert.equal(newest.given?.policy, "default");
      assert.deepEqual(
        Object.keys(newest.given?.bounds ?? {}),
        newest.plan.stages.map(({ stage }) => stage),
      );
      const named = await fetchDecision({ ...access, url: `${url}/`, pipeline: "shop/cards", decisionId: first });
      assert.equal(named.decisionId, first);
      assert.match(formatDecision(newest, null), /^decision d-\S+ of shop\/cards, .*\n[\s\S]*replicas:\n- detect: /);
      assert.match(
        formatDecision(newest, null),
        /\nnow:\n(- .*\n)*- rungs of detect: .*light \((top and )?floor\) \d+ rows? a batch\n/,
      );
      await assert.rejects(
        fetchDecision({ ...access, pipeline: "shop/other", decisionId: null }),
        /unknown pipeline `other`/,
      );
      await assert.rejects(
        fetchDecision({ ...access, pipeline: "a/b/c", decisionId: null }),
        /must be namespace\/name/,
      );
      await assert.rejects(fetchDecision({ ...access, pipeline: null, decisionId: "d-0" }), /has no decision `d-0`/);
      await assert.rejects(
        fetchDecision({ ...access, url: running.url("/metrics"), pipeline: "x/y", decisionId: null }),
        /there is nothing at/,
      );
    } finally {
      await running.close();
    }
    await assert.rejects(fetchDecision({ ...access, pipeline: "shop/cards", decisionId: null }), /does not answer/);
  });

  it("explains a plan that nothing else is known of", () => {
    const plan = planSchema.parse(
      JSON.parse(variscale("plan", join(packageFolder, "pipelines/id-card"), "--rps", "2", "--output", "json").stdout),
    );
    assert.match(formatDecision(decisionOfPlan({ plan, given: null }), null), /^stage +variant/);
  });
});
