import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type Likely, QUANTILES, RATE_QUANTILES } from "../../../domain/load.ts";
import { mixSchema } from "../../../domain/plan-schema.ts";
import { evaluate } from "../../../optimizer/evaluate.ts";
import { expectMix, expectRate, expectValue } from "../../../optimizer/mix/expected-value.ts";
import { type PipelineShape, pipelineOf, problemOf } from "../problems.ts";

/** Batches of one row: a replica carries 9.7 rows a second by `heavy` and 38.8 by `light` where it is busy for 97 % of the time. */
const ONE: PipelineShape = {
  sloMs: 1000,
  stages: [
    {
      name: "a",
      variants: [
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 100 } },
        { name: "light", accuracy: 0.6, latencyMs: { 1: 25 } },
      ],
    },
  ],
};

function expectAt(shape: PipelineShape, likely: Likely, tops: readonly string[], replicas = 2) {
  const problem = problemOf(pipelineOf(shape), 10);
  const parts = tops.map((variant, s) => [
    shape.stages[s]?.name ?? "",
    { parts: [{ variant, batch: 1, replicas, share: 1 }] },
  ]);
  const plan = evaluate(problem, Object.fromEntries(parts));
  const expected = expectValue(problem, plan, likely);
  return {
    ...expected,
    effectiveAccuracy: expected.accuracy * expected.served,
    plan,
    weights: problem.pipeline.objective.weights,
  };
}

function isNear(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) < 1e-9, `${found} for ${expected}`);
}

