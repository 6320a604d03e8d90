import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pino } from "pino";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { LoadForecaster } from "../../../predictor/load-forecaster.ts";
import { DeferredNetwork } from "../../../predictor/network/network.ts";
import { readBundledModel } from "../../../scaler/forecasting/bundled-model.ts";
import { ForecastTrainer, MOST_OWN_MODELS } from "../../../scaler/forecasting/forecast-trainer.ts";
import type { StoredModel } from "../../../scaler/forecasting/model-store.ts";
import { PipelineControl } from "../../../scaler/pipeline-control.ts";
import { ProcessConditions } from "../../../scaler/process-conditions.ts";
import { TOO_LITTLE } from "../../support/faulty-trainer.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { testPipeline } from "../support/test-pipeline.ts";

const LOOK_MS = 60_000;
const DAY_MS = 86_400_000;
const bundled = readBundledModel();

/** A pipeline whose 0.95 quantile was kept in this share of the cases at the horizon of 60 s. */
function control(name: string, coverage95: number, own: StoredModel | null): PipelineControl {
  const snapshot = new LoadForecaster({ network: new DeferredNetwork(bundled) }).snapshot();
  const horizons = snapshot.peak.horizons.map((horizon, i) =>
    i === 1 ? { ...horizon, coverage: [0.5, 0.9, coverage95, 0.99] } : horizon,
  );
  const pipeline: Pipeline = { ...testPipeline(), key: { namespace: "shop", name } };
  return new PipelineControl({
    pipeline,
    stored: {
      epoch: 1,
      control: null,
      forecaster: { ...snapshot, peak: { ...snapshot.peak, horizons } },
      settings: undefined,
    },
    bundledModel: bundled,
    ownModel: own,
    epoch: 2,
    machineCores: null,
    nowMs: 0,
  });
}

/** Trained a day ago. */
function trained(clock: ManualClock, model: StoredModel["model"]): StoredModel {
  return { model, training: { atMs: clock.nowMs() - DAY_MS, knownSeconds: 0, choice: "bundled", horizons: [] } };
}

/** Who has a turn at the first `looks` looks; each has too little load, so that the next one's turn comes at once. */
async function turnsOf(controls: readonly PipelineControl[], clock: ManualClock, looks: number): Promise<string[]> {
  const turns: string[] = [];
  const trainer = new ForecastTrainer({
    controls: () => controls,
    stateDir: null,
    clock,
    conditions: new ProcessConditions(pino({ level: "silent" })),
    logger: pino({ level: "silent" }),
    share: 1,
    leastSeconds: 0,
    seeds: [TOO_LITTLE],
    thread: { workerUrl: new URL("../../support/faulty-trainer.js", import.meta.url) },
    onOpened: () => undefined,
    onTrained: ({ pipeline }, outcome) => turns.push(`${pipeline.key.name} ${outcome}`),
  });
  trainer.start();
  for (let look = 0; look < looks; look++) {
    await clock.advance(LOOK_MS);
    await trainer.training;
  }
  await trainer.close();
  return turns.map(turn => turn.replace(" too_little", ""));
}

describe("whose forecast model is trained", () => {
  it("is that of who was never trained, then of the worst calibrated, and not again within the hour", async () => {
    const clock = new ManualClock();
    const controls = [
      control("good", 0.949, trained(clock, null)),
      control("bad", 0.8, trained(clock, null)),
      control("cautious", 0.999, trained(clock, null)),
      control("new", 0.95, null),
    ];
    assert.deepEqual(await turnsOf(controls, clock, 6), ["new", "bad", "cautious", "good"]);
  });

  it("is that of no pipeline without one once there are as many own models as there is room for", async () => {
    const clock = new ManualClock();
    const withOwn = Array.from({ length: MOST_OWN_MODELS }, (_, i) =>
      control(`own-${i}`, 0.95, trained(clock, bundled)),
    );
    const without = control("without", 0.5, null);
    const turns = await turnsOf([without, ...withOwn], clock, 3);
    assert.equal(turns.length, 3);
    assert.ok(turns.every(name => name.startsWith("own-")));
    assert.deepEqual(await turnsOf([without, ...withOwn.slice(1)], clock, 1), ["without"]);
  });
});
