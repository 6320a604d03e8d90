import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { withoutVariants } from "../../domain/without-variants.ts";
import { loadCode } from "../../gateway/load-code.ts";
import { describeMachine } from "../../profiler/machine.ts";
import { visitDoubtful, visitVariants } from "../../profiler/measure-variants.ts";
import { ProfileCache } from "../../profiler/profile-cache.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import type { VariantVisit } from "../../profiler/visit-variant.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

const KEY = "first/light, 10 ms";

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
  beforeEach(() => {
    folder = writeOffsetPipeline();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** @param firstMs what one row took in the visits of before. */
  const measure = async (acceptNoise: boolean, firstMs = 10): Promise<readonly VariantVisit[]> => {
    const file = join(folder, "pipeline.yaml");
    const leaveOut = ["first/heavy", "second/heavy"];
    const pipeline = withoutVariants(readUnmeasured(file), leaveOut);
    const cache = ProfileCache.open(null, pipeline, describeMachine(), () => Date.now());
    for (const key of [KEY, "second/light, 10 ms"])
      for (const slow of [60, 20]) await cache.addVisit(key, visitOf({ 1: firstMs, 2: 15, 4: slow }));
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
