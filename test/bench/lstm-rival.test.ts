import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { trainLstmRival } from "../../bench/forecaster/lstm-rival.ts";
import { inverseAnscombe } from "../../predictor/anscombe.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { openTestBackend } from "../support/open-backend.ts";

describe("trainLstmRival()", () => {
  it("learns what comes from the last two minutes, and gives it as every quantile", async () => {
    // Two minutes up, two minutes down: what comes next follows from what was.
    const ratesRps = Float64Array.from({ length: 6000 }, (_, second) =>
      second % 240 < 120 ? 20 + (second % 120) / 2 : 10,
    );
    const shares: number[] = [];
    const expert = await trainLstmRival(await openTestBackend(), {
      trace: { startMs: 50_000, ratesRps },
      horizonsSeconds: [20],
      trainToSecond: 5000,
      validateToSecond: 6000,
      onProgress: share => shares.push(share),
    });
    assert.ok(shares.every(share => share >= 0 && share < 1));
    const history = new LoadHistory();
    history.startAt(51);
    let [error, naive, count] = [0, 0, 0];
    for (let second = 0; second < 2400; second++) {
      history.push(ratesRps[second]!);
      if (second < 240 || second % 10 !== 9) continue;
      const actual = Math.max(...ratesRps.slice(second + 1, second + 21));
      const predicted = expert.predict(history, 20);
      assert.deepEqual(new Set(predicted).size, 1);
      error += Math.abs(inverseAnscombe(predicted[0]!) - actual);
      naive += Math.abs(history.window(0, 20).highestRps - actual);
      count += 1;
    }
    assert.ok(count > 200 && error < naive / 2, `${error / count} ${naive / count}`);
  });
});
