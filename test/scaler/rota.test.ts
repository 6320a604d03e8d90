import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Clock } from "../../scaler/clock.ts";
import { Rota } from "../../scaler/rota.ts";
import { ManualClock } from "./support/manual-clock.ts";

/** A clock whose timers come when the test says. */
class LateClock implements Clock {
  time = 0;
  /** For which nothing else could come in, at most. */
  longestMs = 0;
  readonly pending: (() => void)[] = [];
  /** Of what was left to be run soon. */
  mostPending = 0;
  /** Of the timer that runs. */
  periodMs = 0;
  run: () => void = () => undefined;

  nowMs(): number {
    return this.time;
  }

  every(periodMs: number, run: () => void): () => void {
    this.run = run;
    this.periodMs = periodMs;
    return () => {
      if (this.run === run) this.run = () => undefined;
    };
  }

  soon(run: () => void): void {
    this.pending.push(run);
    this.mostPending = Math.max(this.mostPending, this.pending.length);
  }

  comeAt(atMs: number): void {
    this.time = atMs;
    this.#measure(this.run);
    while (this.pending.length > 0) this.goOn();
  }

  goOn(): void {
    this.#measure(this.pending.shift() ?? assert.fail("nothing is left to run"));
  }

  #measure(run: () => void): void {
    const startMs = this.time;
    run();
    this.longestMs = Math.max(this.longestMs, this.time - startMs);
  }
}

/** So many jobs that take so long each, and how many turns they had together. */
function rotaOf(clock: LateClock, jobs: number, jobMs: number) {
  let turns = 0;
  const rota = new Rota(clock, 1000);
  for (let job = 0; job < jobs; job++)
    rota.join(() => {
      clock.time += jobMs;
      turns += 1;
    });
  return { rota, turns: () => turns };
}

/** So many jobs, the turns that each had, and how many rounds have ended. */
function countedRota(clock: ManualClock, jobs: number) {
  const turns = Array.from({ length: jobs }, () => 0);
  let rounds = 0;
  const rota = new Rota(clock, 1000, () => {
    rounds += 1;
  });
  turns.forEach((_, job) => {
    rota.join(() => {
      turns[job] = (turns[job] ?? 0) + 1;
    });
  });
  return { rota, turns, rounds: () => rounds };
}

