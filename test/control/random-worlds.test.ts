import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { plainBoard } from "../../control/board.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import type { TickInput } from "../../control/tick-input.ts";
import { compareVersions, findAssignmentProblem } from "../../domain/assignment.ts";
import { findStage, findVariant, type Pipeline } from "../../domain/pipeline.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

const stageNames = fc.constantFrom("detect", "read");
const nonsense = fc.constantFrom(Number.NaN, -3, 0, 0.5, 1e12, Number.POSITIVE_INFINITY);

/** What may happen in one stretch of a world. */
type Happening =
  | { readonly kind: "load"; readonly rateRps: number | null }
  | { readonly kind: "death" | "recovery"; readonly stage: string }
  | { readonly kind: "refusal"; readonly variant: string }
  | { readonly kind: "lie"; readonly stage: string; readonly lie: Partial<SwitcherView> }
  | { readonly kind: "forecast"; readonly rateRps: number }
  | { readonly kind: "clock"; readonly byMs: number }
  | { readonly kind: "pin"; readonly variant: string | null }
  | { readonly kind: "stuck"; readonly mostPods: number };

const lies: fc.Arbitrary<Partial<SwitcherView>> = fc.oneof(
  fc.record({ variant: fc.constantFrom("ghost", "heavy", "light") }),
  fc.record({ batch: nonsense, queuedRows: nonsense }),
  fc.record({ residentVariants: fc.constantFrom([], ["ghost"], ["heavy", "middle", "light"]) }),
  fc.record({ missingVariants: fc.constantFrom(["ghost"], ["middle"], ["heavy", "middle", "light"]) }),
  fc.record({ ready: fc.boolean() }),
  fc.record({ timeFactor: nonsense, timedBatches: nonsense }),
  fc
    .record({ rows: nonsense, batches: nonsense, totalMs: nonsense })
    .map(times => ({ serviceTimes: [{ variant: "heavy", ...times }] })),
);

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    kind: fc.constant("load" as const),
    rateRps: fc.option(fc.integer({ min: 0, max: 300 }), { freq: 5 }),
  }),
  fc.record({ kind: fc.constantFrom("death" as const, "recovery" as const), stage: stageNames }),
  fc.record({ kind: fc.constant("refusal" as const), variant: fc.constantFrom("read/heavy", "detect/light") }),
  fc.record({ kind: fc.constant("lie" as const), stage: stageNames, lie: lies }),
  fc.record({ kind: fc.constant("forecast" as const), rateRps: nonsense }),
  fc.record({ kind: fc.constant("clock" as const), byMs: fc.integer({ min: -4_000_000, max: 4_000_000 }) }),
  fc.record({ kind: fc.constant("pin" as const), variant: fc.constantFrom("heavy", "light", null) }),
  fc.record({ kind: fc.constant("stuck" as const), mostPods: fc.integer({ min: 0, max: 9 }) }),
);

class World {
  readonly story: Story;
  readonly #base: Partial<TickInput>;
  readonly #newest = new Map<string, { readonly epoch: number; readonly counter: number }>();
  #rateRps: number | null = 5;

  /** @param base what every tick is given beside what happens. */
  constructor(pipeline: Pipeline, base: Partial<TickInput> = {}) {
    this.story = new Story(pipeline);
    this.#base = base;
  }

