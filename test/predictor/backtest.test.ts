import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { type LoadTrace, samplesOf } from "../../load/load-trace.ts";
import { type Backtest, type BacktestOptions, backtest } from "../../predictor/backtest.ts";
import type { Expert } from "../../predictor/expert.ts";
import { EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { scoresOf } from "../../predictor/scores.ts";

const trace = generateLoad(LOAD_KINDS.mmpp, 5000, 3);

function contestant(name: string, experts: readonly Expert[] = EXPERTS, horizonsSeconds = [20, 60]) {
  return { name, horizonsSeconds, forecaster: new LoadForecaster({ experts }) };
}

function run(options: Partial<BacktestOptions> & { readonly trace: LoadTrace }): Backtest {
  const steps = backtest({
    contestants: [contestant("all")],
    testFromSecond: 2000,
    testToSecond: options.trace.ratesRps.length,
    strideSeconds: 10,
    ...options,
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    assert.ok(step.value > 0 && step.value <= 1);
  }
}

describe("backtest()", () => {
  it("keeps exactly what the forecaster of the scaler would have said, and what came", () => {
    const { outcomes } = run({ trace }).results[0]!;
    const forecaster = new LoadForecaster();
    const said: number[] = [];
    for (const [second, sample] of [...samplesOf(trace)].entries()) {
      forecaster.observe(sample);
      const known = second + 1;
      if (known < 2000 || (known - 2000) % 10 !== 0 || known + 20 > 5000) continue;
      said.push(forecaster.forecast(sample.atMs, 20_000)!.peakRps[2]);
      assert.equal(outcomes.actualRps[said.length - 1], Math.max(...trace.ratesRps.slice(known, known + 20)));
    }
    assert.deepEqual(outcomes.q95Rps, said);
    assert.equal(outcomes.length, 299);
  });

  it("never lets a forecast see what came after it", () => {
    const cut = { ...trace, ratesRps: trace.ratesRps.slice() };
    cut.ratesRps.fill(9999, 4000);
    const before = run({ trace }).results[1]!.outcomes;
    const after = run({ trace: cut }).results[1]!.outcomes;
    const shared = before.atMs.filter(atMs => atMs <= trace.startMs + 4_000_000).length;
    assert.ok(shared > 150);
    assert.deepEqual(after.q95Rps.slice(0, shared), before.q95Rps.slice(0, shared));
    assert.notDeepEqual(after.q95Rps.slice(shared + 1), before.q95Rps.slice(shared + 1));
  });

  it("tests between its ends alone", () => {
    const { outcomes } = run({ trace, testFromSecond: 3000, testToSecond: 3100 }).results[0]!;
    assert.deepEqual(
      outcomes.atMs.map(atMs => (atMs - trace.startMs) / 1000),
      [3000, 3010, 3020, 3030, 3040, 3050, 3060, 3070, 3080],
    );
  });

  it("gives every contestant the same origins, and leaves out those whose seconds are missing", () => {
    const holed = { ...trace, ratesRps: trace.ratesRps.slice() };
    holed.ratesRps.fill(Number.NaN, 3000, 3100);
    const late: Expert = { name: "late", predict: EXPERTS[0]!.predict };
    const contestants = [contestant("all"), contestant("late", [late])];
    const result = run({ trace: holed, contestants });
    const [first, , third] = result.results;
    assert.deepEqual(third!.outcomes.atMs, first!.outcomes.atMs);
    assert.equal(result.unknownOrigins, 11 + 15);
    // 100 s after the last sample there is no forecast, at either horizon.
    assert.deepEqual([result.silentOrigins, first!.outcomes.length], [2, 299 - 11 - 1]);
  });

  it("compares experts alone with the same calibration", () => {
    const contestants = EXPERTS.map(expert => contestant(expert.name, [expert]));
    const { results } = run({ trace: generateLoad(LOAD_KINDS.steady, 40_000, 2), contestants });
    for (const { outcomes, name } of results)
      assert.ok(Math.abs(scoresOf(outcomes)!.coverage95 - 95) < 1.5, `${name} ${scoresOf(outcomes)!.coverage95}`);
  });
});
