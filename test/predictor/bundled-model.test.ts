import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { modelToJson } from "../../predictor/network/network-model.ts";
import { HORIZONS_SECONDS } from "../../predictor/target-forecaster.ts";
import { bundledTrainingCells } from "../../predictor/training/bundled-training.ts";
import { trainModel } from "../../predictor/training/train-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { openTestBackend, openTestModel, testBackend } from "../support/open-backend.ts";

/** Of the tiny model below; changes with the features, the network, the training and the generated loads. */
const TINY_SHA256 = "677cd4d0c7266f920758f48983dd63c84a79624071e833965bfa7906a1415793";

describe("the bundled model", () => {
  it("has a network for every horizon, and knows no clock", () => {
    const { features, horizons } = readBundledModel();
    assert.equal(features, "recent");
    assert.deepEqual(
      horizons.map(({ horizonSeconds }) => horizonSeconds),
      HORIZONS_SECONDS,
    );
  });

  it("is weighed beside the other experts from the first minutes of a load on", async () => {
    const forecaster = new LoadForecaster({ network: new InstantNetwork(await openTestModel()) });
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