describe("Rota", () => {
  it("gives every job one turn a period, however many there are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 450 }), async count => {
        const clock = new ManualClock();
        const { rota, turns, rounds: ended } = countedRota(clock, count);
        await clock.advance(5000);
        rota.close();
        const rounds = ended();
        // A slot is a whole number of milliseconds, so five periods may hold a part of one round more.
        assert.ok(rounds === 5 || rounds === 6, `${rounds} rounds`);
        for (const had of turns) assert.ok(had === rounds || had === rounds + 1, `${had} turns in ${rounds} rounds`);
        assert.equal(clock.timers, 0);
      }),
      { numRuns: 15, examples: [[26], [50], [51], [450]] },
    );
  });

  it("spreads the jobs over the period", async () => {
    const clock = new ManualClock(0);
    const at: number[] = [];
    const rota = new Rota(clock, 1000);
    for (let job = 0; job < 4; job++) rota.join(() => at.push(clock.nowMs()));
    await clock.advance(1000);
    assert.deepEqual(at, [250, 500, 750, 1000]);
    rota.close();
  });

  it("makes good what timers lose, never with a second turn at once", () => {
    const clock = new LateClock();
    const at: [string, number][] = [];
    const rota = new Rota(clock, 1000);
    for (const job of ["a", "b"]) rota.join(() => at.push([job, clock.nowMs()]));
    // 20 ms late each time: after a while two turns are due at once.
    for (let i = 1; i <= 25; i++) clock.comeAt(i * 520);
    const turns = (job: string): number => at.filter(([who]) => who === job).length;
    assert.equal(turns("a") + turns("b"), Math.round((25 * 520) / 500));
    // The process stood still for an hour.
    const before = at.length;
    clock.comeAt(3_600_000);
    assert.deepEqual(
      at
        .slice(before)
        .map(([job]) => job)
        .sort(),
      ["a", "b"],
    );
    rota.close();
    let alone = 0;
    const one = new Rota(clock, 1000);
    one.join(() => {
      alone += 1;
    });
    clock.comeAt(clock.time + 3_600_000);
    assert.equal(alone, 1);
    one.close();
  });

  it("lets nobody wait for more than one job, also where all of them are more than a period's work", () => {
    const clock = new LateClock();
    const { rota, turns } = rotaOf(clock, 200, 8);
    for (let i = 0; i < 500; i++) clock.comeAt(clock.time + 5);
    assert.equal(clock.longestMs, 8);
    assert.ok(turns() > 900, `${turns()} turns`);
    rota.close();
  });

  it("begins no second run of jobs where a timer comes while one is under way", () => {
    const clock = new LateClock();
    const { rota, turns } = rotaOf(clock, 200, 15);
    clock.time = 20;
    clock.run();
    for (let i = 0; i < 50; i++) {
      clock.run();
      clock.goOn();
    }
    assert.equal(clock.mostPending, 1);
    assert.equal(turns(), 51);
    rota.close();
  });

  it("runs jobs at once that fit in a millisecond together", () => {
    const clock = new LateClock();
    const at: number[] = [];
    const rota = new Rota(clock, 1000);
    for (let job = 0; job < 500; job++)
      rota.join(() => {
        clock.time += 0.25;
        at.push(clock.time);
      });
    clock.comeAt(20);
    assert.equal(at.length, 10);
    assert.equal(clock.longestMs, 1);
    clock.time = 40;
    clock.run();
    assert.deepEqual([at.length, clock.pending.length], [14, 1]);
    rota.close();
    clock.goOn();
    assert.deepEqual([at.length, clock.pending.length], [14, 0]);
  });

  it("has a turn for each job of hundreds, and rounds, where jobs come and go all the time", async () => {
    for (const [count, everyMs] of [
      [200, 10],
      [3, 10],
      [3, 300],
    ] as const) {
      const clock = new ManualClock(0);
      const { rota, turns, rounds } = countedRota(clock, count);
      for (let i = 0; i < 6000 / everyMs; i++) {
        const leave = rota.join(() => undefined);
        await clock.advance(everyMs / 2);
        leave();
        await clock.advance(everyMs / 2);
      }
      const few = turns.filter(had => had < 3 || had > 8);
      assert.deepEqual(few, [], `of ${count} jobs with others every ${everyMs} ms`);
      assert.ok(rounds() >= 3, `${rounds()} rounds`);
      rota.close();
      assert.equal(clock.timers, 0);
    }
  });

  it("begins a new round where all jobs have left in the middle of one", async () => {
    const clock = new ManualClock(0);
    let rounds = 0;
    const rota = new Rota(clock, 1000, () => {
      rounds += 1;
    });
    const leaves = [1, 2].map(() => rota.join(() => undefined));
    await clock.advance(500);
    for (const leave of leaves.reverse()) leave();
    for (let job = 0; job < 2; job++) rota.join(() => undefined);
    await clock.advance(500);
    assert.equal(rounds, 0);
    await clock.advance(500);
    assert.equal(rounds, 1);
    rota.close();
  });

  it("wakes up fifty times a second at most for hundreds of short jobs", async () => {
    const clock = new ManualClock(0);
    const at: number[] = [];
    const rota = new Rota(clock, 1000);
    for (let job = 0; job < 250; job++) rota.join(() => at.push(clock.nowMs()));
    await clock.advance(1000);
    rota.close();
    assert.equal(at.length, 250);
    assert.deepEqual(
      [...new Set(at)],
      Array.from({ length: 50 }, (_, i) => 20 * (i + 1)),
    );
  });

  it("lets nobody wait for two jobs of a millisecond, and keeps up all the same", () => {
    const clock = new LateClock();
    const { rota, turns } = rotaOf(clock, 400, 1);
    while (clock.time < 10_000) clock.comeAt((Math.floor(clock.time / clock.periodMs) + 1) * clock.periodMs);
    assert.equal(clock.longestMs, 1);
    assert.ok(turns() > 3950, `${turns()} turns`);
    rota.close();
  });

  it("ends a turn when its jobs change", async () => {
    const clock = new ManualClock(0);
    const seen: number[] = [];
    const rota = new Rota(clock, 1000);
    const leaves = Array.from({ length: 100 }, (_, job) =>
      rota.join(() => {
        if (job === 0 && !seen.includes(0)) leaves[1]?.();
        seen.push(job);
      }),
    );
    await clock.advance(20);
    assert.deepEqual(seen, [0]);
    await clock.advance(2000);
    assert.deepEqual(
      seen.slice(0, 100),
      Array.from({ length: 100 }, (_, i) => [...Array(100).keys()].filter(job => job !== 1)[i % 99]),
    );
    rota.close();
  });

  it("goes on when the clock is set back", () => {
    const clock = new LateClock();
    clock.time = 1_000_000;
    let turns = 0;
    const rota = new Rota(clock, 1000);
    rota.join(() => {
      turns += 1;
    });
    clock.comeAt(1_001_000);
    clock.comeAt(500_000);
    for (let i = 1; i <= 3; i++) clock.comeAt(500_000 + i * 1000);
    assert.equal(turns, 4);
    rota.close();
  });

  it("has no turn for a job that left, and takes turns from those that stay", async () => {
    const clock = new ManualClock(0);
    const seen: string[] = [];
    const rota = new Rota(clock, 1000);
    const leave = rota.join(() => seen.push("a"));
    rota.join(() => seen.push("b"));
    leave();
    await clock.advance(2000);
    assert.deepEqual(seen, ["b", "b"]);
    rota.close();
  });
});
