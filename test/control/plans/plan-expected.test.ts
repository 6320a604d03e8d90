import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Rates } from "../../../control/demand.ts";
import { findLikely, planExpected } from "../../../control/plans/plan-expected.ts";
import { type Tuning, UNTUNED } from "../../../control/tuning.ts";
import { replicasOf } from "../../../domain/configuration.ts";
import type { Forecast } from "../../../domain/load.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { configurationOf, type Plan } from "../../../domain/plan.ts";
import { expectValue } from "../../../optimizer/mix/expected-value.ts";
import { optimize } from "../../../optimizer/optimize.ts";
import type { Problem } from "../../../optimizer/problem.ts";
import { problemOf } from "../../optimizer/problems.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { certain, Story } from "../story.ts";

const DEMAND_RPS = 60;
/** The highest second may be one of 60 requests; the rate is one of 20, and hardly ever of more than 30. */
const RATES: Rates = {
  rateRps: DEMAND_RPS,
  risenRps: 0,
  nowRps: 19,
  ratesRps: [18, 18, 19, 20, 21, 23, 26, 30],
  peaksRps: [30, 55, 60, 70],
};

function plan(
  pipeline: Pipeline = twoStages(),
  rates: Partial<Rates> = {},
  more: Partial<Problem> = {},
  tuning: Tuning = UNTUNED,
): Plan | null {
  return planExpected(problemOf(pipeline, DEMAND_RPS, more), { ...RATES, ...rates }, tuning);
}

function plans(...given: Parameters<typeof plan>): Plan {
  const planned = plan(...given);
  assert.ok(planned);
  return planned;
}

function weigh(accuracy: number, cost: number, minAccuracy = 0): Pipeline {
  return twoStages({ objective: { weights: { accuracy, cost, batch: 0, switch: 0 }, minAccuracy } });
}

const flat = (rateRps: number): Pick<Rates, "ratesRps" | "peaksRps"> => ({
  ratesRps: RATES.ratesRps.map(() => rateRps),
  peaksRps: RATES.peaksRps.map(() => rateRps),
});

const countReplicas = ({ stages }: Plan): number => stages.reduce((sum, stage) => sum + replicasOf(stage), 0);

