import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import type { BackendName } from "../../predictor/network/backend.ts";
import { trainModel } from "../../predictor/training/train-model.ts";
import { openTestBackend, testBackend } from "../support/open-backend.ts";

describe("tfjs's backends", () => {
  it("train to the same loss, each for itself the same bit for bit", async () => {
    const cells = cellsOf(generateLoad(LOAD_KINDS.web, 30 * 3600, 1));
    const others: readonly BackendName[] = testBackend() === "tensorflow" ? ["tensorflow", "cpu"] : ["cpu"];
    const lossOn = async (name: BackendName): Promise<number> => {
      const backend = await openTestBackend(name);
      const trained = await trainModel(backend, cells, {
        features: "seasonal",
        horizonsSeconds: [20],
        seeds: [1],
        epochs: 2,
        mostRows: 3000,
        rivals: [],
        onBatch: () => null,
      });
      return trained?.horizons[0]?.loss ?? Number.NaN;
    };
    const loss = await lossOn("wasm");
    for (const name of others) {
      const first = await lossOn(name);
      assert.ok(Math.abs(first / loss - 1) < 1e-3, `wasm ${loss}, ${name} ${first}`);
      assert.equal(await lossOn(name), first);
    }
  }).timeout(120_000);
});
