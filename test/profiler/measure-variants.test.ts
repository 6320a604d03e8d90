import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { withoutVariants } from "../../domain/without-variants.ts";
import { loadCode } from "../../gateway/load-code.ts";
import { describeMachine } from "../../profiler/machine.ts";
import { visitDoubtful, visitVariants } from "../../profiler/measure-variants.ts";
import { ProfileCache } from "../../profiler/profile-cache.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import type { VariantVisit } from "../../profiler/visit-variant.ts";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

const KEY = "first/light, 10 ms";

/** An answer takes so long that other work beside this test makes less of a difference than a tenth. */
const ANSWER_MS = 100;

/** What a visit says on a machine that nothing disturbs. */
function visitOf(times: Readonly<Record<number, number>>): VariantVisit {
  return {
    ...{ loadsMs: [1], memoryMiB: 1, isRefused: false },
    windows: Object.entries(times).map(([batch, latencyMs]) => ({
      ...{ batch: Number(batch), fill: 1 },
      time: { latencyMs, cpuMs: latencyMs, scv: 0, disturbance: 1, basis: "wall" },
    })),
  };
}

describe("visitVariants() and visitDoubtful()", function () {
  this.timeout(60_000);

  let folder: string;
  let server: FakeModelServer;
  beforeEach(async () => {
    server = await FakeModelServer.start();
    server.inferMs = () => ANSWER_MS;
    server.answerRows = rows => {
      const data = Array.from({ length: 2 * rows }, () => 1);
      return { status: 200, json: { outputs: [{ name: "y", datatype: "FP32", shape: [rows, 2], data }] } };
    };
    folder = writeOffsetPipeline();
    const file = join(folder, "pipeline.yaml");
    const remote = `{ name: light, driver: remote, model: x, url: "${server.url}" }`;
    writeFileSync(file, readFileSync(file, "utf8").replace(/\{ name: light, model: first-light[^}]*\}/, remote));
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  /** @param firstMs what one row took in the visits of before, and a batch of 4 two and six times an answer. */
  const measure = async (acceptNoise: boolean, firstMs = ANSWER_MS): Promise<readonly VariantVisit[]> => {
    const file = join(folder, "pipeline.yaml");
    const leaveOut = ["first/heavy", "second/heavy"];
    const pipeline = withoutVariants(readUnmeasured(file), leaveOut);
    const cache = ProfileCache.open(null, pipeline, describeMachine(), () => Date.now());
    for (const key of [KEY, "second/light, 10 ms"])
      for (const slow of [6, 2]) await cache.addVisit(key, visitOf({ 1: firstMs, 2: ANSWER_MS, 4: slow * ANSWER_MS }));
    const options = {
      ...{ pipeline, code: await loadCode(pipeline, file), modelFolder: folder },
      ...{ windowMs: 10, gapMs: 0, cores: [], acceptNoise, onProgress: () => undefined },
    };
    await visitVariants(options, cache);
    await visitDoubtful(options, cache);
    return cache.visits(KEY);
  };

  it("measures a larger batch in two windows at least once settled times say that it may pay", async () => {
    // A neighbour made batch 4 slow in the first window, so 8 was not tried.
    const windows = (await measure(false)).flatMap(visit => visit.windows);
    const larger = windows.filter(({ batch }) => batch === 8);
    assert.ok(larger.length >= 2, `${larger.length}`);
    assert.equal(larger[0]?.fill, 1);
    assert.ok(windows.every(({ batch }) => windows.filter(other => other.batch === batch).length <= 8));
  });

  it("visits nothing again where noise is accepted", async () => {
    assert.equal((await measure(true)).length, 2);
  });

  it("has four windows at least of what takes less than 3 ms, also where noise is accepted", async () => {
    const visits = await measure(true, 2.9);
    const batches = visits.map(({ windows }) => windows.map(({ batch }) => batch));
    assert.deepEqual(batches, new Array(4).fill([1, 2, 4]));
    assert.equal((await measure(true, 3)).length, 2);
  });
});
