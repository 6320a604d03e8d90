import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { PolicyName } from "../../domain/policy-name.ts";
import type { FleetPlan } from "../../optimizer/fleet-plan.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { boundOfAllRows } from "../../optimizer/shared-bound.ts";
import { membersOf, settingsOf } from "../../optimizer/shared-setting.ts";
import { optimizeShared } from "../../optimizer/shared-stage.ts";
import { type FeasibleChoice, feasibleChoices } from "./brute-force.ts";
import { bestTogether, frontOf } from "./fleet-brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";
import { looks } from "./time-limits.ts";

const none = { cores: null, memoryMiB: null, nodes: null };
const MOST_REPLICAS = 5;
const FINDERS = ["light", "heavy"] as const;
const READERS = ["small", "large"] as const;

interface Member {
  readonly rateRps: number;
  readonly accuracies: readonly [number, number];
  /** Rows at the shared stage by the variant that finds them. */
  readonly rows: readonly [number, number];
}

interface Instance {
  readonly members: readonly Member[];
  readonly batches: readonly number[];
  readonly baseMs: number;
  readonly sloMs: number;
  readonly cost: number;
  readonly policy: PolicyName;
}

const member: fc.Arbitrary<Member> = fc.record({
  rateRps: fc.integer({ min: 1, max: 40 }),
  accuracies: fc.tuple(fc.constantFrom(0.6, 0.8), fc.constantFrom(0.7, 0.95)),
  rows: fc.tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0.5, 1, 3, 5)),
});

function instanceOf(members: number): fc.Arbitrary<Instance> {
  return fc.record({
    members: fc.array(member, { minLength: members, maxLength: members }),
    batches: fc.constantFrom([1], [1, 4], [4]),
    baseMs: fc.integer({ min: 5, max: 25 }),
    sloMs: fc.integer({ min: 60, max: 600 }),
    cost: fc.constantFrom(0, 0.005, 0.03),
    policy: fc.constantFrom("default", "default", "ipa", "ipa", "infaas"),
  });
}

function problemsOf({ members, batches, baseMs, sloMs, cost, policy }: Instance): Problem[] {
  const latencies = (ms: number) => Object.fromEntries(batches.map(batch => [batch, ms * (0.4 + 0.6 * batch)]));
  const read = (rows: Member["rows"]): StageShape => ({
    name: "read",
    replicas: { min: 1, max: MOST_REPLICAS },
    fanOutByUpstreamVariant: { light: rows[0], heavy: rows[1] },
    variants: [
      { name: "small", accuracy: 0.8, latencyMs: latencies(baseMs) },
      { name: "large", accuracy: 0.95, latencyMs: latencies(2.5 * baseMs) },
    ],
  });
  const find = (accuracies: Member["accuracies"]): StageShape => ({
    name: "find",
    replicas: { min: 1, max: 8 },
    variants: [
      { name: "light", accuracy: accuracies[0], latencyMs: { 1: 10 } },
      { name: "heavy", accuracy: accuracies[1], latencyMs: { 1: 25 } },
    ],
  });
  const objective = { policy, weights: { accuracy: 1, cost, batch: 1e-6, switch: 0 } };
  return members.map(({ rateRps, accuracies, rows }) =>
    problemOf(pipelineOf({ stages: [find(accuracies), read(rows)], sloMs, objective }), rateRps),
  );
}

/** Every variant, batch and count of the shared stage with every variant before it, at the rows that these really give; null: none fits. */
function bestOfAll(given: Instance, problems: readonly Problem[], cores: number): number | null {
  const { members, batches } = given;
  const weight = given.policy === "infaas" ? 1 : given.cost;
  let best: number | null = null;
  let combinations: number[][] = [[]];
  for (const _ of members) combinations = combinations.flatMap(some => FINDERS.map((__, finder) => [...some, finder]));
  for (const finders of combinations) {
    const rps = members.map(({ rateRps, rows }, p) => rateRps * (rows[finders[p] ?? 0] ?? 0));
    const total = rps.reduce((sum, one) => sum + one, 0);
    for (const variant of READERS)
      for (const batch of batches)
        for (let replicas = 1; replicas <= MOST_REPLICAS; replicas++) {
          const choices = problems.map((problem, p) => {
            const pins = [
              { stage: "read", variant, batch, replicas },
              { stage: "find", variant: FINDERS[finders[p] ?? 0] ?? null, batch: null, replicas: null },
            ];
            return frontOf(feasibleChoices({ ...problem, pins, othersRps: { read: total - (rps[p] ?? 0) } }));
          });
          const again = members.length - 1;
          const sum = Number.isFinite(cores) ? bestTogether(choices, cores + again * replicas) : sumOfBest(choices);
          if (sum !== null) best = Math.max(best ?? Number.NEGATIVE_INFINITY, sum + again * weight * replicas);
        }
  }
  return best;
}