  live(happening: Happening): void {
    const { story } = this;
    const base = this.#base;
    story.input = base;
    switch (happening.kind) {
      case "load":
        this.#rateRps = happening.rateRps;
        break;
      case "death":
        story.kill(happening.stage);
        break;
      case "recovery":
        story.broken.clear();
        story.report(happening.stage, { queuedRows: 0, serviceTimes: [] });
        break;
      case "refusal":
        story.broken.add(happening.variant);
        break;
      case "lie":
        story.report(happening.stage, happening.lie);
        break;
      case "forecast":
        story.input = { ...base, forecast: { ...certain(happening.rateRps, story.nowMs), reactiveRps: 3 } };
        break;
      case "clock":
        story.jump(happening.byMs);
        break;
      case "pin":
        story.input = { ...base, pins: [{ stage: "detect", variant: happening.variant, batch: null, replicas: null }] };
        break;
      case "stuck":
        story.mostPods = happening.mostPods;
        break;
      default:
        happening satisfies never;
    }
    story.run(8, this.#rateRps, () => this.#check());
  }

  #check(): void {
    const { board, pipeline } = this.story;
    assert.deepEqual(
      JSON.parse(JSON.stringify(plainBoard(board))),
      plainBoard(board),
      "a board is plain JSON, without NaN",
    );
    for (const { stage: name, replicasNow, replicasGoal, assignments, newcomer } of board.stages) {
      const stage = findStage(pipeline, name);
      assert.ok(stage);
      const { min, max } = stage.replicas;
      assert.ok(Number.isInteger(replicasNow) && replicasNow >= min && replicasNow <= max, `${name}: ${replicasNow}`);
      assert.ok(Number.isInteger(replicasGoal) && replicasGoal >= min && replicasGoal <= max);
      for (const [pod, assignment] of [...assignments, ...(newcomer ? [["", newcomer] as const] : [])]) {
        const { rungs, version } = assignment;
        assert.equal(findAssignmentProblem(assignment), null, pod);
        // A switcher keeps what it claims to serve until there is capacity; it is never told to load what does not exist.
        for (const { variant } of rungs) assert.ok(findVariant(stage, variant), `${pod}: ${variant}`);
        const key = `${name}/${pod}`;
        assert.ok(compareVersions(version, this.#newest.get(key) ?? { epoch: 0, counter: 0 }) >= 0);
        this.#newest.set(key, version);
      }
    }
    for (const correction of Object.values(board.corrections)) assert.ok(correction >= 0.5 && correction <= 2);
  }
}

describe("tick() in random worlds", () => {
  it("keeps what it promises whatever load, deaths, refusals, lies, clocks and missing data do", () => {
    fc.assert(
      fc.property(fc.array(happenings, { minLength: 1, maxLength: 15 }), fc.boolean(), (course, isIdleable) => {
        const pipeline = twoStages();
        const stages = pipeline.stages.map(stage => ({ ...stage, replicas: { min: isIdleable ? 0 : 1, max: 8 } }));
        const world = new World({ ...pipeline, stages });
        for (const happening of course) world.live(happening);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps it where variants vote, and lets only pods vote that there are, for what they serve", () => {
    // Hardly apart from each other, so that three are better than one.
    const cocktail = pipelineFixture(
      [
        { name: "detect", ladder: { heavy: [60, 0.92], middle: [25, 0.91], light: [8, 0.9] } },
        { name: "read", ladder: { heavy: [20, 0.92], middle: [6, 0.91], light: [1, 0.9] }, fanOut: 4 },
      ],
      { objective: { policy: "cocktail", minAccuracy: 0.93 } },
    );
    const votes = { correlation: 0, measured: [] };
    const pipeline = { ...cocktail, stages: cocktail.stages.map(stage => ({ ...stage, votes })) };
    let voted = 0;
    fc.assert(
      fc.property(fc.array(happenings, { minLength: 1, maxLength: 15 }), course => {
        const world = new World(pipeline, { joinsVotes: true });
        for (const happening of course) {
          world.live(happening);
          for (const { voters = {}, assignments } of world.story.board.stages) {
            const variants = Object.entries(voters);
            if (variants.length > 0) voted += 1;
            assert.ok(variants.length === 0 || new Set(Object.values(voters)).size >= 2);
            for (const [pod, variant] of variants) assert.equal(assignments.get(pod)?.top, variant);
          }
        }
      }),
      { numRuns: 40 },
    );
    assert.ok(voted > 0);
  });

  it("never takes replicas away for lack of data", () => {
    fc.assert(
      fc.property(fc.array(happenings, { maxLength: 8 }), course => {
        const world = new World(twoStages());
        for (const happening of course.filter(({ kind }) => kind !== "clock")) world.live(happening);
        const { story } = world;
        story.input = {};
        story.mostPods = Number.POSITIVE_INFINITY;
        story.run(30, null);
        const before = story.board.stages.map(stage => stage.replicasNow);
        story.run(120, null);
        for (const [i, stage] of story.board.stages.entries()) assert.ok(stage.replicasNow >= (before[i] ?? 0));
      }),
      { numRuns: 30 },
    );
  });

  it("changes nothing under a constant load once it has settled", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.constantFrom(null, 2, 4),
        (first, second, startMs, switchMs, machineCores) => {
          const story = new Story(
            pipelineFixture([
              { name: "detect", ladder: { light: [8, 0.88], middle: [25, 0.95], heavy: [60, 0.98] } },
              { name: "read", ladder: { light: [1, 0.85], middle: [6, 0.93], heavy: [20, 0.97] }, fanOut: 3.7 },
            ]),
          );
          Object.assign(story, { startMs, switchMs });
          story.input = { limits: { cores: null, machineCores } };
          story.run(60, first).run(240, second);
          const settled = story.board.stages;
          story.run(60, second, ({ board }) => assert.deepEqual(board.stages, settled));
        },
      ),
      { numRuns: 25 },
    );
  });
});
