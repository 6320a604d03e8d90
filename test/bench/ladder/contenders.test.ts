import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { CONDITIONS, createCourse, drawArrivals } from "../../../bench/ladder/conditions.ts";
import {
  chooseWithin,
  countShareWithin,
  createContender,
  listCombinations,
  shortlistFamilies,
} from "../../../bench/ladder/contenders.ts";
import { demoRates } from "../../../cli/demo/demo-rates.ts";
import type { DemoSetting } from "../../../cli/demo/demo-setting.ts";
import { scaleServiceTimes } from "../../../domain/scale-profile.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { pipelineFixture, twoStages } from "../../support/pipeline-fixture.ts";

const contender = (name: string, effectivePercent: number, coreSeconds: number) => ({
  name,
  effectivePercent,
  coreSeconds,
});
const readNames = (contenders: readonly { readonly name: string }[]) => contenders.map(({ name }) => name);

describe("chooseWithin()", () => {
  const product = contender("product", 90, 100);

  it("takes the most accurate ones with at most 5 % more core-seconds than the product, best first", () => {
    const all = [
      contender("dear", 99, 106),
      contender("third", 70, 80),
      contender("first", 95, 105),
      contender("second", 80, 100),
    ];
    assert.deepEqual(readNames(chooseWithin(all, product, 2)), ["first", "second"]);
  });

  it("prefers the cheaper one of two that are as accurate", () => {
    const all = [contender("dearer", 80, 90), contender("cheaper", 80, 60)];
    assert.deepEqual(readNames(chooseWithin(all, product, 1)), ["cheaper"]);
  });

  it("takes the cheapest alone where none fits", () => {
    const all = [contender("a", 99, 300), contender("b", 50, 150), contender("c", 98, 200)];
    assert.deepEqual(readNames(chooseWithin(all, product, 3)), ["b"]);
  });
});

describe("listCombinations()", () => {
  it("has one variant of each stage, and none that was not measured", () => {
    const pipeline = twoStages();
    const [detect, read] = pipeline.stages;
    const variants = read!.variants.map(one => (one.name === "heavy" ? { ...one, profile: null } : one));
    const combinations = listCombinations({ stages: [detect!, { ...read!, variants }] });
    assert.equal(combinations.length, 6);
    assert.deepEqual(combinations[0], { detect: "heavy", read: "middle" });
    assert.ok(combinations.every(({ read: variant }) => variant !== "heavy"));
  });
});

describe("countShareWithin()", () => {
  it("counts what comes above the capacity of a second as missed", () => {
    assert.equal(countShareWithin(new Float64Array([10, 30, 0]), 20), 30 / 40);
    assert.equal(countShareWithin(new Float64Array([10, 30, 0]), 30), 1);
    assert.equal(countShareWithin(new Float64Array([0]), 0), 1);
  });
});

describe("createContender()", () => {
  const pipeline = twoStages();
  const variants = { detect: "middle", read: "light" };

  it("serves fixed variants under our scaler, or fixed variants or the ladder up to them behind an HPA", () => {
    const read = (family: Parameters<typeof createContender>[0]) => {
      const { set } = createContender(family, pipeline, variants);
      const last = (path: string) => set.findLast(one => one.startsWith(`${path}=`))?.split("=")[1];
      return [last("spec.objective.policy"), last("spec.serving.rule"), last("spec.stages[1].defaultVariant")];
    };
    assert.deepEqual(read("fixed"), ["static", "fixed", "light"]);
    assert.deepEqual(read("fixed+HPA"), ["reactive", "fixed", "light"]);
    assert.deepEqual(read("ladder+HPA"), ["reactive", "ladder", "light"]);
  });

  it("is what the pipeline is read with", () => {
    const { set } = createContender("ladder+HPA", readPipeline("video"), {
      detection: "large",
      classification: "nano",
    });
    const { objective, serving, stages } = readPipeline("video", { set });
    assert.deepEqual([objective.policy, serving.rule], ["reactive", "ladder"]);
    assert.deepEqual(
      stages.map(({ defaultVariant }) => defaultVariant),
      ["large", "nano"],
    );
  });
});

