import assert from "node:assert/strict";
import fc from "fast-check";
import { before, describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import { FEATURES, features, levelOf } from "../../predictor/features.ts";
import { type LoadCell, LoadHistory } from "../../predictor/load-history.ts";
import type { Backend } from "../../predictor/network/backend.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { type ForecastModel, modelToJson, parseModel } from "../../predictor/network/network-model.ts";
import { OUTPUT_LEVELS } from "../../predictor/network/network-weights.ts";
import { OpenModel } from "../../predictor/network/open-model.ts";
import { epochsOf, type ModelTrainingOptions, strideOf, trainModel } from "../../predictor/training/train-model.ts";
import { trainingRows } from "../../predictor/training/training-rows.ts";
import { openTestBackend } from "../support/open-backend.ts";

const HOUR = 3600;

function cellsOfKind(kind: keyof typeof LOAD_KINDS, seconds: number, seed: number): LoadCell[] {
  return cellsOf(generateLoad(LOAD_KINDS[kind], seconds, seed));
}

const options = (changed: Partial<ModelTrainingOptions> = {}): ModelTrainingOptions => ({
  features: "seasonal",
  horizonsSeconds: [20],
  seeds: [1],
  epochs: 4,
  mostRows: 5000,
  rivals: [],
  onBatch: () => null,
  ...changed,
});

describe("features()", () => {
  it("are the same of single seconds as of the cells that training has, away from their steps", () => {
    const trace = generateLoad(LOAD_KINDS.web, 3 * 86_400, 4);
    const live = new LoadHistory();
    live.startAt(Math.round(trace.startMs / 1000) + 1);
    for (const rate of trace.ratesRps) Number.isNaN(rate) ? live.skip(1) : live.push(rate);
    const replayed = new LoadHistory();
    for (const cell of cellsOf(trace)) replayed.pushCell(cell);
    assert.equal(replayed.second, live.second);
    const [a, b] = [live, replayed].map(history => {
      const into = new Float32Array(FEATURES.seasonal);
      features(history, "seasonal", 60, levelOf(history), into);
      return into;
    });
    for (const [i, value] of a!.entries()) assert.ok(Math.abs(value - b![i]!) < 0.01, `${i}: ${value} ${b![i]}`);
    assert.ok(a!.every(Number.isFinite), "all are known after three days");
  });

  it("are missing, not zero, in a young history; the recent ones come first in both sets", () => {
    const history = LoadHistory.from([5, 5, 5], 3);
    const [recent, seasonal] = [new Float32Array(FEATURES.recent), new Float32Array(FEATURES.seasonal)];
    features(history, "recent", 20, levelOf(history), recent);
    features(history, "seasonal", 20, levelOf(history), seasonal);
    assert.deepEqual(seasonal.slice(0, FEATURES.recent), recent);
    assert.ok(Number.isFinite(recent[0]) && Number.isNaN(recent.at(-1)) && Number.isNaN(seasonal.at(-1)));
  });
});

describe("trainingRows()", () => {
  it("have the highest second of exactly the horizon and the mean of its last ten, and none that reaches into a gap", () => {
    const cells = cellsOfKind("steady", 2000, 1).map((cell, i) => ({ ...cell, highestRps: i, meanRps: i / 3 }));
    const holed = cells.filter((_, i) => i !== 100);
    const rows = trainingRows(holed, "recent", 60);
    const { peak, rate } = rows.outcomes;
    const rowOf = new Map(Array.from({ length: rows.count }, (_, row) => [rows.seconds[row]! / 10, row]));
    const firstIndex = cells[0]!.index;
    for (let i = 0; i < cells.length; i++) {
      const isWhole = i >= 11 && i + 6 < cells.length && (i + 6 < 100 || i - 11 > 100);
      const row = rowOf.get(firstIndex + i);
      assert.equal(row !== undefined, isWhole, String(i));
      if (row === undefined) continue;
      assert.ok(Math.abs(peak[row]! - 2 * Math.sqrt(i + 6 + 0.375)) < 1e-4);
      assert.ok(Math.abs(rate[row]! - 2 * Math.sqrt((i + 6) / 3 + 0.375)) < 1e-4);
    }
  });
});

describe("trainModel()", () => {
  let backend: Backend;
  let trained: ForecastModel;
  before(async function () {
    this.timeout(300_000);
    backend = await openTestBackend();
    const cells = cellsOfKind("web", 30 * HOUR, 1);
    trained = (await trainModel(backend, cells, options()))!.model;
  });

  it("learns a season that a model of the recent past alone does not know, and says by how much on held-out rows", async () => {
    const cells = cellsOfKind("web", 40 * HOUR, 1);
    const recent = await trainModel(backend, cells, options({ features: "recent" }));
    const seasonal = await trainModel(backend, cells, options({ rivals: [recent!.model] }));
    const [{ loss, rivalLosses, rows, heldOutRows } = assert.fail()] = seasonal!.horizons;
    assert.ok(loss < 0.97 * rivalLosses[0]!, `${loss} ${rivalLosses[0]}`);
    const ratio = rivalLosses[0]! / recent!.horizons[0]!.loss;
    assert.ok(ratio > 0.95 && ratio < 1, `the rival has seen the rows that are held out: ${ratio}`);
    assert.ok(rows > 3000 && heldOutRows > 300);
  }).timeout(120_000);

  it("catches up with what was held out, and says how good it was before it had seen it", async () => {
    const known = generateLoad(LOAD_KINDS.steady, 60 * HOUR, 1);
    const held = generateLoad(LOAD_KINDS.mmpp, 15 * HOUR, 1);
    const cells = cellsOf({
      startMs: known.startMs,
      ratesRps: Float64Array.from([...known.ratesRps, ...held.ratesRps]),
    });
    const changed = { features: "recent", mostRows: 30_000 } as const;
    const first = await trainModel(backend, cells, options(changed));
    const again = await trainModel(backend, cells, options({ ...changed, rivals: [first!.model] }));
    const [{ loss, rivalLosses } = assert.fail()] = again!.horizons;
    assert.equal(loss, first!.horizons[0]!.loss, "the same rows are held out of the comparison");
    assert.ok(rivalLosses[0]! < 0.9 * loss, `${rivalLosses[0]} ${loss}`);
  }).timeout(120_000);

  it("learns from every cell of three weeks, in no more time than from 100,000", () => {
    const threeWeeks = 21 * 8640;
    assert.deepEqual([strideOf(100_001), strideOf(threeWeeks), strideOf(201_000), strideOf(6000, 5000)], [1, 1, 2, 2]);
    for (const [horizonSeconds, passes] of [[20, 8] as const, [60, 5] as const, [600, 3] as const]) {
      assert.deepEqual(
        [2000, 100_000].map(rows => epochsOf(horizonSeconds, rows)),
        [passes, passes],
      );
      // To half a pass: there are whole ones alone.
      for (let rows = 100_000; rows <= threeWeeks; rows += 5000) {
        const most = (epochsOf(horizonSeconds, rows) - 0.5) * rows;
        assert.ok(most <= passes * 100_000, `${rows} rows, ${horizonSeconds} s: ${most}`);
      }
    }
    assert.equal(epochsOf(60, threeWeeks), 3);
    assert.equal(epochsOf(600, 10_000_000), 1);
  });

  it("trains nothing from less than 1,000 rows", async () => {
    assert.equal(await trainModel(backend, cellsOfKind("web", 2 * HOUR, 1), options()), null);
  });

  it("gives the same model bit for bit again", async () => {
    const cells = cellsOfKind("shifts", 5 * HOUR, 2);
    const json = async () =>
      JSON.stringify(modelToJson((await trainModel(backend, cells, options({ epochs: 2 })))!.model));
    assert.equal(await json(), await json());
  });

  it("gives finite, rising quantiles whatever the history", () => {
    const network = new InstantNetwork(new OpenModel(backend, trained));
    const rate = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1e7, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(fc.option(rate), { maxLength: 300, size: "max" }),
        rate,
        fc.integer({ min: 1, max: 3600 }),
        (rates, newest, seconds) => {
          const history = LoadHistory.from([...rates, newest], 5000);
          const predictions = network.predict(history, seconds);
          if (predictions === null) return assert.ok(history.window(0, 120).present < 60);
          for (const predicted of Object.values(predictions))
            for (const [i, value] of predicted.entries())
              assert.ok(
                Number.isFinite(value) && value >= (predicted[i - 1] ?? Number.NEGATIVE_INFINITY),
                String(predicted),
              );
        },
      ),
    );
  });

  describe("its model as JSON", () => {
    it("is read again bit for bit", () => {
      const text = JSON.stringify(modelToJson(trained));
      const { model, problem } = parseModel(JSON.parse(text));
      assert.equal(problem, null);
      assert.equal(JSON.stringify(modelToJson(model!)), text);
    });

    it("is refused with the reason where it is damaged", () => {
      const damages: readonly (readonly [string, unknown, RegExp])[] = [
        ["version", 1, /its version is 1, not 2/],
        ["features", "all", /neither recent nor seasonal/],
        ["horizons", [], /no list of 1 to 16/],
        ["horizons.0.horizonSeconds", -20, /not above the one before/],
        ["horizons.0.horizonSeconds", "20", /no whole number/],
        ["horizons.0.outcomes", 5, /outcomes is no object/],
        ["horizons.0.outcomes.rate", null, /outcomes.rate is no object/],
        ["horizons.0.outcomes.peak.mean", null, /outcomes.peak.mean is no number/],
        ["horizons.0.outcomes.rate.deviation", 0, /outcomes.rate.deviation is not above 0/],
        ["horizons.0.inputMeans", "AAAA", /has 3 bytes, not 376 for 94 numbers/],
        ["horizons.0.inputDeviations", Buffer.alloc(376).toString("base64"), /not all above 0/],
        ["horizons.0.members", [], /members are no list/],
        ["horizons.0.members.0.skip", 7, /members\[0\]\.skip is no text/],
        [
          "horizons.0.members.0.outputBias",
          Buffer.from(new Float32Array(OUTPUT_LEVELS.length).fill(Number.NaN).buffer).toString("base64"),
          /no finite number/,
        ],
      ];
      for (const [path, value, expected] of damages) {
        const json = JSON.parse(JSON.stringify(modelToJson(trained)));
        const keys = path.split(".");
        const last = keys.pop()!;
        const parent = keys.reduce((at, key) => at[key], json);
        assert.ok(last in parent, path);
        parent[last] = value;
        assert.match(parseModel(json).problem ?? "", expected, path);
      }
      fc.assert(fc.property(fc.anything(), value => parseModel(value).model === null));
    });
  });
});
