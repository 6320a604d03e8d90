import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import { LoadHistory } from "../../../predictor/load-history.ts";
import { DeferredNetwork, InstantNetwork } from "../../../predictor/network/network.ts";
import type { ForecastModel } from "../../../predictor/network/network-model.ts";
import { HORIZONS_SECONDS } from "../../../predictor/target-forecaster.ts";
import { readBundledModel } from "../../../scaler/forecasting/bundled-model.ts";
import { NetworkThread } from "../../../scaler/forecasting/network-thread.ts";
import { openTestModel } from "../../support/open-backend.ts";

const BUNDLED = readBundledModel();
/** As the bundled one, with another answer. */
const OTHER: ForecastModel = {
  ...BUNDLED,
  horizons: BUNDLED.horizons.map(one => ({ ...one, outcomes: { ...one.outcomes, peak: { mean: 9, deviation: 2 } } })),
};

/** A thread that takes questions and never answers. */
const SILENT = 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => undefined);';

/** A thread that answers once, as if all were 0, and ends when it is asked again. A model that it was not sent is an error. */
const ONCE = `import { parentPort } from "node:worker_threads";
let asked = 0;
parentPort.on("message", ({ models, batches }) => {
  asked += 1;
  if (asked === 2) process.exit(3);
  if (models.length === 0) throw new Error("no model was sent");
  parentPort.postMessage({ kind: "predicted", outputs: batches.map(() => new Float32Array(12)) });
});`;

const createHistory = (rateRps: number) =>
  LoadHistory.from(
    Array.from({ length: 300 }, () => rateRps),
    5000,
  );

describe("NetworkThread", () => {
  let thread: NetworkThread;
  const problems: (string | null)[] = [];
  let wake: () => void = () => undefined;

  function open(workerUrl?: URL): void {
    problems.length = 0;
    thread = new NetworkThread({
      onOpened: () => undefined,
      onProblem: problem => {
        problems.push(problem);
        wake();
      },
      ...(workerUrl && { workerUrl }),
    });
  }

  const ask = (networks: readonly DeferredNetwork[]): Promise<void> =>
    new Promise(resolve => {
      wake = resolve;
      thread.ask(networks);
    });

  afterEach(() => thread.close());

  it("answers the networks of many loads, each by its own model, as they would be computed at once", async () => {
    open();
    const loads = [3, 8, 20, 50].map(createHistory);
    const networks = loads.map((_load, i) => new DeferredNetwork(i % 2 === 0 ? BUNDLED : OTHER));
    const instant = [new InstantNetwork(await openTestModel(BUNDLED)), new InstantNetwork(await openTestModel(OTHER))];
    // The second time without the other model, the third time with it again.
    for (const asked of [networks, networks.slice(0, 1), networks]) {
      for (const [i, load] of loads.entries()) {
        load.push(5 * i);
        for (const seconds of HORIZONS_SECONDS) networks[i]!.predict(load, seconds);
      }
      await ask(asked);
      for (const [i, network] of asked.entries())
        for (const seconds of HORIZONS_SECONDS) {
          const predicted = network.predict(loads[i]!, seconds)!;
          const expected = instant[i % 2]!.predict(loads[i]!, seconds)!;
          for (const name of ["peak", "rate"] as const)
            for (const [q, value] of expected[name].entries())
              assert.ok(Math.abs(predicted[name][q]! - value) < 1e-4, `${i} ${seconds} ${name}: ${predicted[name]}`);
        }
    }
    assert.deepEqual(problems, [null, null, null]);
  });

  it("asks nothing where nothing is new, and nothing while an answer is due", async () => {
    open();
    const [first, second] = [new DeferredNetwork(BUNDLED), new DeferredNetwork(BUNDLED)];
    assert.equal(thread.ask([first, second]), false);
    const load = createHistory(4);
    first.predict(load, 20);
    const answered = ask([first, second]);
    second.predict(load, 20);
    assert.equal(thread.ask([second]), true);
    await answered;
    assert.notEqual(first.predict(load, 20), null);
    assert.equal(second.predict(load, 20), null);
    await ask([second]);
    assert.notEqual(second.predict(load, 20), null);
    assert.deepEqual(problems, [null, null]);
  });

  it("says why nothing comes, and tries again in a minute", async () => {
    open(new URL("./no-such-worker.js", import.meta.url));
    const [network, load] = [new DeferredNetwork(BUNDLED), createHistory(4)];
    network.predict(load, 20);
    await ask([network]);
    assert.match(problems[0]!, /networks of forecasts can't be computed: .*no-such-worker.*tried again in 60 s/);
    load.push(4);
    assert.equal(network.predict(load, 20), null);
    for (let second = 0; second < 60; second++) assert.equal(thread.ask([network]), false);
    await ask([network]);
    assert.equal(problems.length, 2);
  });

  it("sends the models anew to the thread that follows one that was lost", async () => {
    open(new URL(`data:text/javascript,${encodeURIComponent(ONCE)}`));
    const [network, load] = [new DeferredNetwork(BUNDLED), createHistory(4)];
    for (const expected of [null, /ended with code 3/, null]) {
      load.push(4);
      network.predict(load, 20);
      if (expected === null) for (let second = 0; second < 60 && problems.length > 0; second++) thread.ask([]);
      await ask([network]);
      const problem = problems.at(-1) ?? null;
      if (expected === null) assert.equal(problem, null);
      else assert.match(problem!, expected);
    }
    assert.equal(problems.length, 3);
  });

  it("answers those of other models where one can't be computed", async () => {
    open();
    const broken = new DeferredNetwork({
      ...BUNDLED,
      horizons: BUNDLED.horizons.map(one => ({ ...one, members: [] })),
    });
    const [network, load] = [new DeferredNetwork(BUNDLED), createHistory(4)];
    for (const one of [broken, network]) one.predict(load, 20);
    await ask([broken, network]);
    load.push(4);
    assert.equal(broken.predict(load, 20), null);
    assert.notEqual(network.predict(load, 20), null);
  });

  it("ends a thread that says nothing", () => {
    open(new URL(`data:text/javascript,${encodeURIComponent(SILENT)}`));
    const network = new DeferredNetwork(BUNDLED);
    network.predict(createHistory(4), 20);
    for (let second = 0; second < 61; second++) assert.equal(thread.ask([network]), true);
    assert.deepEqual(problems, []);
    thread.ask([network]);
    assert.match(problems[0]!, /said nothing for 60 s/);
  });
});