describe("shortlistFamilies()", function () {
  this.timeout(120_000);

  it("leaves out combinations that the machine can't carry, has those that fit the load, and no family that is not asked for", async () => {
    const ladder = { heavy: [60, 0.98], middle: [25, 0.95], light: [8, 0.6] } as const;
    const read = (set: readonly string[]) => {
      const [, variant] = /defaultVariant=(.*)/.exec(set.find(one => one.includes("defaultVariant")) ?? "") ?? [];
      const ordered = variant === undefined ? ladder : { [variant]: ladder[variant as keyof typeof ladder], ...ladder };
      const isHpa = set.includes("spec.objective.policy=reactive");
      const isFixed = variant !== undefined && !set.includes("spec.serving.rule=ladder");
      const policy = isHpa ? "reactive" : isFixed ? "static" : "default";
      return pipelineFixture([{ name: "read", ladder: ordered }], {
        objective: { policy },
        serving: { rule: isFixed ? "fixed" : "ladder" },
      });
    };
    const pipeline = read([]);
    const setting = { pipeline, read } as Pick<DemoSetting, "pipeline" | "read">;
    const rates = demoRates(pipeline, 2);
    const flat = CONDITIONS.find(({ name }) => name === "flat")!;
    const course = createCourse(flat, { pipeline, machineCores: 2, rates });
    const { arrivalsMs } = drawArrivals(course, 1);
    const shortlists = await shortlistFamilies(
      { setting, machineCores: 2 },
      course,
      { arrivalsMs, seed: 1 },
      { fixed: 5, "ladder+HPA": 1 },
    );
    assert.equal(shortlists.fixed[0]?.name, "middle");
    assert.equal(shortlists["ladder+HPA"].length, 1);
    assert.match(shortlists["ladder+HPA"][0]?.name ?? "", /^ladder\+HPA /);
    assert.deepEqual(shortlists["fixed+HPA"], []);
  });
});

describe("loads of the conditions", () => {
  const pipeline = twoStages();
  const machine = { pipeline, machineCores: 2, rates: demoRates(pipeline, 2) };
  const find = (name: string) => createCourse(CONDITIONS.find(one => one.name === name)!, machine);

  it("step goes to 0.8 of what the lightest variants carry, and flat stays below what the middle ones do", () => {
    const step = find("step");
    assert.ok(step.peakRps <= 0.8 * machine.rates.lightestCapacityRps * (1 + 1e-9));
    assert.ok(step.shareAt(0) < 0.2 && step.shareAt(step.durationMs - 1) === 1);
    const flat = find("flat");
    assert.ok(flat.peakRps > machine.rates.heaviestCapacityRps && flat.peakRps < step.peakRps);
  });

  it("bursts have two seconds at the step's peak after eight at a fifth of it", () => {
    const bursts = find("bursts");
    assert.equal(bursts.peakRps, find("step").peakRps);
    assert.deepEqual([0, 7999, 8000, 9999, 10_000].map(bursts.shareAt), [0.2, 0.2, 1, 1, 0.2]);
  });

  it("neighbours and stalls have the demo's load", () => {
    const demo = drawArrivals(find("demo"), 1);
    for (const name of ["neighbours", "stalls"]) {
      assert.deepEqual(drawArrivals(find(name), 1), demo);
      assert.equal(CONDITIONS.find(one => one.name === name)?.disturbance, name);
    }
  });

  it("is as long as the demo's, or longer where fewer than 2,000 requests would come with three seeds", () => {
    const slow = twoStages({ slo: { latencyMs: 2000, quantile: 0.95 } });
    const scaled = scaleServiceTimes(slow, 4);
    const course = createCourse(CONDITIONS[0]!, { pipeline: scaled, machineCores: 2, rates: demoRates(scaled, 2) });
    assert.ok(course.durationMs > 64_000, `${course.durationMs} ms`);
    const counts = [1, 2, 3].map(seed => drawArrivals(course, seed).arrivalsMs.length);
    const all = counts.reduce((sum, count) => sum + count, 0);
    assert.ok(all >= 2000 && all < 2400, `${all} requests`);
    assert.equal(find("step").durationMs, 64_000);
  });

  it("arrivals are the same for the same seed, and others for another one", () => {
    const demo = find("demo");
    assert.deepEqual(drawArrivals(demo, 1), drawArrivals(demo, 1));
    assert.notDeepEqual(drawArrivals(demo, 1).arrivalsMs, drawArrivals(demo, 2).arrivalsMs);
  });
});
