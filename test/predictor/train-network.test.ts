import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { type Backend, openBackend } from "../../predictor/network/backend.ts";
import { type NetworkWeights, OUTPUT_LEVELS, PART_NAMES } from "../../predictor/network/network-weights.ts";
import { catchUp, type TrainingSet, trainNetwork } from "../../predictor/training/train-network.ts";
import { openTestBackend } from "../support/open-backend.ts";
import { predictPlainly } from "./plain-network.ts";

const INPUTS = 5;

/** Both targets come to be the same. */
function forAllLevels(outcomes: Float32Array): Float32Array {
  return Float32Array.from([...outcomes].flatMap(outcome => OUTPUT_LEVELS.map(() => outcome)));
}

/** Outcomes that are normal about the first input, with a deviation that the second one tells: their quantiles are known. */
function knownSet(count: number, seed: number): TrainingSet {
  const random = seededRandom(seed);
  const features = Float32Array.from({ length: count * INPUTS }, () => normal(random));
  const outcomes = Float32Array.from({ length: count }, (_, row) => {
    const deviation = (features[row * INPUTS + 1] as number) > 0 ? 1 : 0.2;
    return (features[row * INPUTS] as number) + deviation * normal(random);
  });
  return { count, inputs: INPUTS, features, outcomes: forAllLevels(outcomes) };
}

function bytesOf(weights: NetworkWeights): string {
  return PART_NAMES.map(name => Buffer.from(weights[name].buffer).toString("base64")).join(" ");
}

const options = (seed: number, epochs: number) => ({ seed, epochs, onBatch: () => null });

describe("trainNetwork()", () => {
  let backend: Backend;
  before(async () => {
    backend = await openTestBackend();
  });

  it("learns quantiles that differ from row to row", async () => {
    const trained = await trainNetwork(backend, knownSet(6000, 1), knownSet(1000, 2), options(1, 16));
    const test = knownSet(4000, 3);
    const covered = OUTPUT_LEVELS.map(() => 0);
    const widths = { wide: 0, narrow: 0 };
    for (let row = 0; row < test.count; row++) {
      const inputs = test.features.slice(row * INPUTS, (row + 1) * INPUTS);
      const predicted = predictPlainly(trained.weights, [...inputs]);
      for (const [i, value] of predicted.entries())
        if (test.outcomes[row * OUTPUT_LEVELS.length]! <= value) covered[i]! += 1;
      widths[inputs[1]! > 0 ? "wide" : "narrow"] += predicted[2]! - predicted[0]!;
    }
    for (const [i, q] of OUTPUT_LEVELS.entries())
      assert.ok(Math.abs(covered[i]! / test.count - q) < 0.04, `${q}: ${covered[i]! / test.count}`);
    assert.ok(widths.wide > 1.7 * widths.narrow, JSON.stringify(widths));
  });

  it("gives the same weights bit for bit from the same seed, and others from another", async () => {
    const train = async (seed: number) =>
      bytesOf((await trainNetwork(backend, knownSet(1000, 1), knownSet(300, 2), options(seed, 3))).weights);
    const first = await train(7);
    assert.equal(await train(7), first);
    assert.notEqual(await train(8), first);
  });

  it("learns from other rows in catchUp(), and leaves the weights that it is given", async () => {
    const { weights } = await trainNetwork(backend, knownSet(2000, 1), knownSet(500, 2), options(1, 2));
    const before = bytesOf(weights);
    const shifted = knownSet(2000, 3);
    const rows = { ...shifted, outcomes: shifted.outcomes.map(outcome => outcome + 2) };
    const caughtUp = await catchUp(backend, weights, rows, options(1, 20));
    assert.equal(bytesOf(weights), before);
    const inputs = Array.from({ length: INPUTS }, () => 0);
    const [was, is] = [weights, caughtUp].map(one => predictPlainly(one, inputs)[0]);
    assert.ok(is! > was! + 0.5, `${was} ${is}`);
  });

  it("keeps the epoch that did best in validation, and stops when none has for long", async () => {
    const random = seededRandom(5);
    // Nothing to learn: what looks like it is chance, and validation gets worse.
    const noise = (count: number): TrainingSet => ({
      count,
      inputs: INPUTS,
      features: Float32Array.from({ length: count * INPUTS }, () => normal(random)),
      outcomes: forAllLevels(Float32Array.from({ length: count }, () => normal(random))),
    });
    const trained = await trainNetwork(backend, noise(300), noise(300), options(1, 1000));
    assert.ok(trained.epochs < 900 && Number.isFinite(trained.loss), `${trained.epochs} epochs`);
  });

  it("leaves no tensor behind in 1,000 trainings", async () => {
    const [training, validation] = [knownSet(32, 1), knownSet(8, 2)];
    const before = backend.tf.memory().numTensors;
    for (let seed = 0; seed < 1000; seed++) await trainNetwork(backend, training, validation, options(seed, 1));
    assert.equal(backend.tf.memory().numTensors, before);
  });

  it("leaves no tensor behind when it is ended, and passes on why", async () => {
    const before = backend.tf.memory().numTensors;
    const ended = { seed: 1, epochs: 5, onBatch: () => Promise.reject(new Error("time is up")) };
    await assert.rejects(trainNetwork(backend, knownSet(600, 1), knownSet(60, 2), ended), /time is up/);
    assert.equal(backend.tf.memory().numTensors, before);
  });
});

describe("openBackend()", () => {
  it("takes the next one where one does not load, and says why", async () => {
    const refused: string[] = [];
    const backend = await openBackend(["nonsense" as "cpu", "cpu"], name => refused.push(name));
    assert.equal(backend.name, "cpu");
    assert.deepEqual(refused, ["nonsense"]);
    await assert.rejects(openBackend([]), /no backend of tfjs loads/);
    await openTestBackend();
  });

  it("takes the next one where one loads but can't compute", async () => {
    const { KernelBackend, registerBackend, removeBackend } = await import("@tensorflow/tfjs-core");
    class Broken extends KernelBackend {
      override dispose(): void {}
    }
    registerBackend("broken", () => new Broken());
    try {
      const refused: string[] = [];
      const backend = await openBackend(["broken" as "cpu", "cpu"], (_, reason) => refused.push(reason));
      assert.equal(backend.name, "cpu");
      assert.match(refused.join(), /not yet implemented/);
    } finally {
      removeBackend("broken");
      await openTestBackend();
    }
  });
});
