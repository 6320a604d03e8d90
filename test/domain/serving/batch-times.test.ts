import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BatchTimes, type RanBatch } from "../../../domain/serving/batch-times.ts";
import { seededRandom } from "../../../load/seeded-random.ts";

/** Runs batches one after the other, of 1 ms where nothing else is said. */
class Replica {
  readonly times: BatchTimes;
  nowMs = 0;

  constructor(most = 1) {
    this.times = new BatchTimes(most);
  }

  run(count: number, tookMs = 1, fields: Partial<RanBatch> = {}): void {
    for (let batch = 0; batch < count; batch += 1) {
      this.nowMs += tookMs;
      const serviceMs = fields.serviceMs ?? tookMs;
      this.times.ran({ measuredMs: 1, tookMs, endedMs: this.nowMs, wasLoading: false, ...fields, serviceMs });
    }
  }
}

describe("the delay of batches", () => {
  it("is as long as stalls that few batches have, but much of the time goes to", () => {
    const replica = new Replica();
    for (let stall = 0; stall < 20; stall += 1) {
      replica.run(99);
      replica.run(1, 31);
    }
    const delayMs = replica.times.findLongestDelayMs(1000);
    assert.ok(delayMs >= 30 && delayMs < 36, `${delayMs}`);
    assert.equal(replica.times.usualDelayMs, 0);
  });

  it("ignores stalls that take less than a hundredth of the time", () => {
    const replica = new Replica();
    for (let stall = 0; stall < 3; stall += 1) {
      replica.run(10_000);
      replica.run(1, 31);
    }
    assert.equal(replica.times.findLongestDelayMs(1000), 0);
  });

  it("is forgotten when it is over", () => {
    const replica = new Replica();
    replica.run(100, 31, { serviceMs: 1 });
    assert.ok(replica.times.usualDelayMs >= 30);
    replica.run(10_000);
    assert.equal(replica.times.usualDelayMs, 0);
    assert.ok(replica.times.findLongestDelayMs(1000) >= 30);
    replica.run(40_000);
    assert.equal(replica.times.findLongestDelayMs(1000), 0);
  });

  it("leaves a little time to choose by, however long it is", () => {
    const replica = new Replica();
    replica.run(100, 101, { serviceMs: 1 });
    assert.ok(replica.times.findLongestDelayMs(1000) >= 100);
    const delayMs = replica.times.findLongestDelayMs(50);
    assert.ok(delayMs > 40 && delayMs < 50, `${delayMs}`);
    assert.equal(replica.times.findLongestDelayMs(-1), 0);
  });

  it("is not learnt from what was never measured", () => {
    const replica = new Replica();
    replica.run(10, 20, { measuredMs: 0 });
    assert.equal(replica.times.factor, 1);
    assert.equal(replica.times.usualDelayMs, 0);
    assert.equal(replica.times.findLongestDelayMs(1000), 0);
  });

  it("counts batches during a load, which say nothing of the machine", () => {
    const replica = new Replica();
    replica.run(10, 3, { wasLoading: true });
    assert.equal(replica.times.factor, 1);
    assert.ok(replica.times.usualDelayMs >= 2);
  });
});

describe("the factor of a replica", () => {
  it("rises and falls when eight of fifteen batches say so", () => {
    const replica = new Replica();
    replica.run(15);
    replica.run(7, 3);
    assert.equal(replica.times.factor, 1);
    replica.run(1, 3);
    assert.equal(replica.times.factor, 3);
    replica.run(6, 3);
    replica.run(8);
    assert.equal(replica.times.factor, 1);
  });

  it("forgets the batches before a pause of more than two seconds", () => {
    const replica = new Replica();
    replica.run(15, 3);
    replica.nowMs += 60_000;
    replica.run(1);
    assert.equal(replica.times.factor, 1);
  });

  it("is about the mean where a tenth of the batches take four times as long, and the delay has the rest", () => {
    const replica = new Replica();
    const random = seededRandom(7);
    let most = 0;
    for (let batch = 0; batch < 5000; batch += 1) {
      replica.run(1, random() < 0.1 ? 4 : 1);
      if (batch > 100) most = Math.max(most, replica.times.factor);
    }
    assert.ok(most < 1.6, `${most}`);
    assert.ok(replica.times.findLongestDelayMs(1000) >= 2.5);
  });

  it("stays between a half and four", () => {
    const replica = new Replica();
    replica.run(3, 100);
    assert.equal(replica.times.factor, 4);
    replica.run(15, 0.2);
    assert.equal(replica.times.factor, 0.5);
  });

  it("stays the same number while it changes by less than a hundredth", () => {
    const replica = new Replica();
    replica.run(15, 1.009);
    assert.equal(replica.times.factor, 1);
    replica.run(15, 1.012);
    assert.equal(replica.times.factor, 1.01);
    replica.run(15, 1.004);
    assert.equal(replica.times.factor, 1.01);
  });

  it("does not look out for one hiccup of the machine where there is little to do", () => {
    const times = new BatchTimes();
    for (let batch = 0; batch < 200; batch += 1) {
      const tookMs = batch === 180 ? 110 : 10;
      times.ran({ measuredMs: 10, serviceMs: tookMs, tookMs, endedMs: 25 * batch + tookMs, wasLoading: false });
    }
    assert.ok(times.findLongestDelayMs(100) < 5, String(times.findLongestDelayMs(100)));
  });

  it("leaves room up to what batches take while others are busy on the same cores, as far as it has not followed that", () => {
    const replica = new Replica(2);
    assert.equal(replica.times.crowding, 2);
    replica.run(30, 1.6);
    assert.ok(Math.abs(replica.times.crowding - 1.25) < 0.01);
    replica.run(30, 3);
    assert.equal(replica.times.crowding, 1);
    assert.equal(new BatchTimes().crowding, 1);
  });
});
