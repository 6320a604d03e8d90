import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { bundledTrainingCells } from "../../predictor/bundled-training.ts";
import { HORIZONS_SECONDS, LoadForecaster } from "../../predictor/load-forecaster.ts";
import { modelToJson } from "../../predictor/network-model.ts";
import { trainModel } from "../../predictor/train-model.ts";
import { readBundledModel } from "../../scaler/bundled-model.ts";
import { openTestBackend, testBackend } from "../support/open-backend.ts";

/** Of the tiny model below; changes with the features, the network, the training and the generated loads. */
const TINY_SHA256 = "41ab4b5d6026361f4b561d1b93fe1b62d488da70d58aab476b783367ad58a085";

describe("the bundled model", () => {
  it("has a network for every horizon, and knows no clock", () => {
    const { features, horizons } = readBundledModel();
    assert.equal(features, "recent");
    assert.deepEqual(
      horizons.map(({ horizonSeconds }) => horizonSeconds),
      HORIZONS_SECONDS,
    );
  });

  it("is weighed beside the other experts from the first seconds of a load on", () => {
    const forecaster = new LoadForecaster({ model: readBundledModel() });
    const { startMs, ratesRps } = generateLoad(LOAD_KINDS.steady, 1800, 1);
    for (const [second, rateRps] of ratesRps.entries()) {
      const atMs = startMs + second * 1000;
      forecaster.observe({ atMs, rateRps });
      const { peakRps } = forecaster.forecast(atMs, 20_000)!;
      assert.ok(peakRps.every(Number.isFinite) && (second < 60 || (peakRps[2] > 40 && peakRps[2] < 130)), `${peakRps}`);
    }
    for (const { weights } of forecaster.status()) assert.ok(weights["network"]! > 0);
  });

  it("comes out of its training bit for bit the same, here a tiny one", async () => {
    const backend = await openTestBackend();
    const train = async () => {
      const options = { features: "recent", horizonsSeconds: [20, 600], seeds: [1, 2], epochs: 1 } as const;
      const cells = bundledTrainingCells(8, 3600);
      return JSON.stringify(
        modelToJson((await trainModel(backend, cells, { ...options, rivals: [], onBatch: () => null }))!.model),
      );
    };
    const first = await train();
    assert.equal(await train(), first);
    // Other backends add up in another order.
    if (testBackend() === "wasm") assert.equal(createHash("sha256").update(first).digest("hex"), TINY_SHA256);
  });
});