describe("planExpected()", () => {
  it("has fewer cores than for all that may come, as lighter variants serve what is beyond, and says what they serve", () => {
    const own = plans();
    const whole = optimize(problemOf(twoStages(), DEMAND_RPS));
    assert.ok(own.cores < whole.cores, `${own.cores}, ${whole.cores}`);
    assert.deepEqual([own.rateRps, own.feasible, own.shedRps, own.reasons[0]], [DEMAND_RPS, true, 0, "expected"]);
    const { mix } = own;
    assert.ok(mix && !mix.isAsPlanned && mix.served > 0.99, JSON.stringify(mix));
    assert.equal(own.accuracy, mix.accuracy);
    assert.equal(own.effectiveAccuracy, mix.accuracy * mix.served);
  });

  it("is worth no less than the plans for any single rate", () => {
    const likely = findLikely(RATES);
    for (const cost of [0.0005, 0.002, 0.01, 0.05]) {
      const own = plans(weigh(1, cost));
      for (const rateRps of [...RATES.ratesRps, ...RATES.peaksRps]) {
        const problem = problemOf(weigh(1, cost), rateRps);
        const { value } = expectValue(problem, optimize(problem), likely);
        assert.ok(own.objective >= value - 1e-3, `${cost}, ${rateRps} rps: ${own.objective}, ${value}`);
      }
    }
  });

  it("has room for all that may come where accuracy is all that counts, and less the more a core costs", () => {
    const cores = [0, 0.002, 0.01, 0.1].map(cost => plans(weigh(1, cost)).cores);
    assert.deepEqual(
      cores,
      cores.toSorted((a, b) => b - a),
    );
    assert.ok((cores.at(-1) ?? 0) < (cores[0] ?? 0));
    assert.ok(plans(weigh(1, 0)).mix?.isAsPlanned);
  });

  it("has more replicas for a load that is there already, for one that rises, and for higher quantiles", () => {
    const replicas = (rates: Partial<Rates>): number => countReplicas(plans(weigh(1, 0.01), rates));
    const least = replicas({});
    assert.ok(replicas({ nowRps: 58 }) > least);
    assert.ok(replicas({ ratesRps: RATES.ratesRps.map(rate => 3 * rate) }) > least);
    const risen = plans(weigh(1, 0.001), { risenRps: 300 });
    assert.ok(countReplicas(risen) > countReplicas(plans(weigh(1, 0.001))));
    assert.ok(risen.reasons.includes("rising") && !plans().reasons.includes("rising"));
  });

  it("has replicas for the highest seconds that may come, by their lightest variants", () => {
    // Costs of cores decide all but what the SLO asks for.
    const problem = problemOf(weigh(0.01, 1), 500);
    const own = (peaksRps: readonly number[]): number => {
      const planned = planExpected(problem, { ...RATES, rateRps: 500, ...flat(20), peaksRps }, UNTUNED);
      return planned ? countReplicas(planned) : 0;
    };
    const calm = own([20, 20, 20, 20]);
    assert.ok(calm > 0 && own([20, 450, 480, 500]) > calm);
  });

  it("keeps to the least accuracy that the file asks for", () => {
    const ratesRps = [18, 18, 19, 20, 40, 60, 70, 80];
    assert.ok(plans(weigh(1, 0.1), { ratesRps }).accuracy < 0.9);
    assert.ok(plans(weigh(1, 0.1, 0.9), { ratesRps }).accuracy >= 0.9);
  });

  it("is none where replicas serve the planned variant alone or share a machine, for other policies, and where a tuning says its quantile", () => {
    assert.ok(plan());
    assert.equal(plan(twoStages({ serving: { rule: "fixed" } })), null);
    assert.equal(plan(twoStages({ serving: { shadow: true } })), null);
    assert.equal(plan(twoStages({ mode: "shadow", objective: { podShape: "variant" } })), null);
    assert.equal(plan(twoStages(), {}, { limits: { cores: null, machineCores: 64 } }), null);
    assert.equal(plan(twoStages(), {}, { combine: { detect: { kind: "vote", correlation: 0 } } }), null);
    for (const policy of ["ipa", "infaas", "modelSwitching", "reactive"])
      assert.equal(plan(twoStages({ objective: { policy } })), null, policy);
    assert.equal(plan(twoStages(), {}, {}, { ...UNTUNED, forecastQuantile: 0.9 }), null);
  });

  it("serves as much as it can where no plan serves what the SLO asks for, without a step in what is planned", () => {
    const limits = { cores: 3, machineCores: null };
    const at = (rateRps: number): Plan => {
      const planned = planExpected(
        problemOf(twoStages(), rateRps, { limits }),
        { ...RATES, rateRps, nowRps: rateRps, ...flat(rateRps) },
        UNTUNED,
      );
      return planned ?? assert.fail(`${rateRps} rps`);
    };
    // None of them has a plan for one rate: its lightest variants carry 187 rps.
    const [least, most] = [200, 400];
    const served = Array.from({ length: 41 }, (_, i) => at(least + (i * (most - least)) / 40));
    const enough = served.filter(({ feasible }) => feasible);
    assert.ok(enough.length > 0 && enough.length < served.length);
    for (const { feasible, shedRps, reasons, mix, rateRps } of served) {
      assert.equal(reasons.includes("infeasible"), !feasible);
      assert.equal(shedRps, feasible ? 0 : (1 - (mix?.served ?? 0)) * rateRps);
    }
    for (const [i, { rateRps, shedRps }] of served.entries()) {
      const before = served[i - 1];
      // Requests that may be missed are shed at once where more are.
      if (before) assert.ok(rateRps - shedRps > (before.rateRps - before.shedRps) * 0.93, `${rateRps} rps`);
    }
  });

  it("tells which limit holds it back", () => {
    const tight = plans(weigh(1, 0.0001), {}, { limits: { cores: 4, machineCores: null } });
    assert.deepEqual([tight.binding, tight.reasons], ["cores", ["expected", "capped_cores"]]);
    const bounds = { detect: { min: 1, max: 1 }, read: { min: 1, max: 1 } };
    const slow = { ...weigh(1, 0.0001), slo: { latencyMs: 10_000, quantile: 0.95 } };
    const small = plans(slow, {}, { bounds });
    assert.deepEqual([small.binding, small.reasons], ["maxReplicas", ["expected", "capped_max_replicas"]]);
    assert.equal(plans(weigh(1, 0.01)).binding, "none");
    // It may be cheaper to serve less than the SLO asks for.
    const dear = plans(weigh(1, 1), { nowRps: 150, ...flat(150) });
    assert.equal(dear.binding, "slo");
  });

  it("plans no variant that is hardly expected to serve", () => {
    const own = plans(weigh(1, 0.1), { nowRps: 58, ...flat(60) });
    for (const { stage, shares } of own.mix?.stages ?? []) {
      const [top] = own.stages.find(other => other.stage === stage)?.parts ?? [];
      const share = shares.find(({ variant }) => variant === top?.variant)?.share ?? 0;
      assert.ok(share >= 0.0005, `${stage}: ${top?.variant} ${share}`);
    }
  });

  it("keeps what is planned now where another plan gains hardly anything, and not where that gains more", () => {
    const costs = Array.from({ length: 12 }, (_, at) => 0.0005 * 1.5 ** at);
    const held = costs.map(cost => {
      const before = plans(weigh(1, cost));
      const current = configurationOf(before);
      return costs.map(other => {
        const best = plans(weigh(1, other));
        const own = plans(weigh(1, other), {}, { current });
        const isHeld = own.reasons.includes("held_gain");
        assert.ok(best.objective - own.objective < 0.002 + 1e-9, `${cost}, ${other}`);
        if (!isHeld) assert.ok(own.objective >= best.objective - 1e-9);
        return isHeld;
      });
    });
    assert.ok(held.flat().includes(true) && held.flat().includes(false));
    const best = plans();
    const again = plans(twoStages(), {}, { current: configurationOf(best) });
    assert.deepEqual([again.stages, again.reasons], [best.stages, ["expected"]]);
  });

  it("keeps no parts that voted", () => {
    const part = { batch: 1, replicas: 1, share: 1 };
    const current = {
      detect: {
        parts: [
          { ...part, variant: "heavy" },
          { ...part, variant: "middle" },
        ],
      },
      read: { parts: [{ ...part, variant: "heavy" }] },
    };
    for (const { parts } of plans(twoStages(), {}, { current }).stages) assert.equal(parts.length, 1);
  });

  it("counts with lighter variants beside one that is pinned for plans alone", () => {
    const pin = { stage: "detect", variant: "heavy", batch: null, replicas: null };
    const free = plans();
    assert.equal(free.stages[0]?.parts[0]?.variant, "heavy");
    const tuned = plans(twoStages(), {}, { pins: [{ ...pin, mayGoLighter: true }] });
    assert.deepEqual(tuned.stages, free.stages);
    assert.ok(plans(twoStages(), {}, { pins: [pin] }).cores > free.cores);
  });
});

