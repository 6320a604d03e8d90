import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chunkRows, leastWork } from "../../gateway/balance.ts";
import { ServiceEstimate } from "../../gateway/service-estimate.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";

const load = (outstandingRows: number, rowMs: number) => ({ outstandingRows, rowMs });

describe("leastWork()", () => {
  it("weighs outstanding rows by the service time of the variant", () => {
    const [slowIdle, fastBusy] = [load(0, 20), load(5, 3)];
    assert.equal(
      leastWork([slowIdle, fastBusy], 1, () => 0),
      fastBusy,
    );
    assert.equal(
      leastWork([slowIdle, load(6, 3)], 1, () => 0),
      slowIdle,
    );
  });

  it("counts the rows that are to be sent", () => {
    const [slowIdle, fastBusy] = [load(0, 20), load(9, 3)];
    assert.equal(
      leastWork([slowIdle, fastBusy], 1, () => 0),
      slowIdle,
    );
    assert.equal(
      leastWork([slowIdle, fastBusy], 4, () => 0),
      fastBusy,
    );
  });

  it("is null without replicas", () => {
    assert.equal(leastWork([], 1, Math.random), null);
  });

  it("breaks ties evenly", () => {
    const replicas = [load(1, 2), load(2, 4 / 3), load(1, 2), load(9, 9)];
    const counts = replicas.map(() => 0);
    let seed = 1;
    const random = () => {
      seed = (seed * 16807) % 2147483647;
      return seed / 2147483647;
    };
    for (let i = 0; i < 9000; i++) {
      const index = replicas.indexOf(leastWork(replicas, 1, random) ?? load(0, 0));
      counts[index] = (counts[index] ?? 0) + 1;
    }
    for (const count of counts.slice(0, 3)) assert.ok(Math.abs(count - 3000) < 200, String(counts));
    assert.equal(counts[3], 0);
  });
});

describe("chunkRows()", () => {
  it("spreads rows evenly, but puts 2 ms of work into a call", () => {
    assert.equal(chunkRows(18, 9, 5, null), 2);
    assert.equal(chunkRows(18, 9, 0.5, null), 4);
    assert.equal(chunkRows(18, 9, 0.5, 1), 4, "more than a batch, where a batch is not worth a call");
    assert.equal(chunkRows(18, 2, 5, 4), 4);
  });

  it("stays within the batch and the rows, and is never 0", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 50 }),
      fc.double({ min: 0, max: 1000, noNaN: true }),
      fc.option(fc.integer({ min: 1, max: 64 })),
      (rows, replicas, rowMs, batch) => {
        const size = chunkRows(rows, replicas, rowMs, batch);
        const worthwhile = Math.ceil(2 / Math.max(rowMs, 0.01));
        assert.ok(size >= 1 && size <= rows && size <= Math.max(worthwhile, batch ?? rows) && Number.isInteger(size));
      },
    );
    fc.assert(property);
  });
});

describe("ServiceEstimate", () => {
  const stage = stageOf(numberPipeline(), "read");
  const heavy = { variant: "heavy", batch: 1 };

  it("starts with the profile of the variant, or of the default variant where that is not known", () => {
    const estimate = new ServiceEstimate(stage);
    assert.equal(estimate.rowMs(heavy, 0), 8);
    assert.equal(estimate.rowMs({ variant: undefined, batch: undefined }, 0), 1);
    assert.equal(estimate.rowMs({ variant: "other", batch: undefined }, 0), 1);
  });

  it("comes to what is observed, and goes back to the profile when nothing is", () => {
    const estimate = new ServiceEstimate(stage);
    for (let i = 0; i < 100; i++) estimate.observe(heavy, 2, 48, 1000 + i);
    assert.ok(Math.abs(estimate.rowMs(heavy, 1099) - 24) < 0.1);
    assert.ok(Math.abs(estimate.rowMs({ variant: "light", batch: 1 }, 1099) - 3) < 0.1);
    assert.ok(Math.abs(estimate.rowMs(heavy, 6099) - 16) < 0.1);
  });

  it("expects of several rows what their batches take, the last one as far as it is filled", () => {
    const batches = { variant: "light", batch: 4 };
    const points = [
      { batch: 1, latencyMs: 10, scv: 0 },
      { batch: 4, latencyMs: 12, scv: 0 },
    ];
    const variants = stage.variants.map(variant => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, points },
    }));
    const estimate = new ServiceEstimate({ ...stage, variants });
    for (let i = 0; i < 100; i++) estimate.observe(batches, 9, 12 + 12 + 10, i);
    assert.ok(Math.abs(estimate.rowMs(batches, 99) - 3) < 1e-9);
  });

  it("is not ruined by one stall", () => {
    const estimate = new ServiceEstimate(stage);
    estimate.observe(heavy, 2, 1e6, 0);
    assert.ok(estimate.rowMs(heavy, 0) < 24);
  });
});