function sumOfBest(all: readonly (readonly FeasibleChoice[])[]): number | null {
  const best = all.map(choices => Math.max(...choices.map(({ objective }) => objective)));
  return best.every(Number.isFinite) ? best.reduce((sum, objective) => sum + objective, 0) : null;
}

function stageOf(members: number) {
  return { members: Array.from({ length: members }, (_, problem) => ({ problem, stage: "read" })) };
}

function orNull(cores: number): number | null {
  return Number.isFinite(cores) ? cores : null;
}

/** `best`: null where nothing serves all loads within the cores. `mayBeAbove`: it may just miss the quantile at fewer rows than planned for. */
function assertCovers(plan: FleetPlan, best: number | null, cores: number, mayBeAbove = false): void {
  assert.ok(Number.isFinite(plan.gap) && plan.gap >= 0);
  assert.equal(plan.optimal, plan.gap === 0);
  if (plan.feasible) {
    assert.ok(mayBeAbove || (best !== null && plan.objective <= best + 1e-9), `${plan.objective} above ${best}`);
    assert.ok(plan.cores <= cores + 1e-9);
  }
  if (best !== null) assert.ok(plan.objective + plan.gap >= best - 1e-9, `${plan.objective} + ${plan.gap}, ${best}`);
}

const instanceAndCores = [instanceOf(2), fc.constantFrom(Number.POSITIVE_INFINITY, 4, 6, 9, 12)] as const;

describe("optimizeShared() where rows depend on the variants before the stage", () => {
  it("finds the best for the rows that there really are, and a gap that covers it within limits", function () {
    this.timeout(300_000);
    const counts = { feasible: 0, limited: 0, different: 0 };
    fc.assert(
      fc.property(...instanceAndCores, (given, cores) => {
        const problems = problemsOf(given);
        const plan = optimizeShared(problems, stageOf(2), { ...none, cores: orNull(cores) });
        const best = bestOfAll(given, problems, cores);
        assert.ok(plan);
        assertCovers(plan, best, cores);
        if (!plan.feasible) return;
        counts.feasible++;
        const [a, b] = plan.plans.map(({ stages }) => stages[0]?.parts[0]?.variant);
        if (a !== b) counts.different++;
        if (Number.isFinite(cores)) counts.limited++;
        else assert.ok(plan.optimal && Math.abs(plan.objective - (best ?? 0)) < 1e-9, `${plan.objective}, ${best}`);
      }),
      { numRuns: 120 },
    );
    assert.ok(counts.feasible > 40 && counts.limited > 20 && counts.different > 5, JSON.stringify(counts));
  });

  it("has a gap that covers the best where there are too many ways to give rows", function () {
    this.timeout(300_000);
    let feasible = 0;
    let unproven = 0;
    fc.assert(
      fc.property(instanceOf(6), given => {
        const few = { ...given, members: given.members.map(one => ({ ...one, rateRps: one.rateRps / 4 })) };
        const problems = problemsOf(few);
        const plan = optimizeShared(problems, stageOf(6));
        assert.ok(plan);
        const best = bestOfAll(few, problems, Number.POSITIVE_INFINITY);
        assertCovers(plan, best, Number.POSITIVE_INFINITY, given.policy === "default");
        if (plan.feasible) feasible++;
        if (plan.feasible && !plan.optimal) unproven++;
      }),
      { numRuns: 20 },
    );
    assert.ok(feasible > 5 && unproven > 2, `${feasible}, ${unproven}`);
  });

  it("has a gap that covers the best whenever its time is over", function () {
    this.timeout(300_000);
    let unproven = 0;
    fc.assert(
      fc.property(...instanceAndCores, fc.constantFrom(0, 5, 50, 1000), (given, cores, ms) => {
        const problems = problemsOf(given);
        const plan = optimizeShared(problems, stageOf(2), { ...none, cores: orNull(cores) }, looks(ms));
        assert.ok(plan);
        assertCovers(plan, bestOfAll(given, problems, cores), cores);
        if (plan.feasible && !plan.optimal) unproven++;
      }),
      { numRuns: 120 },
    );
    assert.ok(unproven > 20, `${unproven}`);
  });
});

describe("boundOfAllRows()", () => {
  it("covers the best for the rows that there really are, and is not far above it", function () {
    this.timeout(300_000);
    const above: number[] = [];
    fc.assert(
      fc.property(...instanceAndCores, (given, cores) => {
        const problems = problemsOf(given);
        const members = membersOf(problems, stageOf(2));
        assert.ok(members);
        const task = { problems, members, capacity: { ...none, cores: orNull(cores) }, others: new Map() };
        const bound = boundOfAllRows(task, settingsOf(members), null, problems.length, null);
        const best = bestOfAll(given, problems, cores);
        if (best === null) return;
        assert.ok(bound >= best - 1e-9, `${bound} below ${best}`);
        above.push(bound - best);
      }),
      { numRuns: 120 },
    );
    const [median] = above.toSorted((a, b) => a - b).slice(above.length / 2);
    assert.ok(above.length > 40 && (median ?? 1) < 0.1, `${above.length}, ${median}`);
  });
});