describe("expectValue()", () => {
  it("serves by the top what replicas carry of it, mixes the two rungs next to that, and misses what the lightest does not carry", () => {
    isNear(expectAt(ONE, expectRate(19.4), ["heavy"]).effectiveAccuracy, 0.9);
    // A third of the rows by `heavy`: 38.8 · (100 / 3 + 2 · 25 / 3) ms are 1.94 s of two replicas.
    isNear(expectAt(ONE, expectRate(38.8), ["heavy"]).effectiveAccuracy, 0.7);
    isNear(expectAt(ONE, expectRate(77.6), ["heavy"]).effectiveAccuracy, 0.6);
    const { effectiveAccuracy, served, accuracy } = expectAt(ONE, expectRate(155.2), ["heavy"]);
    isNear(served, 0.5);
    isNear(accuracy, 0.6);
    isNear(effectiveAccuracy, 0.3);
    isNear(expectAt(ONE, expectRate(0), ["heavy"]).effectiveAccuracy, 0.9);
  });

  it("tells the share of each variant as a mean over requests", () => {
    const expectStages = (likely: Likely) => expectAt(ONE, likely, ["heavy"]).stages;
    assert.deepEqual(expectStages(expectRate(19.4)), [{ stage: "a", shares: [{ variant: "heavy", share: 1 }] }]);
    const [third] = expectStages(expectRate(38.8));
    assert.deepEqual(
      third?.shares.map(({ variant }) => variant),
      ["heavy", "light"],
    );
    isNear(third?.shares[0]?.share ?? 0, 1 / 3);
    isNear(third?.shares[1]?.share ?? 0, 2 / 3);
    // Three rows in a hundred come at the highest rate, which is four times the others.
    const [rare] = expectStages({ ...expectRate(19.4), ratesRps: [19.4, 19.4, 19.4, 19.4, 19.4, 19.4, 19.4, 77.6] });
    isNear(rare?.shares[1]?.share ?? 0, (0.03 * 77.6) / (0.97 * 19.4 + 0.03 * 77.6));
  });

  it("serves nothing without a replica", () => {
    const { served, stages } = expectAt(ONE, expectRate(10), ["heavy"], 0);
    isNear(served, 0);
    assert.deepEqual(stages, [{ stage: "a", shares: [{ variant: "heavy", share: 1 }] }]);
  });

  it("serves nothing heavier than the top", () => {
    isNear(expectAt(ONE, expectRate(1), ["light"]).effectiveAccuracy, 0.6);
  });

  it("expects nothing lighter of a stage that is pinned", () => {
    const problem = problemOf(pipelineOf(ONE), 10, {
      pins: [{ stage: "a", variant: "heavy", batch: null, replicas: null }],
    });
    const plan = evaluate(problem, { a: { parts: [{ variant: "heavy", batch: 1, replicas: 2, share: 1 }] } });
    // Two replicas carry 20 rows a second, and are planned to carry three quarters of them.
    const { accuracy, served } = expectValue(problem, plan, expectRate(30));
    isNear(accuracy, 0.9);
    isNear(served, 0.5);
    // They have time for nearly all that they carry, which is what is told.
    isNear(expectMix(problem, plan, expectRate(30)).served, 19.4 / 30);
  });

  it("weighs each quantile by the probability that lies nearest to it, and by the requests that come at its rate", () => {
    const ratesRps = [1, 1, 1, 1, 1, 1, 38.8, 77.6];
    // It is 38.8 rps from 0.925 to 0.97, and 77.6 from there on.
    const requests = [0.925 * 1, 0.045 * 38.8, 0.03 * 77.6] as const;
    const all = requests[0] + requests[1] + requests[2];
    const { accuracy } = expectAt(ONE, { ...expectRate(1), ratesRps }, ["heavy"]);
    isNear(accuracy, (requests[0] * 0.9 + requests[1] * 0.7 + requests[2] * 0.6) / all);
  });

  it("misses what the lightest does not carry of the highest second, whatever the mean rate is", () => {
    const peaksRps = [10, 20, 77.6, 155.2];
    const requests = [0.7 * 10, 0.225 * 20, 0.045 * 77.6, 0.03 * 155.2] as const;
    const all = requests.reduce((sum, count) => sum + count, 0);
    const { served, accuracy, effectiveAccuracy } = expectAt(ONE, { ...expectRate(1), peaksRps }, ["heavy"]);
    isNear(served, 1 - (0.5 * requests[3]) / all);
    isNear(accuracy, 0.9);
    isNear(effectiveAccuracy, 0.9 * served);
  });

  it("takes what a plan costs from its value, and a missed request twice", () => {
    const { value, plan, weights } = expectAt(ONE, expectRate(155.2), ["heavy"]);
    isNear(value, weights.accuracy * (0.3 - 0.5) - (weights.accuracy * plan.effectiveAccuracy - plan.objective));
  });

  it("has the accuracy of every combination by its share, and the rows of later stages by what serves before", () => {
    const makeTwo = (heavy: number): PipelineShape => ({
      sloMs: 1000,
      method: "table",
      combinations: [
        [["heavy", "big"], 0.95],
        [["heavy", "small"], 0.7],
        [["light", "big"], 0.5],
        [["light", "small"], 0.45],
      ].map(([names, accuracy]) => ({
        variants: { a: (names as string[])[0] ?? "", b: (names as string[])[1] ?? "" },
        accuracy: accuracy as number,
      })) as never,
      stages: [
        ...ONE.stages,
        {
          name: "b",
          variants: [
            { name: "big", accuracy: 0.9, latencyMs: { 1: 20 } },
            { name: "small", accuracy: 0.6, latencyMs: { 1: 5 } },
          ],
          fanOutByUpstreamVariant: { heavy, light: 1 },
        },
      ],
    });
    const { effectiveAccuracy } = expectAt(makeTwo(4), expectRate(38.8), ["heavy", "big"]);
    // A third of the requests makes four rows, the others one: 77.6 rows a second, of which two replicas carry 97 by `big`.
    isNear(effectiveAccuracy, 0.95 / 3 + (2 * 0.5) / 3);
    // With eight rows and one they are 129.3 a second, two thirds of them by `big`.
    const more = expectAt(makeTwo(8), expectRate(38.8), ["heavy", "big"]).effectiveAccuracy;
    isNear(more, (2 * 0.95 + 0.7) / 9 + (2 * (2 * 0.5 + 0.45)) / 9);
    const busier = expectAt(makeTwo(4), expectRate(58.2), ["heavy", "big"]);
    // 1/58.2 s a row: a ninth by `heavy`, so 58.2 · (4 / 9 + 8 / 9) = 77.6 rows.
    isNear(busier.effectiveAccuracy, 0.95 / 9 + (8 * 0.5) / 9);
  });

  it("tells shares that add up to 1, and never more, whatever may come", () => {
    const ascending = (count: number, mostRps: number) =>
      fc
        .array(fc.double({ min: 0, max: mostRps, noNaN: true }), { minLength: count, maxLength: count })
        .map(rates => rates.toSorted((a, b) => a - b));
    // The top serves all of up to 10 rps: many shares that are 1 add up to a little more by rounding.
    const likely = fc.constantFrom(10, 500).chain(mostRps =>
      fc.record({
        ratesRps: ascending(RATE_QUANTILES.length, mostRps),
        peaksRps: ascending(QUANTILES.length, mostRps),
      }),
    );
    fc.assert(
      fc.property(likely, rates => {
        const {
          value: _,
          effectiveAccuracy: _effective,
          plan,
          weights: _weights,
          ...told
        } = expectAt(ONE, rates, ["heavy"]);
        const mix = mixSchema.parse(told);
        assert.deepEqual(mix, told);
        assert.equal(
          !mix.isAsPlanned,
          mix.served < 0.9995 ||
            mix.stages.some(({ shares }) => (shares[1]?.share ?? 0) >= 0.0005 || shares[0]?.variant !== "heavy"),
        );
        for (const { shares } of mix.stages)
          isNear(
            shares.reduce((sum, { share }) => sum + share, 0),
            1,
          );
      }),
    );
  });

  it("never expects more of a load that is higher", () => {
    const rate = fc.double({ min: 0.1, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.array(rate, { minLength: 2, maxLength: 10 }), fc.constantFrom("heavy", "light"), (rates, top) => {
        const values = rates
          .toSorted((a, b) => a - b)
          .map(rps => expectAt(ONE, expectRate(rps), [top]).effectiveAccuracy);
        for (const [at, value] of values.entries()) assert.ok(value <= (values[at - 1] ?? 1) + 1e-12);
      }),
    );
  });
});
