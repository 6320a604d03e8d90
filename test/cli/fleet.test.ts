import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Plan } from "../../domain/plan.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { writeLargePipeline } from "./support/large-pipeline.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

interface FleetJson {
  readonly feasible: boolean;
  readonly optimal: boolean;
  readonly objective: number;
  readonly gap: number;
  readonly cores: number;
  readonly servedShare: number;
  readonly prices: { readonly core: number };
  readonly plans: readonly (Plan & { readonly pipeline: { readonly name: string } })[];
}

describe("variscale fleet", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let members: readonly [string, string];

  function fleet(...args: string[]) {
    const main = join(packageFolder, "dist/cli/main.js");
    return spawnSync(process.execPath, [main, "fleet", ...args], { encoding: "utf8" });
  }

  beforeEach(() => {
    folder = new TestFolder();
    const paths = ["one", "two"].map(name => {
      const path = join(folder.path, name);
      mkdirSync(path);
      writeTinyPipeline(path);
      const file = join(path, "pipeline.yaml");
      writeFileSync(file, readFileSync(file, "utf8").replace('"tiny"', `"${name}"`));
      return path;
    });
    members = [`${paths[0]}=60`, `${paths[1]}=90`];
  });
  afterEach(() => folder.delete());

  it("shares no stages that differ", () => {
    const [path] = members[1].split("=");
    const file = join(path!, "pipeline.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"max": 4', '"max": 5'));
    const { status, stderr } = fleet(...members, "--share", "second");
    assert.equal(status, 2, stderr);
    assert.match(stderr, /--share second: replicas must be the same in all files; `two` has 1 to 5, `one` has 1 to 4/);
  });

  it("plans for all as for each alone where there is enough", () => {
    const { status, stdout, stderr } = fleet(...members, "--output", "json");
    assert.equal(status, 0, stderr);
    const found: FleetJson = JSON.parse(stdout);
    assert.deepEqual(
      found.plans.map(plan => plan.pipeline.name),
      ["one", "two"],
    );
    for (const plan of found.plans) assert.ok(planSchema.safeParse(plan).success);
    assert.equal(found.prices.core, 0);
    assert.equal(found.cores, found.plans[0]!.cores + found.plans[1]!.cores);
  });

  it("keeps what they share, says what more is worth, and serves the same share of all loads where it is too little", () => {
    const free: FleetJson = JSON.parse(fleet(...members, "--output", "json").stdout);
    const tight: FleetJson = JSON.parse(
      fleet(...members, "--max-cores", String(free.cores - 1), "--output", "json").stdout,
    );
    assert.ok(tight.cores <= free.cores - 1 && tight.feasible, JSON.stringify(tight));
    assert.ok(tight.prices.core > 0);
    const short = fleet(members[0], members[1].replace("=90", "=400"), "--max-cores", "4");
    assert.equal(short.status, 3);
    assert.match(short.stdout, /NOT ENOUGH for all: \d/);
    assert.match(short.stdout, /NOT FEASIBLE at 400 rps, \d+(\.\d+)? rps are shed/);
    assert.match(short.stdout, /== one\n.*== two\n.*together: /s);
    assert.equal(fleet(...members, "--node", "64,65536").status, 0);
    assert.equal(fleet(...members, "--node", "0.5,65536,100").status, 3);
  });

  it("plans for a stage that the pipelines share, whose replicas serve the rows of both and count once", () => {
    const apart: FleetJson = JSON.parse(fleet(...members, "--output", "json").stdout);
    const { status, stdout, stderr } = fleet(...members, "--share", "second", "--output", "json");
    assert.equal(status, 0, stderr);
    const found: FleetJson = JSON.parse(stdout);
    for (const plan of found.plans) assert.ok(planSchema.safeParse(plan).success);
    const [one, two] = found.plans.map(plan => plan.stages.find(({ stage }) => stage === "second"));
    assert.ok(one && two);
    assert.deepEqual(one.parts, two.parts);
    assert.equal(found.cores, found.plans[0]!.cores + found.plans[1]!.cores - one.cores);
    assert.ok(found.cores <= apart.cores, `${found.cores} against ${apart.cores}`);
    assert.match(fleet(...members, "--share", "second").stdout, /== one\n.*== two\n.*`second` counted once: /s);
    const most = String(found.cores - 1);
    const tight: FleetJson = JSON.parse(
      fleet(...members, "--share", "second", "--max-cores", most, "--output", "json").stdout,
    );
    assert.ok(tight.feasible && tight.cores <= found.cores - 1, JSON.stringify(tight));
    const short = fleet(members[0], members[1].replace("=90", "=100000"), "--share", "second");
    assert.equal(short.status, 3);
    assert.match(short.stdout, /NOT ENOUGH for all: \d/);
  });

  it("ends by a time limit, and says how far its plans may be from the best", () => {
    const large = `${writeLargePipeline(folder.path, { variants: 8, sloMs: 600 })}=40`;
    const whole: FleetJson = JSON.parse(fleet(large, members[0], "--output", "json").stdout);
    assert.deepEqual([whole.feasible, whole.optimal, whole.gap], [true, true, 0]);
    const limited = fleet(large, members[0], "--time-limit", "1", "--output", "json");
    assert.equal(limited.status, 0, limited.stderr);
    const found: FleetJson = JSON.parse(limited.stdout);
    assert.ok(!found.optimal && found.gap > 0 && found.objective <= whole.objective, JSON.stringify(found));
    assert.ok(found.objective + found.gap >= whole.objective - 1e-9, `${found.objective} + ${found.gap}`);
    assert.match(fleet(large, "--time-limit", "1").stdout, /together: .*, at most [\d.]+ below the best/);
    const refused = fleet(...members, "--time-limit", "soon");
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /--time-limit/);
  });

  it("ends by it where a stage is shared, too", () => {
    const shared = [...members, "--share", "second", "--output", "json"];
    const whole: FleetJson = JSON.parse(fleet(...shared).stdout);
    const found: FleetJson = JSON.parse(fleet(...shared, "--time-limit", "1").stdout);
    assert.ok(found.objective + found.gap >= whole.objective - 1e-9, `${found.objective} + ${found.gap}`);
    assert.equal(found.optimal, found.gap === 0);
  });

  it("says what is wrong with its arguments", () => {
    for (const [args, message] of [
      [[members[0], members[0]], /the pipeline `one` is named twice/],
      [[members[0].replace("=60", "")], /must be PIPELINE=RPS, such as/],
      [[`${members[0]}x`], /must be PIPELINE=RPS/],
      [[members[0], "--node", "4"], /--node 4: must be CORES,MIB or CORES,MIB,COUNT/],
      [[members[0], "--node", "4,1,1.5"], /must be CORES,MIB/],
      [[...members, "--share", "third"], /--share third: two pipelines or more must have a stage of this name/],
      [["./nowhere=4"], /nowhere can.t be read/],
    ] as const) {
      const { status, stderr } = fleet(...args);
      assert.ok(status === 1 || status === 2, stderr);
      assert.match(stderr, message);
    }
  });
});
