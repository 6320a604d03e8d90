import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { generateLoad } from "../../../load/generate-load.ts";
import { LOAD_KINDS } from "../../../load/load-kinds.ts";
import { cellsOf } from "../../../predictor/cells-of.ts";
import type { TrainingOptions } from "../../../scaler/forecasting/forecast-trainer.ts";
import { appendToArchive } from "../../../scaler/history-archive.ts";
import type { ScalerOptions } from "../../../scaler/main.ts";
import { CRASH, ENDLESS, GREEDY, HANG, NONSENSE } from "../../support/faulty-trainer.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RunningScaler } from "../support/running-scaler.ts";

const PIPELINE = "/api/v1/pipelines/shop/cards";
const HOUR = 3600;
/** Small enough for a test: one network each, two passes over the rows, all the time. */
const QUICK: TrainingOptions = { share: 1, seeds: [1], epochs: 2 };

// biome-ignore lint/suspicious/noExplicitAny: JSON of the API
type Page = any;

describe("training of forecast models", function () {
  this.timeout(180_000);
  let stateDir: string;
  let running: RunningScaler | null = null;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-"));
  });
  afterEach(async () => {
    await running?.close();
    running = null;
    rmSync(stateDir, { recursive: true, force: true });
  });

  const start = async (options: Partial<ScalerOptions> = {}, clock = new ManualClock()): Promise<RunningScaler> => {
    running = await RunningScaler.start({ stateDir, training: QUICK, ...options }, clock);
    return running;
  };
  const page = async (): Promise<Page> => (await fetch(running!.url(PIPELINE))).json();
  const conditionOf = (shown: Page, type: string) =>
    shown.processConditions.find((one: { type: string }) => one.type === type);

  /** Lets the trainer look, and waits until the page is as wanted. */
  const trainUntil = async (wanted: (shown: Page) => boolean): Promise<Page> => {
    await running!.clock.advance(60_000);
    for (let i = 0; i < 1500; i++) {
      const shown = await page();
      if (wanted(shown)) return shown;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    return assert.fail(`it never became so: ${JSON.stringify((await page()).forecaster)}`);
  };

  /** As if the scaler had run for so long before `clock`'s time. */
  const remember = (clock: ManualClock, kind: keyof typeof LOAD_KINDS, seconds: number): void => {
    const trace = { ...generateLoad(LOAD_KINDS[kind], seconds, 1), startMs: clock.nowMs() - seconds * 1000 };
    appendToArchive(join(stateDir, "history", "shop_cards.cells"), cellsOf(trace));
  };

  it("promotes a model that wins, shows it, and has it again after a restart", async () => {
    const clock = new ManualClock();
    remember(clock, "web", 30 * HOUR);
    const scaler = await start({}, clock);
    const before = await page();
    assert.equal(before.forecaster.model, "bundled");
    assert.equal(before.forecaster.training, null);
    assert.ok(before.forecaster.knownSeconds > 29 * HOUR);
    const shown = await trainUntil(({ forecaster }) => forecaster.training !== null);
    assert.equal(shown.forecaster.model, "own", JSON.stringify(shown.forecaster.training));
    assert.equal(shown.forecaster.training.choice, "new");
    for (const { loss, rivalLosses } of shown.forecaster.training.horizons)
      assert.ok(Number.isFinite(loss) && Number.isFinite(rivalLosses[0]));
    assert.equal(conditionOf(shown, "ForecastModelTrained").status, true);
    const metrics = await (await fetch(scaler.url("/metrics"))).text();
    assert.match(metrics, /variscale_forecast_trainings_total\{.*outcome="promoted"\} 1/);
    assert.match(metrics, /variscale_forecast_training_backend\{.*backend="(wasm|tensorflow)"\} 1/);
    assert.match(metrics, /variscale_forecast_model\{.*model="own"\} 1/);
    assert.match(metrics, /variscale_forecast_expert_weight\{.*horizon="20",expert="network"\}/);
    await scaler.planFor(40);
    assert.notEqual(scaler.board?.forecast, null);
    await trainUntil(later => conditionOf(later, "ForecastNetworkComputed")?.status === true);
    await scaler.close();
    await start({}, clock);
    const again = await page();
    assert.equal(again.forecaster.model, "own");
    assert.deepEqual(again.forecaster.training, shown.forecaster.training);
  });

  it("trains the same model bit for bit from the same history", async () => {
    const models: string[] = [];
    for (let run = 0; run < 2; run++) {
      rmSync(stateDir, { recursive: true, force: true });
      const clock = new ManualClock();
      remember(clock, "web", 30 * HOUR);
      const scaler = await start({}, clock);
      await trainUntil(({ forecaster }) => forecaster.model === "own");
      await scaler.close();
      models.push(readFileSync(join(stateDir, "models", "shop_cards.json"), "utf8"));
    }
    running = null;
    assert.equal(models[0], models[1]);
  });

  it("waits for a day of load", async () => {
    const clock = new ManualClock();
    remember(clock, "web", 20 * HOUR);
    const scaler = await start({}, clock);
    await clock.advance(120_000);
    assert.equal((await page()).forecaster.training, null);
    assert.doesNotMatch(await (await fetch(scaler.url("/metrics"))).text(), /trainings_total\{/);
  });

  it("goes on with the bundled model where the stored one is damaged, and says so", async () => {
    const clock = new ManualClock();
    remember(clock, "web", 30 * HOUR);
    await start({}, clock);
    await trainUntil(({ forecaster }) => forecaster.model === "own");
    await running!.close();
    const path = join(stateDir, "models", "shop_cards.json");
    for (const hostile of ["{", "null", readFileSync(path, "utf8").replace('"rows":', '"rows":1'), "[".repeat(1e5)]) {
      writeFileSync(path, hostile);
      await start({ training: null }, clock);
      const shown = await page();
      assert.equal(shown.forecaster.model, "bundled");
      assert.equal(conditionOf(shown, "ForecastModelStored").status, false);
      assert.match(conditionOf(shown, "ForecastModelStored").message, /can't be used: .*bundled model forecasts/);
      await running!.close();
    }
    running = null;
  });

  for (const [fault, seed, reason] of [
    ["a crash", CRASH, /thread is gone: its thread ended with code 3/],
    ["hanging", HANG, /thread is gone: it said nothing for 300 ms/],
    ["nonsense", NONSENSE, /the trained model can't be used/],
    ["never ending", ENDLESS, /thread is gone: it took more than 1000 ms/],
    ["greed", GREEDY, /thread is gone: .*(memory|out of)/i],
  ] as const) {
    it(`keeps the model in use, says why, and tries again later when the thread's fault is: ${fault}`, async () => {
      const clock = new ManualClock();
      remember(clock, "web", 30 * HOUR);
      const workerUrl = new URL("../../support/faulty-trainer.js", import.meta.url);
      const thread = {
        workerUrl,
        hungAfterMs: seed === HANG ? 300 : 30_000,
        deadlineMs: seed === ENDLESS ? 1000 : 60_000,
      };
      const scaler = await start({ training: { ...QUICK, seeds: [seed], thread } }, clock);
      const failed = await trainUntil(shown => conditionOf(shown, "ForecastModelTrained")?.status === false);
      assert.match(conditionOf(failed, "ForecastModelTrained").message, reason);
      assert.match(conditionOf(failed, "ForecastModelTrained").message, /tried again in 1 h/);
      assert.equal(failed.forecaster.model, "bundled");
      await clock.advance(1000);
      assert.equal(scaler.board?.atMs, clock.nowMs());
      clock.set(clock.nowMs() + HOUR * 1000);
      await trainUntil(shown => /tried again in 2 h/.test(conditionOf(shown, "ForecastModelTrained").message));
    });
  }
});
