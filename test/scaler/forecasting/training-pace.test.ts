import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { TrainingPace } from "../../../scaler/forecasting/training-pace.ts";

/** A clock that goes on while one works, and while one sleeps. */
class VirtualTime {
  ms = 0;
  readonly aliveMs: number[] = [];
  readonly nowMs = (): number => this.ms;
  readonly sleep = async (ms: number): Promise<void> => {
    this.ms += ms;
  };
  readonly tellAlive = (): void => {
    this.aliveMs.push(this.ms);
  };
}

describe("TrainingPace", () => {
  it("keeps to its share of the time after every rest, however long its stints are", async () => {
    const share = fc.double({ min: 0.01, max: 1, noNaN: true });
    const works = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20_000 })), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(share, works, async (of, batchesMs) => {
        const time = new VirtualTime();
        const pace = new TrainingPace(of, time);
        let workedMs = 0;
        for (const batchMs of batchesMs) {
          time.ms += batchMs;
          workedMs += batchMs;
          const rest = pace.rest();
          if (rest === null) continue;
          await rest;
          assert.ok(workedMs <= of * time.ms + 1e-6, `${workedMs} of ${time.ms} at ${of}`);
          assert.ok(workedMs >= of * time.ms - 1e-6, "and rests no longer than it must");
        }
        assert.ok(Math.abs(pace.busyMs - workedMs) < 1e-6);
      }),
    );
  });

  it("works for 20 ms before it rests, and all the time with a whole core", async () => {
    const time = new VirtualTime();
    const pace = new TrainingPace(0.1, time);
    time.ms = 19;
    assert.equal(pace.rest(), null);
    time.ms = 20;
    await pace.rest();
    assert.equal(time.ms, 200);
    const whole = new TrainingPace(1, time);
    time.ms += 20;
    await whole.rest();
    assert.equal(time.ms, 220);
  });

  it("says every five seconds that it is alive, also through a long rest", async () => {
    const time = new VirtualTime();
    const pace = new TrainingPace(0.1, time);
    time.ms = 3000;
    await pace.rest();
    assert.equal(time.ms, 30_000);
    assert.deepEqual(time.aliveMs, [8000, 13_000, 18_000, 23_000, 28_000]);
  });
});