describe("tick(), where more may come than is expected", () => {
  const spread = (story: Story, change: Partial<Forecast> = {}): Forecast => ({
    ...certain(DEMAND_RPS, story.nowMs),
    intensityRps: [30, 55, DEMAND_RPS, 70],
    rateRps: RATES.ratesRps,
    reactiveRps: 16,
    ...change,
  });
  const run = (pipeline: Pipeline): Story =>
    new Story(pipeline).run(90, 16, told => {
      told.input = { forecast: spread(told) };
    });

  it("has fewer cores than for all of it, and says which rates may come", () => {
    const story = run(twoStages());
    const { plan } = story.board;
    const whole = run(twoStages({ serving: { rule: "fixed" } })).board.plan;
    assert.ok(plan && whole && plan.cores < whole.cores, `${plan?.cores}, ${whole?.cores}`);
    const given = story.boards.findLast(board => board.given !== null)?.given;
    assert.equal(plan?.rateRps, DEMAND_RPS);
    assert.deepEqual(given?.likely, findLikely({ ...RATES, nowRps: given?.likely?.ratesRps[3] ?? 0 }));
  });

  it("plans once in an interval, though the demand is above what is planned for", () => {
    const story = run(twoStages());
    const { decisions } = story.state;
    story.run(30, 16, told => {
      told.input = { forecast: spread(told) };
    });
    assert.equal(story.state.decisions - decisions, 3);
  });

  it("plans at once where the load outgrows what was expected, though not the demand", () => {
    const story = run(twoStages());
    const risen = { reactiveRps: 55, rateRps: [50, 51, 53, 55, 56, 58, 59, 60] };
    const before = story.state.decisions;
    while (story.state.decisions === before)
      story.run(1, 16, told => {
        told.input = { forecast: spread(told) };
      });
    // The interval has just begun.
    const { decisions } = story.state;
    story.run(1, 55, told => {
      told.input = { forecast: spread(told, risen) };
    });
    story.run(1, 55, told => {
      told.input = { forecast: spread(told, risen) };
    });
    assert.equal(story.state.decisions, decisions + 1);
  });

  it("tells the accuracy of the planned variants while they serve alone", () => {
    const story = run(twoStages({ objective: { weights: { cost: 0.02 } } }));
    const { plan, served } = story.board;
    const planned = Object.values(plan ? configurationOf(plan) : {}).map(({ parts }) => parts[0]?.variant);
    assert.deepEqual(planned, ["heavy", "heavy"]);
    assert.ok(plan && served?.accuracy != null && served.accuracy > plan.accuracy + 1e-4, `${served?.accuracy}`);
  });

  it("holds what was expected within the hold window", () => {
    const story = run(twoStages());
    const doubled = { rateRps: RATES.ratesRps.map(rate => 2 * rate) };
    const replicas = (): number => story.board.stages.reduce((sum, { replicasGoal }) => sum + replicasGoal, 0);
    const before = replicas();
    story.run(30, 16, told => {
      told.input = { forecast: spread(told, doubled) };
    });
    const raised = replicas();
    assert.ok(raised > before, `${raised}, ${before}`);
    story.run(15, 16, told => {
      told.input = { forecast: spread(told) };
    });
    assert.equal(replicas(), raised);
  });
});
